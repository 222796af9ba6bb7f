//! What moves images for people: `hythe push` and `pull` beside docker, skopeo, crane and regctl, each a program that is
//! started, measured and ended. The registry is Hythe for all of them.

pub(crate) mod docker;
pub(crate) mod layout;
pub(crate) mod memory;
pub(crate) mod relay;
pub(crate) mod resume;
pub(crate) mod tags;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::command::{Ran, find};
use crate::load::median;
use crate::servers::{PASSWORD, Place, hythe};
use crate::table::Line;

/// A client, with a home of its own in which it is logged in.
pub(crate) struct Client {
    pub(crate) kind: Kind,
    program: PathBuf,
    home: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Hythe,
    Skopeo,
    Crane,
    Regctl,
}

impl Client {
    /// Hythe first, then whichever of the others are there.
    pub(crate) fn all(place: &Place) -> Vec<Self> {
        let others = [Kind::Skopeo, Kind::Crane, Kind::Regctl];
        let others = others.into_iter().filter_map(|kind| {
            let program = find(kind.name());
            if program.is_none() {
                eprintln!("{} is not here: its lines are left out", kind.name());
            }
            Some(Self { kind, program: program?, home: place.fresh("home") })
        });
        let own = Self { kind: Kind::Hythe, program: program(), home: place.fresh("home") };
        std::iter::once(own).chain(others).collect()
    }

    pub(crate) fn hythe(place: &Place) -> Self {
        Self { kind: Kind::Hythe, program: program(), home: place.fresh("home") }
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.home.join("log")
    }

    /// From a layout to the registry.
    pub(crate) fn push(&self, layout: &Path, registry: SocketAddr, image: &str) -> Command {
        let mut command = self.command(registry);
        let local = layout.display();
        match self.kind {
            Kind::Hythe => command.args(["push", &format!("oci:{local}:v1"), image]),
            Kind::Skopeo => command
                .args(["copy", "--dest-tls-verify=false", &format!("oci:{local}:v1")])
                .arg(format!("docker://{registry}/{image}")),
            Kind::Crane => {
                command.args(["push", "--insecure"]).arg(layout).arg(format!("{registry}/{image}"))
            }
            Kind::Regctl => command.args([
                "image",
                "copy",
                &format!("ocidir://{local}:v1"),
                &format!("{registry}/{image}"),
            ]),
        };
        command
    }

    /// From the registry to a layout.
    pub(crate) fn pull(&self, layout: &Path, registry: SocketAddr, image: &str) -> Command {
        let mut command = self.command(registry);
        let local = layout.display();
        match self.kind {
            Kind::Hythe => command.args(["pull", image, &format!("oci:{local}:v1")]),
            Kind::Skopeo => command
                .args(["copy", "--src-tls-verify=false", &format!("docker://{registry}/{image}")])
                .arg(format!("oci:{local}:v1")),
            Kind::Crane => command
                .args(["pull", "--insecure", "--format=oci", &format!("{registry}/{image}")])
                .arg(layout),
            Kind::Regctl => command.args([
                "image",
                "copy",
                &format!("{registry}/{image}"),
                &format!("ocidir://{local}:v1"),
            ]),
        };
        command
    }

    /// The program, knowing nothing but the registry and how to log in there.
    pub(crate) fn command(&self, registry: SocketAddr) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.home).env_remove("XDG_RUNTIME_DIR").current_dir(&self.home);
        for (variable, folder) in
            [("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache"), ("XDG_DATA_HOME", "data")]
        {
            command.env(variable, self.home.join(folder));
        }
        let write = |path: &str, content: String| {
            let path = self.home.join(path);
            std::fs::create_dir_all(path.parent().expect("a file lies in a folder"))
                .and_then(|()| std::fs::write(path, content))
                .expect("the folder of the bench is writable");
        };
        let login = BASE64.encode(format!("admin:{PASSWORD}"));
        match self.kind {
            Kind::Hythe => {
                command.env("HYTHE_SERVER", format!("http://{registry}"));
                command.env("HYTHE_USERNAME", "admin").env("HYTHE_PASSWORD", PASSWORD);
            }
            Kind::Skopeo | Kind::Crane => {
                write("docker/config.json", format!(r#"{{"auths":{{"{registry}":{{"auth":"{login}"}}}}}}"#));
                command.env("DOCKER_CONFIG", self.home.join("docker"));
                command.env("REGISTRY_AUTH_FILE", self.home.join("docker/config.json"));
            }
            Kind::Regctl => {
                let host = format!(
                    r#"{{"hosts":{{"{registry}":{{"tls":"disabled","user":"admin","pass":"{PASSWORD}"}}}}}}"#
                );
                write("regctl.json", host);
                command.env("REGCTL_CONFIG", self.home.join("regctl.json"));
            }
        }
        command
    }
}

/// The measured program; clients run in folders of their own.
fn program() -> PathBuf {
    std::fs::canonicalize(hythe().get_program()).expect("the measured program is there")
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hythe => "hythe",
            Self::Skopeo => "skopeo",
            Self::Crane => "crane",
            Self::Regctl => "regctl",
        }
    }
}

/// The lines of a work: the time on the wall, and the client's CPU.
pub(crate) fn lines(work: &str, server: &str, rounds: &[Ran], bytes: u64, conditions: &str) -> [Line; 2] {
    #[expect(clippy::cast_precision_loss, reason = "an image has less than 2^53 bytes")]
    let gib = bytes as f64 / f64::from(1_u32 << 30);
    let peak = median(rounds.iter().map(|ran| ran.peak).collect());
    let line = |figures: Vec<f64>, what: &str, unit| Line {
        work: format!("{work}, {what}"),
        server: server.to_owned(),
        figures,
        unit,
        conditions: format!("{} MiB; peak {peak:.0} MiB; {conditions}", bytes >> 20),
    };
    [
        line(rounds.iter().map(|ran| ran.wall).collect(), "time", "s"),
        line(rounds.iter().map(|ran| ran.cpu / gib).collect(), "client's CPU", "CPU-s/GiB"),
    ]
}

/// Of several lines the one with the smallest figure, but for the first.
pub(crate) fn best(lines: &[Line], of: impl Iterator<Item = usize>) -> Option<usize> {
    of.min_by(|left, right| lines[*left].figure().total_cmp(&lines[*right].figure()))
}
