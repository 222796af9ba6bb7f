//! The distribution project's registry, as Debian ships it and as it is today: other registries for clients to work
//! with.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::leash::Leash;
use crate::run_folder::{self, Source};
use crate::tools;

/// How long it may take to start.
const START_LIMIT: Duration = Duration::from_secs(30);

/// A running registry without users, on an empty folder.
#[derive(Debug)]
pub struct Distribution {
    address: SocketAddr,
    _process: Leash,
}

impl Distribution {
    /// Starts one; `None` (and the calling test on the list of what did not run) where it is not installed.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start() -> Option<Self> {
        let Some(program) = tools::find("docker-registry") else {
            let why = "docker-registry is not installed";
            run_folder::not_run(&tools::this_test(), Source::Debian, why);
            return None;
        };
        let mut command = Command::new(program);
        command.arg("serve");
        Some(Self::launch(command))
    }

    /// Starts its third version; `None` (and the calling test on the list of what did not run) where it is not built.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_third() -> Option<Self> {
        let program = tools::go_programs().join("registry");
        if !program.is_file() {
            let why = "distribution's registry is not built (tools/install-clients.sh builds it where Go is present)";
            run_folder::not_run(&tools::this_test(), Source::Go, why);
            return None;
        }
        let mut command = Command::new(program);
        // It would look for somebody to send traces to.
        command.arg("serve").env("OTEL_TRACES_EXPORTER", "none");
        Some(Self::launch(command))
    }

    fn launch(mut command: Command) -> Self {
        let folder = run_folder::fresh("distribution");
        // Asked for and given back: nobody else takes it so soon.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("there is a free port");
        let configuration = format!(
            "version: 0.1\nstorage:\n  delete:\n    enabled: true\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {address}\n",
            folder.join("data").display()
        );
        let file = folder.join("config.yml");
        fs::write(&file, configuration).expect("the run folder is writable");
        command.arg(file);
        let log = folder.join("log");
        let process = Leash::start(&command, &log);
        let begin = Instant::now();
        while TcpStream::connect(address).is_err() {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(begin.elapsed() < START_LIMIT, "docker-registry did not start:\n{}", said());
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { address, _process: process }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }
}
