//! Clients as programs: what one run of a command took, read from the kernel when it ends.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use wait4::Wait4 as _;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// What one run of a client cost.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ran {
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of the client's CPU, its children included.
    pub(crate) cpu: f64,
    /// The most memory that was resident at once, MiB.
    pub(crate) peak: f64,
    /// Standard output.
    pub(crate) output: String,
}

/// Runs a command to its end; a failure ends the bench with what the command said.
pub(crate) fn run(command: &mut Command, log: &Path) -> Ran {
    run_with(command, log, Stdio::null(), |_| {})
}

/// The same with a standard input, and with something to do while it runs, which is given the process.
pub(crate) fn run_with(
    command: &mut Command,
    log: &Path,
    input: Stdio,
    meanwhile: impl FnOnce(&mut std::process::Child),
) -> Ran {
    let (ran, ended) = end_of(command, log, input, meanwhile);
    let said = || std::fs::read_to_string(log).unwrap_or_default();
    assert!(ended.success(), "{command:?} ended with {ended}:\n{}", said());
    ran
}

/// Runs a command that `meanwhile` kills.
pub(crate) fn run_and_kill(
    command: &mut Command,
    log: &Path,
    meanwhile: impl FnOnce(&mut std::process::Child),
) {
    let (_, ended) = end_of(command, log, Stdio::null(), |child| {
        meanwhile(child);
        child.kill().expect("a started program can be ended");
    });
    assert_eq!(ended.signal(), Some(9), "{command:?} was to be killed before its end");
}

fn end_of(
    command: &mut Command,
    log: &Path,
    input: Stdio,
    meanwhile: impl FnOnce(&mut std::process::Child),
) -> (Ran, std::process::ExitStatus) {
    let output = log.with_extension("out");
    command.stdin(input);
    command.stdout(File::create(&output).expect("the folder of the bench is writable"));
    command.stderr(File::create(log).expect("the folder of the bench is writable"));
    let begin = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let watch = Watch::of(child.id());
    meanwhile(&mut child);
    let used = child.wait4().expect("a started program ends");
    let wall = begin.elapsed().as_secs_f64();
    let peak = watch.peak();
    let cpu = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    let output = std::fs::read_to_string(output).unwrap_or_default();
    (Ran { wall, cpu, peak, output }, used.status)
}

/// Looks again and again at the most memory a process has had. What the kernel tells of it at its end is no less than the
/// memory of whoever started it.
struct Watch {
    ended: Sender<()>,
    seen: JoinHandle<f64>,
}

impl Watch {
    fn of(process: u32) -> Self {
        let (ended, end) = channel::<()>();
        let seen = std::thread::spawn(move || {
            let mut peak = 0.0;
            while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                // It has none any more once it has ended.
                peak = peak_of(process).unwrap_or(peak);
            }
            peak
        });
        Self { ended, seen }
    }

    /// In MiB, as it was a moment before the end.
    fn peak(self) -> f64 {
        drop(self.ended);
        self.seen.join().expect("the watch does not panic")
    }
}

/// The most memory that was resident in a process since it became the program that it is, MiB.
pub(crate) fn peak_of(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u32 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(f64::from(kibibytes) / 1024.0)
}

/// A program by name: where `HYTHE_BENCH_BIN` points (`bench/run` sets it to the test bed's folder), or in `PATH`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let own = std::env::var_os("HYTHE_BENCH_BIN").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin"));
    let folders = own.into_iter().chain(std::env::split_paths(&path)).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join(name)).find(|program| program.is_file())
}
