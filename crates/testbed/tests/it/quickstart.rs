//! The README's first command: it pushes and pulls, keeps serving, and what it tells the newcomer to type
//! works as printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use hythe_testbed::{Actor, Docker, Hythe, Leash, Signal, Tool, run_folder, tools};

use crate::clients::whole;

/// A running quickstart and what it has said.
struct Quickstart {
    process: Leash,
    said: String,
}

impl Quickstart {
    fn start(data: &Path) -> Self {
        let log = run_folder::fresh("quickstart-log").join("log");
        // With what a modest machine lets a process open.
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -n 4096; exec "$0" "$@""#]).arg(Hythe::binary());
        command.arg("quickstart").arg("--data-dir").arg(data).args(["--listen", "127.0.0.1:0"]);
        let mut process = Leash::start(&command, &log);
        let begin = Instant::now();
        loop {
            let said = std::fs::read_to_string(&log).unwrap();
            if said.contains("With curl:") && said.contains("Serving until") && said.ends_with('\n') {
                return Self { process, said };
            }
            assert_eq!(process.status(), None, "it ended: {said}");
            assert!(begin.elapsed() < Duration::from_secs(60), "it did not come up: {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn host(&self) -> String {
        let (_, rest) = self.said.split_once("The registry is at http://").expect("it tells its address");
        rest.split_whitespace().next().unwrap().to_owned()
    }

    /// The lines printed below `With {client}:`.
    fn commands(&self, client: &str) -> Vec<String> {
        let (_, rest) = self.said.split_once(&format!("With {client}:\n")).expect("it speaks of the client");
        rest.lines().take_while(|line| line.starts_with("  ")).map(|line| line.trim().to_owned()).collect()
    }

    fn stop(mut self) {
        self.process.signal(Signal::TERM);
        assert_eq!(self.process.wait(Duration::from_secs(30)), Some(0), "{}", self.said);
    }
}

fn data_folder() -> PathBuf {
    run_folder::fresh("quickstart").join("data")
}

#[test]
fn pushes_pulls_serves_and_starts_again() {
    let data = data_folder();
    for turn in ["pushed", "exists already"] {
        let quickstart = Quickstart::start(&data);
        // No warning is the first thing that a newcomer reads.
        assert!(quickstart.said.starts_with("Registry at http://"), "{}", quickstart.said);
        assert!(
            quickstart.said.contains("digest checked") && quickstart.said.contains(turn),
            "{}",
            quickstart.said
        );
        let addr = quickstart.host().parse().unwrap();
        // The image is public: an anonymous token is all it takes.
        let anonymous = Actor::anonymous(addr);
        let token = anonymous.get("/token?scope=repository:demo/hello:pull").is(200).json();
        let anybody = Actor::bearer(addr, token["token"].as_str().unwrap());
        let manifest = whole(&anybody, "demo/hello", "latest");
        assert!(!manifest["layers"].as_array().unwrap().is_empty());
        quickstart.stop();
    }
    let password = data.join("admin-password");
    let mode = std::os::unix::fs::PermissionsExt::mode(&password.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

/// Runs every line printed for a client in a shell of that client's environment.
fn try_commands(client: &str, environment: impl FnOnce(Tool) -> Tool) {
    let quickstart = Quickstart::start(&data_folder());
    let shell = environment(Tool::new("sh"));
    let commands = quickstart.commands(client);
    assert!(!commands.is_empty());
    for command in commands {
        shell.run(&["-ec", &command]).ok();
    }
    quickstart.stop();
}

#[test]
fn docker_commands_work_as_printed() {
    let Some(docker) = Docker::shared() else { return };
    try_commands("docker", |shell| shell.env("DOCKER_HOST", docker.host()));
}

#[test]
fn podman_commands_work_as_printed() {
    if tools::podman().is_none() {
        return;
    }
    try_commands("podman", |shell| {
        let home = shell.home().to_owned();
        let storage = home.join("storage.conf");
        let (images, state) = (home.join("images"), home.join("state"));
        let settings = format!("[storage]\ndriver = \"vfs\"\ngraphroot = {images:?}\nrunroot = {state:?}\n");
        std::fs::write(&storage, settings).unwrap();
        // podman wants the file to exist, while its own default lies outside the home.
        std::fs::write(home.join("auth.json"), "{}").unwrap();
        shell.env("CONTAINERS_STORAGE_CONF", storage).env("REGISTRY_AUTH_FILE", home.join("auth.json"))
    });
}

#[test]
fn skopeo_commands_work_as_printed() {
    if tools::skopeo().is_none() {
        return;
    }
    try_commands("skopeo", |shell| {
        let auth = shell.home().join("auth.json");
        shell.env("REGISTRY_AUTH_FILE", auth)
    });
}

#[test]
fn curl_commands_work_as_printed() {
    if tools::curl().is_none() {
        return;
    }
    try_commands("curl", |shell| shell);
}
