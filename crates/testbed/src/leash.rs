//! A process that cannot outlive the test program.
//!
//! Invariant: when the test program ends, by any way including `kill -9`, the process is ended too. A small
//! shell holds it: the shell reads from a pipe of ours, and the pipe's end is the order to stop. This needs
//! no unsafe code and, unlike a destructor, also holds for values in statics.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::run_folder;

/// Starts `"$@"`, prints its pid, ends it (TERM, after 15 s KILL) when stdin closes, exits with its status.
const HOLDER: &str = r#"
exec 3<&0
"$@" </dev/null 3<&- >&2 &
child=$!
echo "$child"
exec >/dev/null 2>&1
(
    read -r _ <&3
    kill -TERM "$child"
    turns=0
    while kill -0 "$child" && [ "$turns" -lt 150 ]; do sleep 0.1; turns=$((turns + 1)); done
    kill -KILL "$child"
) 2>/dev/null &
watcher=$!
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

/// A running process and its holder; dropping it ends the process.
#[derive(Debug)]
pub struct Leash {
    holder: Child,
    pid: Pid,
}

impl Leash {
    /// Starts `command` (program, arguments, environment and folder are taken from it) with both its
    /// outputs appended to the file `log`.
    pub fn start(command: &Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("the log's folder exists");
        let mut holder = Command::new("/bin/sh");
        holder.arg("-c").arg(HOLDER).arg("leash").arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => holder.env(key, value),
                None => holder.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            holder.current_dir(folder);
        }
        let mut holder = holder
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("/bin/sh is on every machine");
        let mut line = String::new();
        let stdout = holder.stdout.take().expect("the output was piped a line above");
        BufReader::new(stdout).read_line(&mut line).expect("the holder prints the process id first");
        let pid = line.trim().parse().ok().and_then(Pid::from_raw).expect("the holder prints a process id");
        run_folder::note_process(pid.as_raw_nonzero().get());
        Self { holder, pid }
    }

    /// The id of the process itself, not of its holder.
    pub fn pid(&self) -> i32 {
        self.pid.as_raw_nonzero().get()
    }

    /// Its exit status as a shell tells it (128 + signal number for a killed one), `None` while it runs.
    pub fn status(&mut self) -> Option<i32> {
        let status = self.holder.try_wait().expect("the holder is our child")?;
        run_folder::forget_process(self.pid());
        Some(status.code().unwrap_or(-1))
    }

    /// Sends `signal` if the process still runs.
    pub fn signal(&mut self, signal: Signal) {
        if self.status().is_none() {
            // It may have ended since: then there is nothing to signal, and `status` tells the end.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits for the end, at most `limit`; `None` when it still runs.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.status() {
                return Some(status);
            }
            if begin.elapsed() > limit {
                return None;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        if self.wait(Duration::from_secs(15)).is_none() {
            self.signal(Signal::KILL);
            self.wait(Duration::from_secs(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_the_value_and_tells_the_status() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut command = Command::new("sleep");
        command.arg("60");
        let leash = Leash::start(&command, &log);
        let process = format!("/proc/{}", leash.pid());
        assert!(Path::new(&process).exists());
        drop(leash);
        assert!(!Path::new(&process).exists());

        let mut command = Command::new("sh");
        command.args(["-c", "echo told; exit 7"]);
        assert_eq!(Leash::start(&command, &log).wait(Duration::from_secs(10)), Some(7));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "told\n");
    }

    #[test]
    fn ends_when_only_the_pipe_closes() {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("sleep");
        command.arg("60");
        let mut leash = Leash::start(&command, &folder.path().join("log"));
        drop(leash.holder.stdin.take());
        assert_eq!(leash.wait(Duration::from_secs(10)), Some(143));
    }
}
