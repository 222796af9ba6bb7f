//! How long a command that asks nobody takes from its start to its end, and what it holds in memory: what a person waits for
//! with each line, and a shell with each tabulator.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::command::peak_of;
use crate::http::Connection;
use crate::registry::{INDEX, empty_index, put_manifest};
use crate::servers::{PASSWORD, Place, basic, hythe, program};
use crate::table::{Line, show, show_limit};

/// How often each command is run in a round.
const RUNS: usize = 20;

/// The names that the completion chooses from.
const NAMES: usize = 5_000;

/// The marks.
const MILLISECONDS: f64 = 10.0;
const MEBIBYTES: f64 = 15.0;
const COMPLETION: f64 = 50.0;

/// One command.
struct Row {
    name: String,
    command: Command,
    /// The most milliseconds it may take; peers are only told.
    limit: Option<f64>,
}

pub(crate) fn all(place: &Place, rounds: usize) {
    let mut rows = Vec::new();
    for words in [&["version"][..], &["--help"], &["push", "--help"], &["completions", "bash"]] {
        let mut command = hythe();
        command.args(words);
        rows.push(Row { name: format!("hythe {}", words.join(" ")), command, limit: Some(MILLISECONDS) });
    }
    let (server, cache) = (place.hythe(false), place.fresh("cache"));
    name_things(&server.target.with(basic()));
    let mut command = hythe();
    command.args(["complete", "--", "hythe", "pull", "lab/repository-42"]);
    command.env("HYTHE_SERVER", format!("http://{}", server.target.address));
    command.env("HYTHE_USERNAME", "admin").env("HYTHE_PASSWORD", PASSWORD).env("XDG_CACHE_HOME", &cache);
    learn(&mut command, &cache);
    let name = format!("hythe pull lab/repository-42 and a tabulator, {NAMES} names");
    rows.push(Row { name, command, limit: Some(COMPLETION) });
    for (variable, path) in [
        ("DOCKER", "/usr/bin/docker"),
        ("SKOPEO", "/usr/bin/skopeo"),
        ("PODMAN", "/usr/bin/podman"),
        ("CTR", "/usr/bin/ctr"),
    ] {
        if let Some(program) = program(variable, &[path]) {
            let name = format!("{} --version", path.rsplit('/').next().unwrap_or(path));
            let mut command = Command::new(program);
            command.arg("--version");
            rows.push(Row { name, command, limit: None });
        }
    }
    // The files are read once before, and the rows take turns.
    let mut times: Vec<Vec<f64>> = rows.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        for (row, times) in rows.iter_mut().zip(&mut times) {
            let took = crate::load::median((0..RUNS).map(|_| run(&mut row.command)).collect());
            if round > 0 {
                times.push(took);
            }
        }
    }
    for (row, figures) in rows.iter_mut().zip(times) {
        let memory = memory(&mut row.command);
        let line = |unit, figures| Line {
            work: row.name.clone(),
            server: row.name.split(' ').next().unwrap_or_default().to_owned(),
            figures,
            unit,
            conditions: format!("start to end, median of {RUNS} runs a round; files in memory"),
        };
        let (time, memory) = (line("ms", figures), line("MiB resident", vec![memory]));
        match row.limit {
            Some(limit) => {
                show_limit(&time, limit);
                show_limit(&memory, MEBIBYTES);
            }
            None => show(&[time, memory], &[]),
        }
    }
}

/// Repositories with a tag each.
fn name_things(admin: &crate::http::Target) {
    let mut connection = Connection::open(admin).expect("Hythe listens");
    let manifest = empty_index("one");
    for number in 0..NAMES / 2 {
        let repository = format!("lab/repository-{number}");
        let (status, _) =
            put_manifest(&mut connection, &repository, "v1", INDEX, &manifest).expect("Hythe answers");
        assert_eq!(status, 201, "a manifest is pushed");
    }
}

/// Asks once, and waits until the names have been noted.
fn learn(command: &mut Command, cache: &Path) {
    run(command);
    let begin = Instant::now();
    let noted = || {
        let files = fs::read_dir(cache.join("hythe/names")).into_iter().flatten().flatten();
        let mut paths = files.map(|file| file.path());
        // The images of this machine's engines have a file of their own.
        paths.any(|path| path.extension().is_some_and(|kind| kind == "json") && !path.ends_with("local.json"))
    };
    while !noted() {
        assert!(begin.elapsed() < Duration::from_secs(60), "the names are noted");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stderr(Stdio::null())
}

/// Milliseconds from start to end.
fn run(command: &mut Command) -> f64 {
    let begin = Instant::now();
    let status = quiet(command).stdout(Stdio::null()).status().expect("the program starts");
    let took = begin.elapsed();
    assert!(status.success(), "{command:?} succeeds");
    took.as_secs_f64() * 1e3
}

/// The most memory that was resident when it is about to print, in MiB: its output is a pipe that is full, so it waits there
/// to be looked at. (What the kernel tells of an ended child would be no less than the memory of whoever started it.)
fn memory(command: &mut Command) -> f64 {
    let (reading, writing) = pipe_with(PipeFlags::NONBLOCK | PipeFlags::CLOEXEC).expect("a pipe can be made");
    fill(&writing);
    // The program itself is to wait.
    fcntl_setfl(&writing, OFlags::empty()).expect("it is our pipe");
    let mut child = quiet(command).stdout(Stdio::from(writing)).spawn().expect("the program starts");
    let peak = waiting(&mut child);
    child.kill().expect("it waits, or has ended");
    child.wait().expect("it is our child");
    drop(reading);
    peak
}

fn fill(pipe: &OwnedFd) {
    for size in [1 << 16, 1 << 12, 1] {
        while matches!(rustix::io::write(pipe, &vec![0; size]), Ok(written) if written > 0) {}
    }
}

fn waiting(child: &mut Child) -> f64 {
    let folder = format!("/proc/{}/task", child.id());
    let begin = Instant::now();
    // Whichever of its threads prints.
    let prints = |thread: fs::DirEntry| {
        fs::read_to_string(thread.path().join("wchan")).is_ok_and(|place| place.contains("pipe"))
    };
    while !fs::read_dir(&folder).is_ok_and(|threads| threads.flatten().any(prints)) {
        assert!(begin.elapsed() < Duration::from_secs(10), "a program prints");
        std::thread::sleep(Duration::from_millis(1));
    }
    peak_of(child.id()).expect("the kernel tells the peak of a process that waits")
}
