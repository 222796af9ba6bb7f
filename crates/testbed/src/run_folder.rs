//! The folder of one test run: scratch space, the ids of started processes, results, and the list of
//! what was not run.
//!
//! `./test` names it in `HYTHE_TESTBED_RUN`, prints the list, ends what is still alive and removes the folder.
//! Without `./test` the folder lies in the system's temporary directory and is named after this process; the
//! folders of processes that no longer live are removed by the next run.
//!
//! Invariant: a test that did not run is either on the list or, where its tool was required, red.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a missing tool would have come from; `HYTHE_TESTBED_REQUIRE` lists the sources that must be complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Debian package that `./test` installs as root.
    Debian,
    /// Built with the Go toolchain, where there is one.
    Go,
    /// Rights and parts of the kernel, which nothing here can install.
    Machine,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Go => "go",
            Self::Machine => "machine",
        }
    }

    fn required(self) -> bool {
        std::env::var("HYTHE_TESTBED_REQUIRE")
            .is_ok_and(|list| list.split_whitespace().any(|name| name == self.name()))
    }
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::var_os("HYTHE_TESTBED_RUN").map_or_else(own_folder, PathBuf::from);
    fs::create_dir_all(folder.join("pids")).expect("the run folder can be made");
    folder
});

/// The folder of this run.
pub fn path() -> &'static Path {
    &FOLDER
}

/// A new empty folder of this run, its name beginning with `label`.
pub fn fresh(label: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = FOLDER.join(format!("{label}-{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).expect("the run folder is writable");
    folder
}

/// Puts `name` on the list of what was not run.
///
/// # Panics
/// Where the tool was required, so that its absence is red.
pub fn not_run(name: &str, source: Source, why: &str) {
    assert!(!source.required(), "{name} did not run although it is required here: {why}");
    let mut list = OpenOptions::new()
        .create(true)
        .append(true)
        .open(FOLDER.join("not-run"))
        .expect("the run folder is writable");
    writeln!(list, "{name}: {why}").expect("the run folder is writable");
}

/// Adds a line to a list of results that `./test` prints at its end.
pub fn report(list: &str, line: &str) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(FOLDER.join(list))
        .expect("the run folder is writable");
    writeln!(file, "{line}").expect("the run folder is writable");
}

/// Notes a started process for `./test`, which ends whatever a killed test program left behind.
pub(crate) fn note_process(pid: i32) {
    fs::write(FOLDER.join("pids").join(pid.to_string()), b"").expect("the run folder is writable");
}

/// Takes back [`note_process`] after the process was waited for.
pub(crate) fn forget_process(pid: i32) {
    // Absent only when `./test` cleared the folder first, which is the end we want.
    let _ = fs::remove_file(FOLDER.join("pids").join(pid.to_string()));
}

/// Unmounts what a killed test program left mounted in its folder, the newest first.
fn unmount_under(folder: &Path) {
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    for point in points.filter(|point| Path::new(point).starts_with(folder)).rev() {
        // What we may not unmount belongs to somebody else, as below.
        let _ = Command::new("umount").args(["-l", point]).status();
    }
}

/// The folder for a run outside `./test`, after removing those of dead runs.
fn own_folder() -> PathBuf {
    const PREFIX: &str = "hythe-testbed-";
    let base = std::env::temp_dir();
    for entry in fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let dead = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|pid| pid.parse::<u32>().ok())
            .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists());
        if dead {
            unmount_under(&entry.path());
            // A folder we may not remove belongs to somebody else and is no concern of this run.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    base.join(format!("{PREFIX}{}", std::process::id()))
}
