//! A private docker engine, one for the whole test program.
//!
//! Invariant: it shares no folder, socket, network rule or image with an engine of the machine, and it ends
//! with the test program.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::command::Tool;
use crate::leash::Leash;
use crate::run_folder::{self, Source};
use crate::tools;

/// How long the engine may take to start.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The running engine.
#[derive(Debug)]
pub struct Docker {
    folder: PathBuf,
    _process: Leash,
}

static SHARED: LazyLock<Result<Docker, String>> = LazyLock::new(Docker::start);

impl Docker {
    /// The engine of this test program; `None` (and the calling test on the list of what did not run) where
    /// there is no docker or nobody may start it.
    pub fn shared() -> Option<&'static Self> {
        match &*SHARED {
            Ok(docker) => Some(docker),
            Err(why) => {
                run_folder::not_run(&tools::this_test(), Source::Debian, why);
                None
            }
        }
    }

    fn start() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("a private docker engine needs root".to_owned());
        }
        let dockerd = tools::find("dockerd").ok_or("dockerd is not installed")?;
        tools::find("docker").ok_or("the docker client is not installed")?;
        let folder = run_folder::fresh("docker");
        let mut command = Command::new(dockerd);
        command
            .args(["--iptables=false", "--ip-masq=false", "--bridge=none"])
            .arg(format!("--data-root={}", folder.join("data").display()))
            .arg(format!("--exec-root={}", folder.join("exec").display()))
            .arg(format!("--pidfile={}", folder.join("pid").display()))
            .arg(format!("--host={}", host_of(&folder)));
        let log = folder.join("log");
        let mut process = Leash::start(&command, &log);
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        let begin = Instant::now();
        let client = Self::client(&folder);
        while !client.run(&["version"]).succeeded() {
            if process.status().is_some() {
                return Err(format!("dockerd ended at once:\n{}", said()));
            }
            if begin.elapsed() > START_LIMIT {
                return Err(format!("dockerd did not answer in time:\n{}", said()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Self { folder, _process: process })
    }

    fn client(folder: &Path) -> Tool {
        Tool::new("docker").env("DOCKER_HOST", host_of(folder))
    }

    /// The engine's address, as `DOCKER_HOST` names it.
    pub fn host(&self) -> String {
        host_of(&self.folder)
    }

    /// A client of this engine with a login store of its own.
    pub fn cli(&self) -> Tool {
        Self::client(&self.folder)
    }

    /// The folder in which the engine keeps its images.
    pub fn root(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The socket of the engine's containerd.
    pub fn containerd_socket(&self) -> PathBuf {
        self.folder.join("exec/containerd/containerd.sock")
    }
}

fn host_of(folder: &Path) -> String {
    format!("unix://{}", folder.join("sock").display())
}
