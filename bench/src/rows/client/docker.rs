//! `hythe push` beside `docker push`: an image of one layer from docker's own store.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Client;
use crate::command::{Ran, find, run, run_with};
use crate::http::{Connection, Take};
use crate::image::{Text, layer};
use crate::load::median;
use crate::process::Process;
use crate::registry::check_blob;
use crate::servers::{PASSWORD, Place, Server, basic};
use crate::table::{Line, Mark, Reach, show};

const HALF: usize = 128 << 20;

/// A docker engine of its own.
struct Engine {
    program: PathBuf,
    home: PathBuf,
    process: Process,
}

impl Engine {
    fn start(place: &Place) -> Option<Self> {
        let (program, daemon) = (find("docker")?, find("dockerd")?);
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let home = place.fresh("docker");
        let mut command = Command::new(daemon);
        command.args(["--iptables=false", "--ip-masq=false", "--bridge=none"]);
        for (option, name) in [("data-root", "data"), ("exec-root", "exec"), ("pidfile", "pid")] {
            command.arg(format!("--{option}={}", home.join(name).display()));
        }
        command.arg(format!("--host=unix://{}", home.join("sock").display()));
        let process = Process::start(command, &home.join("log"));
        let engine = Self { program, home, process };
        let begin = Instant::now();
        while !engine
            .docker(&["version"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|ended| ended.success())
        {
            assert!(begin.elapsed() < Duration::from_secs(60), "dockerd does not answer");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(engine)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.home.join("sock").display())
    }

    fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("DOCKER_HOST", self.host())
            .env("DOCKER_CONFIG", self.home.join("config"));
        command
    }

    /// Writes an image's archive to nowhere.
    fn save(&self, image: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" save \"$1\" >/dev/null"]).arg(&self.program).arg(image);
        command.env("DOCKER_HOST", self.host()).env("DOCKER_CONFIG", self.home.join("config"));
        command
    }

    /// Runs a command of docker's; the engine's CPU counts with it.
    fn measured(&self, mut command: Command) -> Ran {
        let before = self.process.cpu();
        let mut ran = run(&mut command, &self.home.join("command.log"));
        ran.cpu += self.process.cpu() - before;
        ran
    }
}

pub(crate) fn push(place: &Place, rounds: usize) {
    let Some(engine) = Engine::start(place) else {
        eprintln!(
            "no docker engine can be started here (it takes dockerd, docker and root): its lines are left out"
        );
        return;
    };
    let server = place.hythe(false);
    let registry = server.target.address;
    let (client, limited) = (Client::hythe(place), Client::hythe(place));
    let text = Text::gather(2 * HALF);
    let work = place.fresh("layers");
    login(&engine, registry);
    let [mut by_docker, mut by_hythe, mut through, mut docker_again, mut hythe_again, mut exports] =
        [const { Vec::new() }; 6];
    // One more than is measured: the first round warms both up.
    for round in 0..=rounds as u64 {
        let tar = layer(&work, round, HALF, &text);
        let name = format!("{registry}/lab/docker{round}:v1");
        run(
            &mut engine.docker(&["import", &tar.display().to_string(), &name]),
            &engine.home.join("import.log"),
        );
        std::fs::remove_file(tar).expect("the folder of the bench is writable");
        let by = |client: &Client, to: &str, options: &[&str]| {
            let mut command = client.command(registry);
            command.env("DOCKER_HOST", engine.host()).arg("push").args(options);
            command.args([format!("docker:{name}"), format!("lab/{to}{round}:v1")]);
            engine.measured(command)
        };
        let theirs = || engine.measured(engine.docker(&["push", &name]));
        let own = || by(&client, "hythe", &[]);
        // As somebody who may use the socket and not read docker's folder; what the other one remembers is not known here.
        let beside = || by(&limited, "through", &["--through-engine"]);
        // Whoever is later finds the layer's files in memory: they take turns.
        let (docker, hythe, exported);
        match round % 3 {
            0 => (docker, hythe, exported) = (theirs(), own(), beside()),
            1 => (hythe, exported, docker) = (own(), beside(), theirs()),
            _ => (exported, docker, hythe) = (beside(), theirs(), own()),
        }
        let again = (theirs(), own());
        // What the engine takes to write the archive that a client reads: it lays the layer down on its disk first.
        let export = engine.measured(engine.save(&name));
        for repository in ["lab/docker", "lab/hythe", "lab/through"] {
            checked(&server, &format!("{repository}{round}"));
        }
        if round > 0 {
            by_docker.push(docker);
            by_hythe.push(hythe);
            through.push(exported);
            docker_again.push(again.0);
            hythe_again.push(again.1);
            exports.push(export);
        }
    }
    let line = |work: &str, side: &str, rounds: &[Ran]| {
        let cpu = median(rounds.iter().map(|ran| ran.cpu).collect());
        Line {
            work: work.to_owned(),
            server: side.to_owned(),
            figures: rounds.iter().map(|ran| ran.wall).collect(),
            unit: "s",
            conditions: format!("signed in; layers' digests checked; {cpu:.2} s of CPU, client and engine"),
        }
    };
    let first = "push 256 MiB of one layer from docker";
    let lines = [
        line(first, "hythe push", &by_hythe),
        line(first, "docker push", &by_docker),
        line(first, "hythe push --through-engine", &through),
        line(first, "floor: the engine's export alone", &exports),
    ];
    let marks = [
        Mark { of: 0, against: 1, reach: Reach::AtMost(0.3) },
        Mark { of: 2, against: 1, reach: Reach::Told },
        Mark { of: 3, against: 1, reach: Reach::Told },
    ];
    show(&lines, &marks);
    let second = "the same again, unchanged";
    let lines = [line(second, "hythe push", &hythe_again), line(second, "docker push", &docker_again)];
    show(&lines, &[Mark { of: 0, against: 1, reach: Reach::Told }]);
    crate::table::show_limit(&lines[0], 0.1);
}

fn login(engine: &Engine, registry: std::net::SocketAddr) {
    let mut command =
        engine.docker(&["login", "--username", "admin", "--password-stdin", &registry.to_string()]);
    let (read, mut write) = std::io::pipe().expect("a pipe can be had");
    std::io::Write::write_all(&mut write, PASSWORD.as_bytes()).expect("a password fits into a pipe");
    drop(write);
    run_with(&mut command, &engine.home.join("login.log"), read.into(), |_| {});
}

/// Insists that an image is there and its layers are what they are called.
fn checked(server: &Server, repository: &str) {
    let mut connection = Connection::open(&server.target.with(basic())).expect("Hythe listens");
    let mut manifest = Vec::new();
    let accept = "Accept: application/vnd.oci.image.manifest.v1+json\r\nAccept: application/vnd.docker.distribution.manifest.v2+json\r\n";
    let path = format!("/v2/{repository}/manifests/v1");
    let answer = connection.ask("GET", &path, accept, &[], Take::Keep(&mut manifest)).expect("Hythe answers");
    assert_eq!(answer.status, 200, "what was pushed is there");
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).expect("a manifest is JSON");
    let layers = manifest["layers"].as_array().expect("an image has layers");
    for digest in layers.iter().map(|layer| layer["digest"].as_str().expect("a layer has a digest")) {
        check_blob(&mut connection, &format!("/v2/{repository}/blobs/{digest}"), digest)
            .expect("the layer is whole");
    }
}
