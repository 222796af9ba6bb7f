//! `hythe doctor` against what really goes wrong: each check's verdict, and that it names the fix.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Docker, Hythe, Nginx, Options, Outcome, Tool, Visibility};
use serde_json::Value;

use crate::{admin_of, exits, hythe, text};

/// What was told of one check.
#[derive(Debug)]
struct Told {
    verdict: String,
    message: String,
    fix: String,
}

#[track_caller]
fn checks_of(told: &Value) -> &[Value] {
    told["checks"].as_array().expect("the checks are a list")
}

/// Runs the doctor for programs. Its exit code must be that of its verdicts.
#[track_caller]
fn examined(tool: &Tool, arguments: &[&str]) -> Value {
    let outcome = tool.run(&[&["doctor", "--output", "json"], arguments].concat());
    let told = crate::json(&outcome);
    let checks = checks_of(&told);
    let failed = checks.iter().filter(|check| check["verdict"] == "failed").count();
    assert_eq!(told["healthy"], failed == 0, "{outcome}");
    exits(outcome, i32::from(failed > 0));
    let names: Vec<_> =
        checks.iter().map(|check| check["check"].as_str().expect("a check has a name")).collect();
    let mut every = names.clone();
    every.dedup();
    assert_eq!((every.len(), names.len()), (16, 16), "each check is told once: {names:?}");
    told
}

#[track_caller]
fn of(told: &Value, check: &str) -> Told {
    let found = checks_of(told).iter().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing is told of {check}: {told}"));
    let word = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    Told { verdict: word("verdict"), message: word("message"), fix: word("fix") }
}

/// Insists on a verdict, on words of the message and on words of the fix.
#[track_caller]
fn is(told: &Value, check: &str, verdict: &str, message: &str, fix: &str) {
    let found = of(told, check);
    assert_eq!(found.verdict, verdict, "{check}: {found:?}");
    assert!(found.message.contains(message), "{check} should say {message:?}: {found:?}");
    assert!(found.fix.contains(fix), "{check} should advise {fix:?}: {found:?}");
}

#[track_caller]
fn not_checked(told: &Value, checks: &[&str]) {
    for check in checks {
        is(told, check, "not_checked", "", "");
    }
}

/// Where the engines are for a test that is not about them.
fn without_engines(tool: Tool) -> Tool {
    tool.env("DOCKER_HOST", "tcp://127.0.0.1:1").env("CONTAINER_HOST", "ssh://nowhere")
}

#[test]
fn a_healthy_server_and_its_login() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    let told = examined(&admin, &[]);
    for check in
        ["proxy", "name", "connection", "registry", "hythe", "clock", "login", "cache", "configuration"]
    {
        is(&told, check, "ok", "", "");
    }
    is(&told, "hythe", "ok", concat!("Hythe ", env!("CARGO_PKG_VERSION"), " is ready"), "");
    is(&told, "login", "ok", "admin, an administrator, by a password", "");
    is(&told, "tls", "not_checked", "on this machine", "");
    is(&told, "upload_size", "not_checked", "No project", "--project");
    is(&told, "docker_login", "not_checked", "keep no login", "hythe login --docker");

    // A login that is kept renews itself, and its end is known.
    let (name, password) = server.admin_login();
    let url = format!("http://{}", server.host());
    let person = without_engines(hythe());
    person.run_with(&["login", "--server", &url, "--username", name, "--password-stdin"], password).ok();
    is(&examined(&person, &[]), "login", "ok", "renew themselves until the login ends on 2", "");

    // For people: every line within eighty columns, in the order of the document.
    let shown = person.run(&["doctor"]);
    for line in shown.stdout.lines() {
        // A path that is longer stays whole, so that it can be copied.
        let one_word = line.chars().skip(26).all(|c| c != ' ');
        assert!(line.chars().count() <= 80 || one_word, "{line}");
    }
    assert!(shown.stdout.starts_with("ok          proxy "), "{shown}");
}

#[test]
fn without_a_server_the_machine_is_looked_at() {
    let told = examined(&without_engines(hythe()), &[]);
    is(&told, "name", "not_checked", "No server is named", "HYTHE_SERVER");
    is(&told, "cache", "ok", "GiB left", "");
    // People are told once what holds for ten checks.
    let shown = hythe().run(&["doctor"]);
    assert_eq!(shown.stdout.matches("No server is named").count(), 1, "{shown}");
    is(&told, "docker", "warning", "DOCKER_HOST (tcp://…)", "unix:///PATH");
    is(&told, "podman", "warning", "CONTAINER_HOST (ssh://…)", "archive");
}

#[test]
fn a_name_without_an_address_and_a_port_without_a_listener() {
    let told = examined(&hythe(), &["--server", "https://no-such-host.invalid"]);
    is(&told, "name", "failed", "There is no address for no-such-host.invalid", "/etc/resolv.conf");
    not_checked(&told, &["connection", "tls", "registry", "hythe", "clock", "login", "upload_size"]);

    let told = examined(&hythe(), &["--server", "https://127.0.0.1:1"]);
    is(&told, "name", "ok", "is an address", "");
    is(&told, "connection", "failed", "nobody listens there", "check that the server runs");
    not_checked(&told, &["tls", "registry", "login"]);
}

#[test]
fn the_way_leads_through_a_proxy() {
    let tool = hythe().env("HTTPS_PROXY", "http://user:secret@127.0.0.1:1").env("NO_PROXY", "direct.invalid");
    let told = examined(&tool, &["--server", "https://registry.invalid"]);
    is(&told, "proxy", "ok", "through the proxy 127.0.0.1:1", "");
    is(&told, "connection", "failed", "the proxy 127.0.0.1:1 takes no connection", "");
    assert!(!told.to_string().contains("secret"), "{told}");
    let told = examined(&tool, &["--server", "https://direct.invalid"]);
    is(&told, "proxy", "ok", "reached directly", "");
    is(&told, "name", "failed", "direct.invalid", "");
}

/// An authority's certificate, and a server's with its key, signed by it.
struct Certificates {
    authority: PathBuf,
    own: PathBuf,
    key: PathBuf,
}

impl Certificates {
    fn issue(names: &[&str], from: i32, until: i32) -> Self {
        let folder = run_folder::fresh("certificates");
        let authority_key = rcgen::KeyPair::generate().expect("certificates can be made");
        let mut authority = rcgen::CertificateParams::new(Vec::new()).expect("certificates can be made");
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        authority.distinguished_name = rcgen::DistinguishedName::new();
        authority.distinguished_name.push(rcgen::DnType::CommonName, "The Campus Authority");
        let signed = authority.self_signed(&authority_key).expect("certificates can be made");
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().expect("certificates can be made");
        let mut own =
            rcgen::CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
                .expect("certificates can be made");
        own.not_before = rcgen::date_time_ymd(from, 1, 1);
        own.not_after = rcgen::date_time_ymd(until, 2, 3);
        let own = own.signed_by(&key, &issuer).expect("certificates can be made");
        let file = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).expect("certificates can be made");
            path
        };
        Self {
            authority: file("authority.pem", signed.pem()),
            own: file("own.pem", own.pem()),
            key: file("key.pem", key.serialize_pem()),
        }
    }

    fn server(&self) -> Hythe {
        let arguments = ["--tls-cert", text(&self.own), "--tls-key", text(&self.key)];
        Hythe::start(Options { arguments: arguments.map(str::to_owned).to_vec(), ..Options::default() })
    }
}

fn tls_of(server: &Hythe, ca: Option<&Path>) -> Value {
    let url = format!("https://{}", server.host());
    let mut arguments = vec!["--server", &url];
    if let Some(ca) = ca {
        arguments.extend(["--ca", text(ca)]);
    }
    examined(&hythe(), &arguments)
}

#[test]
fn an_authority_that_is_missing_here_is_named() {
    let certificates = Certificates::issue(&["127.0.0.1"], 2020, 4000);
    let server = certificates.server();
    let told = tls_of(&server, None);
    is(&told, "tls", "failed", "signed by CN=The Campus Authority, which is not trusted", "--ca FILE");
    not_checked(&told, &["registry", "hythe", "clock", "login"]);
    let told = tls_of(&server, Some(&certificates.authority));
    is(&told, "tls", "ok", "trusted, signed by CN=The Campus Authority, and ends in", "");
    is(&told, "hythe", "ok", "is ready", "");
}

#[test]
fn a_certificate_whose_time_is_over_or_that_is_for_another_name() {
    let old = Certificates::issue(&["127.0.0.1"], 2020, 2021);
    is(&tls_of(&old.server(), Some(&old.authority)), "tls", "failed", "ended on 2021-02-03", "renewed");
    let early = Certificates::issue(&["127.0.0.1"], 3000, 4000);
    is(
        &tls_of(&early.server(), Some(&early.authority)),
        "tls",
        "failed",
        "only from 3000-01-01 on",
        "timedatectl",
    );
    let other = Certificates::issue(&["registry.example", "10.0.0.7"], 2020, 4000);
    let told = tls_of(&other.server(), Some(&other.authority));
    is(
        &told,
        "tls",
        "failed",
        "is for registry.example, 10.0.0.7, not for this name",
        "use one of those names",
    );
}

#[test]
fn a_port_of_plain_http_is_no_port_of_tls() {
    let server = Hythe::start(Options::default());
    let told = examined(&hythe(), &["--server", &format!("https://{}", server.host())]);
    is(&told, "tls", "failed", "No certificate was shown", "write http://");
}

#[test]
fn a_web_page_is_no_registry() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked);
            let page = "<html>Welcome</html>";
            let answer = format!(
                "HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let told = examined(&hythe(), &["--server", &format!("http://{address}")]);
    is(&told, "registry", "failed", "nothing at /v2/", "the address of a registry");
    is(&told, "clock", "not_checked", "does not tell its time", "");
    not_checked(&told, &["hythe", "login"]);
}

/// Where Debian puts the library that tells programs another time.
const LIBRARIES: [&str; 2] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
];

#[test]
fn clocks_that_differ_are_told() {
    let Some(library) = LIBRARIES.iter().find(|path| Path::new(path).exists()) else {
        return run_folder::not_run(
            "doctor::clocks_that_differ_are_told",
            Source::Debian,
            "faketime is not installed",
        );
    };
    let variables = [("LD_PRELOAD", *library), ("FAKETIME", "+2h"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
    let environment = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let server = Hythe::start(Options { environment, ..Options::default() });
    let told = examined(&hythe(), &["--server", &format!("http://{}", server.host())]);
    let clock = of(&told, "clock");
    assert_eq!(clock.verdict, "warning", "{clock:?}");
    assert!(clock.message.contains("behind the server's") && clock.fix.contains("timedatectl"), "{clock:?}");
}

#[test]
fn a_proxys_limit_is_found_and_nothing_is_left_behind() {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Private);
    let Some(nginx) = Nginx::before(server.addr(), "client_max_body_size 4m;") else { return };
    let admin = admin_of(&server);
    let told = examined(&admin, &["--server", &format!("http://{}", nginx.host()), "--project", "lab"]);
    is(
        &told,
        "upload_size",
        "failed",
        "16 MiB is refused as too large (413), while one of 1 MiB got through",
        "client_max_body_size 0",
    );
    let told = examined(&admin, &["--project", "lab"]);
    is(&told, "upload_size", "ok", "128 MiB get through", "");
    let told = examined(&admin, &["--project", "no-such-project"]);
    is(&told, "upload_size", "failed", "No upload could be begun", "may push to no-such-project");
    assert_eq!(
        crate::json(&admin.run(&["upload", "list", "lab", "--output", "json"]).ok()),
        serde_json::json!([])
    );
    assert_eq!(
        crate::json(&admin.run(&["repository", "list", "lab", "--output", "json"]).ok()),
        serde_json::json!([])
    );
}

#[test]
fn a_login_that_is_refused() {
    let server = Hythe::start(Options::default());
    let url = format!("http://{}", server.host());
    let wrong = admin_of(&server).env("HYTHE_PASSWORD", "not the password");
    is(&examined(&wrong, &[]), "login", "failed", "The login of admin is refused", "hythe login --server");
    // A name without a password.
    let none = hythe().env("HYTHE_USERNAME", "ada");
    is(
        &examined(&none, &["--server", &url]),
        "login",
        "failed",
        "There is no password for ada",
        "HYTHE_PASSWORD",
    );
    let nobody = examined(&hythe(), &["--server", &url]);
    is(&nobody, "login", "not_checked", "No login is kept", "hythe login --server");
}

#[test]
fn logins_of_docker_are_tried_and_its_helper_too() {
    let server = Hythe::start(Options::default());
    let tool = hythe();
    let url = format!("http://{}", server.host());
    let folder = tool.home().join(".docker");
    fs::create_dir(&folder).unwrap();
    let keep = |config: Value| fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let auth = |word: &str| base64(&format!("admin:{word}"));
    let look = || examined(&tool, &["--server", &url]);

    keep(serde_json::json!({"auths": {server.host(): {"auth": auth("wrong")}}}));
    is(&look(), "docker_login", "failed", "is refused", "hythe login --docker");
    keep(serde_json::json!({"auths": {server.host(): {"auth": auth(server.admin_login().1)}}}));
    is(&look(), "docker_login", "ok", "is accepted", "");
    keep(serde_json::json!({"credHelpers": {server.host(): "nowhere-to-be-found"}}));
    is(&look(), "docker_login", "failed", "no program docker-credential-nowhere-to-be-found", "helper right");
}

/// RFC 4648, for one short text.
fn base64(text: &str) -> String {
    let tool = Tool::new("base64").run_with(&["--wrap=0"], text).ok();
    tool.stdout.trim().to_owned()
}

#[test]
fn folders_that_cannot_be_used_or_are_open_to_others() {
    let tool = hythe().env("XDG_CONFIG_HOME", "/proc/nothing").env("XDG_CACHE_HOME", "/proc/nothing");
    let told = examined(&tool, &[]);
    is(&told, "configuration", "failed", "no login can be kept", "XDG_CONFIG_HOME");
    is(&told, "cache", "warning", "cannot be written", "XDG_CACHE_HOME");

    let tool = hythe();
    let folder = tool.home().join(".config/hythe");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("credentials.json");
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    is(&examined(&tool, &[]), "configuration", "warning", "Others on this machine", "chmod 600");
    fs::write(&file, "no JSON").unwrap();
    is(&examined(&tool, &[]), "configuration", "failed", "cannot be read", "hythe login");

    let tool = hythe();
    is(&examined(&tool, &[]), "profiles", "ok", "No profile", "");
    tool.run(&["profile", "set", "campus", "--server", "127.0.0.1:1"]).ok();
    is(&examined(&tool, &[]), "profiles", "ok", "`campus` names the server http://127.0.0.1:1/", "");
    fs::write(tool.home().join(".config/hythe/profiles.toml"), "[profile.campus]\n").unwrap();
    is(&examined(&tool, &[]), "profiles", "failed", "profiles", "correct it");
}

#[test]
fn engines_that_answer_that_left_and_that_are_not_for_us() {
    let tool = hythe();
    let socket = tool.home().join("left.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let left = tool.clone().env("DOCKER_HOST", format!("unix://{}", socket.display()));
    is(&examined(&left, &[]), "docker", "failed", "left its socket", "systemctl start docker");
    let missing = tool.clone().env("DOCKER_HOST", format!("unix://{}/none.sock", tool.home().display()));
    is(&examined(&missing, &[]), "docker", "failed", "cannot be used", "systemctl start docker");

    if let Some(docker) = Docker::shared() {
        let tool =
            tool.env("DOCKER_HOST", docker.host()).env("CONTAINERD_ADDRESS", docker.containerd_socket());
        let told = examined(&tool, &[]);
        let of_docker = of(&told, "docker");
        assert_eq!(of_docker.verdict, "ok", "{of_docker:?}");
        let version = docker.cli().run(&["version", "--format", "{{.Server.Version}}"]).ok().stdout;
        assert!(of_docker.message.contains(&format!("docker {} answers", version.trim())), "{of_docker:?}");
        is(&told, "containerd", "ok", "containerd ", "");
    }
}

#[test]
fn a_socket_that_is_not_for_this_person() {
    let name = "doctor::a_socket_that_is_not_for_this_person";
    if Tool::new("id").run(&["-u"]).ok().stdout.trim() != "0" {
        return run_folder::not_run(name, Source::Machine, "only root can run a program as somebody else");
    }
    // The program and its folders, where nobody in particular can reach them.
    let folder = run_folder::fresh("nobody");
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    let program = folder.join("hythe");
    if fs::hard_link(env!("CARGO_BIN_EXE_hythe"), &program).is_err() {
        fs::copy(env!("CARGO_BIN_EXE_hythe"), &program).unwrap();
    }
    open(&folder);
    let socket = folder.join("docker.sock");
    let _listener = UnixListener::bind(&socket).unwrap();
    fs::set_permissions(&socket, fs::Permissions::from_mode(0o600)).unwrap();
    let tool =
        Tool::new("setpriv").env("DOCKER_HOST", format!("unix://{}", socket.display())).env("HOME", &folder);
    let arguments =
        ["--reuid=65534", "--regid=65534", "--clear-groups", text(&program), "doctor", "--output", "json"];
    let outcome: Outcome = tool.run(&arguments);
    let told = crate::json(&exits(outcome, 1));
    is(&told, "docker", "failed", "permission denied", "usermod --append --groups docker");
}
