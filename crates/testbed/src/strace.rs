//! Faults of the system below a running server: its system calls fail as told, by Debian's strace.
//!
//! Invariant: while a [`Faults`] lives, each thread of the server is under it; when it is dropped, no call fails
//! any more. Do not let plain `write` fail: the runtime wakes itself by it, which no disk can break.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::hythe::Hythe;
use crate::leash::Leash;
use crate::run_folder::{self, Source};
use crate::tools::{find, this_test};

/// How long strace may take to take hold of the server, or to let go of it.
const LIMIT: Duration = Duration::from_secs(30);

/// Calls that fail, for as long as this lives.
#[derive(Debug)]
pub struct Faults {
    strace: Option<Leash>,
    tasks: PathBuf,
    log: PathBuf,
}

impl Faults {
    /// Whether strace is here; else the calling test goes on the list of what was not run.
    pub fn available() -> bool {
        let found = find("strace").is_some();
        if !found {
            run_folder::not_run(&this_test(), Source::Debian, "strace is not installed");
        }
        found
    }

    /// Makes the server's calls fail as `expressions` say, each in strace's own words
    /// (`fdatasync:error=EIO:when=1`); with `only`, just the calls on these files.
    pub fn begin(server: &Hythe, expressions: &[&str], only: &[&Path]) -> Self {
        let folder = run_folder::fresh("strace");
        let log = folder.join("calls");
        let mut command = Command::new("strace");
        command.args(["-f", "-q", "-p", &server.pid().to_string(), "-o"]).arg(&log);
        for path in only {
            command.arg("-P").arg(path);
        }
        // Without a list of its own, strace would stop the server at every call.
        let calls: Vec<&str> = expressions.iter().filter_map(|told| told.split(':').next()).collect();
        command.arg("-e").arg(format!("trace={}", calls.join(",")));
        for expression in expressions {
            command.arg("-e").arg(format!("inject={expression}"));
        }
        let strace = Leash::start(&command, &folder.join("strace"));
        let mut faults =
            Self { strace: Some(strace), tasks: format!("/proc/{}/task", server.pid()).into(), log };
        let begin = Instant::now();
        while !faults.everywhere(true) {
            let ended = faults.strace.as_mut().and_then(Leash::status);
            let said = || fs::read_to_string(folder.join("strace")).unwrap_or_default();
            assert!(ended.is_none() && begin.elapsed() < LIMIT, "strace has not taken hold: {}", said());
            std::thread::sleep(Duration::from_millis(2));
        }
        faults
    }

    /// How many calls have failed so far; strace marks them.
    pub fn injected(&self) -> usize {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        log.lines().filter(|line| line.contains("(INJECTED)")).count()
    }

    /// Ends the faults and says how many there were.
    pub fn end(mut self) -> usize {
        self.let_go();
        self.injected()
    }

    /// Whether all threads are traced, or none is. Threads come and go: a thread that is gone counts as both.
    fn everywhere(&self, traced: bool) -> bool {
        let Ok(tasks) = fs::read_dir(&self.tasks) else { return true };
        tasks.flatten().all(|task| {
            let Ok(status) = fs::read_to_string(task.path().join("status")) else { return true };
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"));
            tracer.is_none_or(|tracer| (tracer.trim() != "0") == traced)
        })
    }

    fn let_go(&mut self) {
        // strace lets go of the server when it is told to end.
        self.strace = None;
        let begin = Instant::now();
        while !self.everywhere(false) && begin.elapsed() < LIMIT {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.let_go();
    }
}
