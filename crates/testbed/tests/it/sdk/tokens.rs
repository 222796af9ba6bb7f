//! Tokens that end while a test waits: access tokens that renew themselves, across processes, under real docker, and in
//! the middle of a push.
//!
//! The server's access tokens live for seconds, by the fail point `access-seconds` of test builds; they are accepted five
//! seconds longer, for clocks that differ.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use hythe_client::account::{OwnLogin, TokenKeeper, sign_in};
use hythe_client::progress::Reporter;
use hythe_client::transfer::{PushOptions, Target};
use hythe_client::{Api, ContainerRegistry, Credentials};
use hythe_outbound::Url;
use hythe_remote::Remote;
use hythe_testbed::{
    Actor, Docker, Family, Hythe, Image, Leash, Options, Packing, Role, Visibility, docker_archive, image,
    layout_tar, noise, run_folder,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{address, outbound, run};

/// How long a token is said to live.
const LIFE: Duration = Duration::from_secs(4);

/// After so long two tokens, one after the other, have ended for good: each lives [`LIFE`] and five seconds more.
const TWO_ENDS: Duration = Duration::from_secs(20);

/// A server whose tokens end soon, with a project `lab` and its pusher `ada`.
fn server() -> Hythe {
    let point = format!("access-seconds=return({})", LIFE.as_secs());
    let server = Hythe::start(Options {
        environment: vec![("HYTHE_FAILPOINTS".to_owned(), point)],
        ..Options::default()
    });
    server.create_project("lab", Visibility::Private);
    server.create_user("ada", PASSWORD);
    server.add_member("lab", "ada", Role::Pusher);
    server
}

const PASSWORD: &str = "the-password-of-ada";

/// The login of `hythe login`: a refresh token, never the password.
fn login(server: &Hythe) -> OwnLogin {
    let password = SecretString::from(PASSWORD);
    run(sign_in(&outbound(), &address(server), "ada", &password)).unwrap()
}

/// Whether the server takes a token, as clients of platforms send it: as Basic password, on `/v2` itself.
fn is_good(server: &Hythe, token: &str) -> bool {
    Actor::basic(server.addr(), "ada", token).get("/v2/_catalog").one_of(&[200, 401]).status == 200
}

#[test]
fn docker_logs_in_again_after_two_ends_and_pushes_again() {
    let Some(docker) = Docker::shared() else { return };
    let server = server();
    let project = "lab".parse().unwrap();
    let registry =
        run(ContainerRegistry::open(outbound(), &address(&server), project, login(&server))).unwrap();
    let cli = docker.cli();
    let push = |tag: &str| -> String {
        let login = run(registry.docker_login()).unwrap();
        let token = login.secret.expose_secret().to_owned();
        cli.run_with(&["login", "--username", &login.username, "--password-stdin", &server.host()], &token)
            .ok();
        let name = format!("{}by-docker:{tag}", registry.url());
        let archive = docker_archive(&image(Family::Docker, Packing::Plain, tag, "amd64"), &name);
        cli.run(&["load", "--input", archive.to_str().unwrap()]).ok();
        cli.run(&["push", &name]).ok();
        token
    };
    let first = push("v1");
    std::thread::sleep(TWO_ENDS);
    assert!(!is_good(&server, &first), "the first token has not ended, so nothing is tried here");
    let second = push("v2");
    assert_ne!(first, second);
    assert_eq!(run(registry.image_names()).unwrap(), ["by-docker:v1", "by-docker:v2"]);
}

/// Hands out tokens until two have ended, each checked at the server; the child of the test below.
#[test]
#[ignore = "a process that another test starts"]
fn a_process_that_asks_for_tokens() {
    let given = |name: &str| std::env::var(name).unwrap();
    let server: Url = given("TOKENS_SERVER").parse().unwrap();
    let login = OwnLogin { username: "ada".to_owned(), secret: given("TOKENS_SECRET").into() };
    let keeper = TokenKeeper::new(outbound(), server.clone(), login);
    let host: std::net::SocketAddr = server.authority().parse().unwrap();
    let mut log = std::fs::File::create(given("TOKENS_LOG")).unwrap();
    let begin = Instant::now();
    while begin.elapsed() < TWO_ENDS {
        let token = run(keeper.token()).unwrap();
        let secret = token.secret.expose_secret();
        Actor::basic(host, "ada", secret).get("/v2/_catalog").is(200);
        writeln!(log, "{secret}").unwrap();
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn two_processes_share_tokens_and_get_none_that_has_ended() {
    let server = server();
    let login = login(&server);
    let folder = run_folder::fresh("tokens");
    let start = |name: &str| {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "sdk::tokens::a_process_that_asks_for_tokens", "--ignored", "--nocapture"])
            .env("XDG_CACHE_HOME", folder.join("cache"))
            .env("TOKENS_SERVER", address(&server).as_str())
            .env("TOKENS_SECRET", login.secret.expose_secret())
            .env("TOKENS_LOG", folder.join(name));
        Leash::start(&command, &folder.join(format!("{name}.out")))
    };
    let mut processes = [start("one"), start("two")];
    for (process, name) in processes.iter_mut().zip(["one", "two"]) {
        let status = process.wait(TWO_ENDS * 3);
        let said = std::fs::read_to_string(folder.join(format!("{name}.out"))).unwrap_or_default();
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("1 passed"), "{said}");
    }
    let [one, two] = ["one", "two"].map(|name| seen(&folder.join(name)));
    assert!(one.len() >= 3 && two.len() >= 3, "two have ended: {} and {}", one.len(), two.len());
    assert!(one.intersection(&two).count() >= 2, "each process fetched its own");
}

fn seen(log: &Path) -> BTreeSet<String> {
    std::fs::read_to_string(log).unwrap().lines().map(ToOwned::to_owned).collect()
}

/// The archive of an image in pieces, the last of which come after two ends of a token.
fn slow(image: &Image) -> hythe_client::engine::Archive {
    let blobs: Vec<_> = image.blobs.iter().collect();
    let bytes = std::fs::read(layout_tar(&[("v1", &image.manifest)], &blobs)).unwrap();
    let count = 40;
    let pieces: Vec<bytes::Bytes> =
        bytes.chunks(bytes.len().div_ceil(count)).map(bytes::Bytes::copy_from_slice).collect();
    let pause = TWO_ENDS / u32::try_from(count).unwrap();
    stream::iter(pieces)
        .then(move |piece| async move {
            tokio::time::sleep(pause).await;
            Ok(piece)
        })
        .boxed()
}

#[test]
fn a_push_outlives_two_ends_of_its_token() {
    let server = server();
    let layers = vec![noise("slow base", 400_000), noise("slow top", 4_000_000)];
    let image = Image::of_layers(Family::Oci, Packing::Gzip, layers, "slow", "amd64");
    let login = login(&server);
    let credentials = Credentials::Password { user: login.username, secret: login.secret };
    let url = address(&server);
    let remote = Remote::new(outbound(), &url, &credentials).unwrap();
    let api = Api::new(outbound(), &url, &credentials).unwrap();
    let target = Target::new(remote, "lab/slow".parse().unwrap()).with_api(api);
    let tag = "v1".parse().unwrap();
    let begin = Instant::now();
    let options = PushOptions::default();
    let pushed =
        run(target.push_archive(slow(&image), None, Some(&tag), &options, &Reporter::silent())).unwrap();
    assert!(begin.elapsed() >= TWO_ENDS, "it was not slow");
    assert_eq!(pushed.digest.to_string(), image.manifest.digest());
    crate::clients::whole(&server.admin(), "lab/slow", "v1");
}
