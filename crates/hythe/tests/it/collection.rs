//! `hythe gc`: beside a running server, and in a folder no server holds.

use std::time::{Duration, Instant};

use hythe_testbed::{Hythe, Options};

use crate::{exits, has_code, hythe, json, text};

#[test]
fn gc_asks_the_running_server_and_works_alone_when_none_runs() {
    let mut server = Hythe::start(Options::default());
    let data = server.data_folder();
    let dry = ["gc", "--dry-run", "--data-dir", text(&data)];
    let report = json(&hythe().always("--output").always("json").run(&dry).ok());
    assert_eq!(report["dry_run"], true);
    assert!(server.logs("/gc"), "the server was not asked:\n{}", server.log());
    hythe().run(&["gc", "--data-dir", text(&data)]).ok().says("removed");

    assert_eq!(server.stop(), 0);
    hythe().run(&dry).ok().says("would go").says("nothing was removed");
    let report = json(&hythe().run(&["gc", "--output", "json", "--data-dir", text(&data)]).ok());
    assert_eq!(report["dry_run"], false);
    server.restart();
    server.anonymous().get("/healthz").is(200);
}

#[test]
fn gc_never_makes_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    exits(hythe().run(&["gc", "--data-dir", text(&missing)]), 5).says("There is no data folder");
    assert!(!missing.exists());
}

#[test]
fn a_folder_held_by_something_silent_is_reported_with_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("lock");
    let mut holder = std::process::Command::new("flock")
        .args(["--no-fork", text(&lock), "sleep", "60"])
        .spawn()
        .expect("flock is part of every Linux system");
    let begin = Instant::now();
    let outcome = loop {
        let outcome = hythe().run(&["gc", "--data-dir", text(folder.path())]);
        if has_code(&outcome, 3) || begin.elapsed() > Duration::from_secs(10) {
            break outcome;
        }
    };
    holder.kill().unwrap();
    holder.wait().unwrap();
    exits(outcome, 3).says("is in use by another process").says("hint:");
}
