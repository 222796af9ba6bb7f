//! Attacks from outside: what a client that means harm, or is broken, can do to a server over its sockets.
//!
//! Each test ends with the same question: does the server live, and does it still answer? Never is one allowed to
//! answer 5xx to what a client did wrong (503 is the word for "full"). No test here asserts a time; the limits
//! that are times are set to a second so that the tests need not wait.

mod advisories;
mod control_socket;
mod garbage;
mod http2;
mod limits;
mod memory;
mod numbers;
mod pace;
mod pipelining;
mod second_paths;
mod secrets;
mod smuggling;
mod stopping;
mod walks;
mod wire;

use hythe_testbed::{Hythe, Options, Visibility};

/// A server of the test's own with these settings in its environment, and the private project `lab`.
fn server(settings: &[(&str, &str)]) -> Hythe {
    let environment =
        settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let server = Hythe::start(Options { environment, ..Options::default() });
    server.create_project("lab", Visibility::Private);
    server
}

/// As [`server`], with little patience, so that a message without an end is over soon.
fn impatient_server() -> Hythe {
    server(&[
        ("HYTHE_LIMITS_HEAD_SECONDS", "1"),
        ("HYTHE_LIMITS_IDLE_SECONDS", "1"),
        ("HYTHE_LIMITS_BODY_STALL_SECONDS", "1"),
    ])
}

/// Insists that the server is alive and serves.
#[track_caller]
fn still_serves(server: &Hythe) {
    server.anonymous().get("/readyz").is(200);
    let bytes = b"still here";
    let digest = server.admin().push_blob("lab/alive", bytes);
    assert!(server.admin().get(&format!("/v2/lab/alive/blobs/{digest}")).is(200).body == bytes);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
