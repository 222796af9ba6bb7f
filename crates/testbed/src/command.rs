//! Runs a program with bounded time and keeps what it said.
//!
//! Invariant: no client can hang a test run; at its limit the whole process group is ended and the outcome
//! says so. A tool runs with a home of its own, so that no credentials leak in or out.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::run_folder;

/// How long a client may take for one command.
const LIMIT: Duration = Duration::from_secs(120);

/// A client program with its private home and settings.
#[derive(Clone, Debug)]
pub struct Tool {
    program: PathBuf,
    first_arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    home: PathBuf,
}

impl Tool {
    /// A tool with an empty home.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        let program = program.into();
        let label = program.file_name().and_then(OsStr::to_str).unwrap_or("tool").to_owned();
        Self {
            program,
            first_arguments: Vec::new(),
            environment: Vec::new(),
            home: run_folder::fresh(&format!("home-{label}")),
        }
    }

    /// Puts `argument` before those of every later command.
    pub fn always(mut self, argument: impl Into<OsString>) -> Self {
        self.first_arguments.push(argument.into());
        self
    }

    /// Sets an environment variable for every later command.
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((key.into(), value.into()));
        self
    }

    /// The tool's private home folder.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Runs one command.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Outcome {
        self.run_with(arguments, "")
    }

    /// One command as it would be run: for what goes on in the background, under a leash.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(&self.first_arguments)
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.home)
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("LC_ALL", "C.UTF-8")
            .envs(self.environment.iter().map(|(key, value)| (key, value)));
        command
    }

    /// Runs one command with `input` on its standard input.
    pub fn run_with<A: AsRef<OsStr>>(&self, arguments: &[A], input: &str) -> Outcome {
        let folder = run_folder::fresh("command");
        let (stdin, stdout, stderr) = (folder.join("in"), folder.join("out"), folder.join("err"));
        fs::write(&stdin, input).expect("the run folder is writable");
        let mut command = self.command(arguments);
        command
            .stdin(Stdio::from(File::open(&stdin).expect("it was written above")))
            .stdout(Stdio::from(File::create(&stdout).expect("the run folder is writable")))
            .stderr(Stdio::from(File::create(&stderr).expect("the run folder is writable")))
            .process_group(0);
        let line = format!("{command:?}");
        let begin = Instant::now();
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{line} did not start: {error}"));
        let mut peak = 0;
        let status = loop {
            peak = memory_of(child.id()).unwrap_or(0).max(peak);
            if let Some(status) = child.try_wait().expect("it is our child") {
                break status.code();
            }
            if begin.elapsed() > LIMIT {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                // The group may end by itself at this very moment; the wait below is what counts.
                let _ = kill_process_group(group.expect("a process id is a positive number"), Signal::KILL);
                child.wait().expect("it is our child");
                break None;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).expect("it was made above")).into_owned();
        let outcome = Outcome { line, status, stdout: read(&stdout), stderr: read(&stderr), peak };
        fs::remove_dir_all(&folder).expect("the run folder is ours");
        outcome
    }
}

/// What a command did and said.
#[derive(Clone, Debug)]
pub struct Outcome {
    line: String,
    /// Its exit status; `None` when a signal or the time limit ended it.
    pub status: Option<i32>,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
    /// The most memory it had in use, in bytes, as seen some milliseconds before its end.
    pub peak: u64,
}

/// The most memory that a running process has had in use, in bytes.
fn memory_of(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

impl Outcome {
    /// Whether it ended with status 0 within its time.
    pub fn succeeded(&self) -> bool {
        self.status == Some(0)
    }

    /// Insists on success.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.succeeded(), "should have succeeded: {self}");
        self
    }

    /// Insists on a refusal: a status other than 0, given in time.
    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(self.status.is_some_and(|status| status != 0), "should have been refused: {self}");
        self
    }

    /// Insists that `words` reached the person, on either output, letter case and line breaks aside.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let flat = |text: &str| text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let said = flat(&format!("{} {}", self.stdout, self.stderr));
        assert!(said.contains(&flat(words)), "should have said `{words}`: {self}");
        self
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self.status.map_or_else(|| "killed or out of time".to_owned(), |code| code.to_string());
        write!(f, "{}\nstatus: {status}\nstdout: {}\nstderr: {}", self.line, self.stdout, self.stderr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_was_said() {
        let outcome = Tool::new("sh").run_with(&["-c", "cat; echo no >&2; exit 3"], "yes\n").refused();
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("yes\n", "no\n"));
        outcome.says("YES no");
    }

    #[test]
    fn has_its_own_home() {
        let tool = Tool::new("sh").env("A", "b");
        let outcome = tool.run(&["-c", "echo $HOME $A"]).ok();
        assert_eq!(outcome.stdout.trim(), format!("{} b", tool.home().display()));
    }
}
