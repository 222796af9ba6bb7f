//! The built program from outside: what a person or a script sees of it.

mod archives;
mod checking;
mod collection;
mod completion;
mod configuration;
mod doctor;
mod images;
mod info;
mod manual;
mod objects;
mod proxies;
mod removal;
mod requests;
mod serving;
mod sessions;
mod transfers;

use std::path::Path;

use hythe_testbed::{Hythe, Outcome, Tool};

/// The program, run in an empty home.
fn hythe() -> Tool {
    Tool::new(env!("CARGO_BIN_EXE_hythe"))
}

/// The program, speaking to `server` as its administrator.
fn admin_of(server: &Hythe) -> Tool {
    let (name, password) = server.admin_login();
    hythe()
        .env("HYTHE_SERVER", format!("http://{}", server.host()))
        .env("HYTHE_USERNAME", name)
        .env("HYTHE_PASSWORD", password)
}

/// The program at a terminal of so many columns, as the administrator of `server`; what it says is all in `stdout`.
fn at_terminal(script: &Tool, server: &Hythe, columns: u16, command: &str, answer: &str) -> Outcome {
    let (name, password) = server.admin_login();
    let program = env!("CARGO_BIN_EXE_hythe");
    let line = format!("stty cols {columns}; {program} {command}");
    let script = script
        .clone()
        .env("HYTHE_SERVER", format!("http://{}", server.host()))
        .env("HYTHE_USERNAME", name)
        .env("HYTHE_PASSWORD", password);
    script.run_with(&["-q", "-e", "-c", &line, "/dev/null"], answer)
}

/// Insists on this exit code.
#[track_caller]
fn exits(outcome: Outcome, code: i32) -> Outcome {
    assert!(has_code(&outcome, code), "should have exited with {code}: {outcome}");
    outcome
}

fn has_code(outcome: &Outcome, code: i32) -> bool {
    outcome.to_string().contains(&format!("\nstatus: {code}\n"))
}

/// A path as an argument.
fn text(path: &Path) -> &str {
    path.to_str().expect("the run folder's path is text")
}

/// The standard output as JSON.
#[track_caller]
fn json(outcome: &Outcome) -> serde_json::Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {outcome}"))
}
