//! The built binary, started on a data folder of its own.
//!
//! Invariant: a started server is this test's alone unless it is shared on purpose, and only its own process
//! is ever signalled. A restart keeps folder, address and administrator.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::actor::Actor;
use crate::leash::{Leash, Signal};
use crate::run_folder;

/// How long the server may take until it listens; a debug build on a loaded machine included.
const START_LIMIT: Duration = Duration::from_secs(60);

/// How long a graceful stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);

const ADMIN_PASSWORD: &str = "correct-horse-battery";

/// How the server is started.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Further arguments of `hythe serve`.
    pub arguments: Vec<String>,
    /// Further environment variables.
    pub environment: Vec<(String, String)>,
    /// The data folder, when it must lie somewhere else (on a disk of its own, say).
    pub data: Option<PathBuf>,
    /// The command that starts it, where its own name and arguments are not enough: they are appended.
    pub through: Vec<String>,
}

/// Who may read a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Everybody who is signed in.
    Internal,
    /// Members.
    Private,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Pusher,
    /// Everything, deletion and members included.
    Owner,
}

/// A running, stopped or killed server.
#[derive(Debug)]
pub struct Hythe {
    folder: PathBuf,
    options: Options,
    addr: SocketAddr,
    process: Option<Leash>,
}

impl Hythe {
    /// Starts a server on a fresh data folder and a free port of 127.0.0.1.
    pub fn start(options: Options) -> Self {
        Self::try_start(options).unwrap_or_else(|told| panic!("{told}"))
    }

    /// As [`start`](Self::start), for a folder on which a server may not start.
    ///
    /// # Errors
    /// Its status and log, when it ended before it listened.
    pub fn try_start(options: Options) -> Result<Self, String> {
        let folder = run_folder::fresh("hythe");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut hythe = Self { folder, options, addr: any_port, process: None };
        hythe.launch()?;
        Ok(hythe)
    }

    /// The binary under test: `HYTHE_BINARY`, else the one built beside this test program.
    pub fn binary() -> PathBuf {
        if let Some(path) = std::env::var_os("HYTHE_BINARY") {
            return PathBuf::from(path);
        }
        let program = std::env::current_exe().expect("a running program has a path");
        let path =
            program.ancestors().nth(2).expect("test programs lie in target/PROFILE/deps").join("hythe");
        assert!(
            path.exists(),
            "{} is missing: build it with `cargo build --features failpoints`, or run ./test",
            path.display()
        );
        path
    }

    fn launch(&mut self) -> Result<(), String> {
        assert!(self.process.is_none(), "the server runs already");
        let port_file = self.folder.join("port");
        // Absent on the first start.
        let _ = fs::remove_file(&port_file);
        let mut words = self.options.through.iter().map(PathBuf::from).chain([Self::binary()]);
        let mut command = Command::new(words.next().expect("the binary itself is one"));
        command
            .args(words)
            .arg("serve")
            .arg("--data-dir")
            .arg(self.data_folder())
            .arg("--listen")
            .arg(self.addr.to_string())
            .arg("--port-file")
            .arg(&port_file)
            .args(&self.options.arguments)
            .env("HYTHE_ADMIN_PASSWORD", ADMIN_PASSWORD)
            .envs(self.options.environment.iter().map(|(key, value)| (key, value)));
        let mut process = Leash::start(&command, &self.log_file());
        let begin = Instant::now();
        let port = loop {
            if let Some(port) = fs::read_to_string(&port_file).ok().and_then(|text| text.trim().parse().ok())
            {
                break port;
            }
            if let Some(status) = process.status() {
                let log = self.log();
                return Err(format!("the server ended with status {status} before it listened:\n{log}"));
            }
            assert!(begin.elapsed() < START_LIMIT, "the server did not listen in time:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        };
        self.addr.set_port(port);
        self.process = Some(process);
        Ok(())
    }

    /// The address it listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `127.0.0.1:PORT`, the first part of an image name.
    pub fn host(&self) -> String {
        self.addr.to_string()
    }

    /// The name and the password of the administrator.
    pub fn admin_login(&self) -> (&'static str, &'static str) {
        ("admin", ADMIN_PASSWORD)
    }

    /// The administrator, signing in with each request.
    pub fn admin(&self) -> Actor {
        Actor::basic(self.addr, "admin", ADMIN_PASSWORD)
    }

    /// Somebody without credentials.
    pub fn anonymous(&self) -> Actor {
        Actor::anonymous(self.addr)
    }

    /// Where everything it keeps lies.
    pub fn data_folder(&self) -> PathBuf {
        self.options.data.clone().unwrap_or_else(|| self.folder.join("data"))
    }

    /// The id of the running process.
    pub fn pid(&self) -> i32 {
        self.process.as_ref().expect("the server runs").pid()
    }

    /// Whether it logs this, perhaps in a moment: lines leave in batches.
    pub fn logs(&self, text: &str) -> bool {
        let begin = Instant::now();
        while !self.log().contains(text) {
            if begin.elapsed() > START_LIMIT {
                return false;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }

    /// What has come of its log so far; all of it once it has ended.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    fn log_file(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Ends it at once, as a power cut ends a process.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("the server runs");
        process.signal(Signal::KILL);
        process.wait(STOP_LIMIT).expect("a killed process ends");
    }

    /// Asks it to stop and returns its exit status.
    pub fn stop(&mut self) -> i32 {
        let mut process = self.process.take().expect("the server runs");
        process.signal(Signal::TERM);
        process.wait(STOP_LIMIT).unwrap_or_else(|| panic!("the server did not stop in time:\n{}", self.log()))
    }

    /// Waits until it ends by itself (a crash point, say) and returns its exit status.
    pub fn wait_for_end(&mut self) -> i32 {
        let mut process = self.process.take().expect("the server runs");
        process.wait(STOP_LIMIT).unwrap_or_else(|| panic!("the server goes on:\n{}", self.log()))
    }

    /// Starts it again on the same folder and address after [`kill`](Self::kill) or [`stop`](Self::stop).
    pub fn restart(&mut self) {
        self.launch().unwrap_or_else(|told| panic!("{told}"));
    }

    /// As [`restart`](Self::restart), with other options.
    pub fn restart_with(&mut self, options: Options) {
        self.options = options;
        self.restart();
    }

    /// Creates a project.
    #[track_caller]
    pub fn create_project(&self, name: &str, visibility: Visibility) {
        let visibility = match visibility {
            Visibility::Public => "public",
            Visibility::Internal => "internal",
            Visibility::Private => "private",
        };
        let body = json!({"name": name, "visibility": visibility});
        self.admin().post_json("/api/v1/projects", &body).is(201);
    }

    /// Creates a user and returns who signs in as it.
    #[track_caller]
    pub fn create_user(&self, name: &str, password: &str) -> Actor {
        self.admin().post_json("/api/v1/users", &json!({"name": name, "password": password})).is(201);
        Actor::basic(self.addr, name, password)
    }

    /// Makes `user` a member of `project`.
    #[track_caller]
    pub fn add_member(&self, project: &str, user: &str, role: Role) {
        let role: Value = match role {
            Role::Reader => "reader",
            Role::Pusher => "pusher",
            Role::Owner => "owner",
        }
        .into();
        self.admin()
            .ask("PUT", &format!("/api/v1/projects/{project}/members/{user}"))
            .header("Content-Type", "application/json")
            .body(crate::http::Body::Whole(json!({"role": role}).to_string().into_bytes()))
            .send()
            .one_of(&[200, 201, 204]);
    }

    /// The folder that holds data, log and port file.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
