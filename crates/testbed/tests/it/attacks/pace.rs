//! The limits that are times: heads, bodies, answers and rests that take too long. Each is set to a second, and
//! the test waits for what it does, never for how soon.

use std::time::Duration;

use hythe_testbed::{Options, digest, noise};

use super::numbers::metric;
use super::wire::{Wire, admin_authorization, statuses};
use super::{server, still_serves};

#[test]
fn handshakes() {
    let mut server = server(&[]);
    server.stop();
    server.restart_with(Options { arguments: vec!["--dev-tls".to_owned()], ..Options::default() });
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut wire = Wire::open(server.addr());
        wire.send(begun);
        // Waits a minute for the close, which is to come after ten seconds.
        assert!(statuses(&wire.rest()).is_empty());
    }
}

#[test]
fn heads() {
    let server = server(&[("HYTHE_LIMITS_HEAD_SECONDS", "1")]);
    for begin in ["", "G", "GET /v2/ HTTP/1.1\r\nHost: h\r\nX-Slow: "] {
        let mut wire = Wire::open(server.addr());
        assert!(wire.send(begin));
        assert_eq!(statuses(&wire.rest()), [0_u16; 0], "no answer to a head that never comes: {begin:?}");
    }
    assert!(metric(&server, "hythe_connections_cut_total{reason=\"slow_head\"}") >= 3.0);
    still_serves(&server);
}

#[test]
fn rests() {
    let server = server(&[("HYTHE_LIMITS_IDLE_SECONDS", "1")]);
    let mut wire = Wire::open(server.addr());
    assert!(wire.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"));
    assert_eq!(statuses(&wire.rest()), [200], "answered, and then closed without being asked to");
    still_serves(&server);
}

/// Begins an upload whose body announces a mebibyte.
fn upload(server: &hythe_testbed::Hythe) -> (Wire, String) {
    let location = server.admin().open_upload("lab/app");
    let head = format!(
        "PATCH {location} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nContent-Length: 1048576\r\n\r\n",
        admin_authorization(server)
    );
    let mut wire = Wire::open(server.addr());
    assert!(wire.send(head));
    (wire, location)
}

#[test]
fn bodies_that_stand_still() {
    let server = server(&[("HYTHE_LIMITS_BODY_STALL_SECONDS", "1")]);
    let bytes = noise("stalled", 1 << 20);
    let (mut wire, location) = upload(&server);
    assert!(wire.send(&bytes[..300_000]));
    let answer = wire.rest();
    assert_eq!(statuses(&answer), [400], "{}", String::from_utf8_lossy(&answer));
    assert!(metric(&server, "hythe_connections_cut_total{reason=\"slow_body\"}") >= 1.0);
    // What came is kept: the client goes on from there.
    let status = server.admin().get(&location).is(204);
    assert_eq!(status.must("range"), "0-299999");
    server.admin().close_upload(&location, &digest(&bytes), &bytes[300_000..]).is(201);
    // A manifest, a form and a document stand still for no longer.
    for path in ["PUT /v2/lab/app/manifests/v1", "POST /token", "POST /api/v1/projects"] {
        let mut wire = Wire::open(server.addr());
        wire.send(format!(
            "{path} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\nContent-Type: application/json\r\n\
             Content-Length: 1000\r\n\r\n{{",
            admin_authorization(&server)
        ));
        assert!(statuses(&wire.rest()).iter().all(|status| (400..500).contains(status)), "{path}");
    }
    still_serves(&server);
}

#[test]
fn bodies_that_drip() {
    let server =
        server(&[("HYTHE_LIMITS_BODY_GRACE_SECONDS", "1"), ("HYTHE_LIMITS_BODY_BYTES_PER_SECOND", "1000")]);
    let (mut wire, _) = upload(&server);
    // Ten bytes a second never stand still for long, and would take a day.
    let mut sent = 0;
    while wire.send("x") {
        sent += 1;
        assert!(sent < 600, "a minute of dripping, and nobody minds");
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(metric(&server, "hythe_connections_cut_total{reason=\"slow_body\"}") >= 1.0);
    still_serves(&server);
}

#[test]
fn answers_nobody_takes() {
    let server = server(&[("HYTHE_LIMITS_ANSWER_STALL_SECONDS", "1")]);
    let digest = server.admin().push_blob("lab/app", &noise("unread", 32 << 20));
    let mut wire = Wire::open(server.addr());
    wire.send(format!(
        "GET /v2/lab/app/blobs/{digest} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
        admin_authorization(&server)
    ));
    while metric(&server, "hythe_connections_cut_total{reason=\"slow_reader\"}") < 1.0 {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(wire.rest().len() < 32 << 20, "the answer was cut, not completed");
    still_serves(&server);
}

#[test]
fn answers_taken_by_the_drop() {
    let server = server(&[
        ("HYTHE_LIMITS_ANSWER_STALL_SECONDS", "2"),
        ("HYTHE_LIMITS_ANSWER_BYTES_PER_SECOND", "1000000"),
    ]);
    let digest = server.admin().push_blob("lab/app", &noise("drop by drop", 32 << 20));
    let mut wire = Wire::open(server.addr());
    wire.send(format!(
        "GET /v2/lab/app/blobs/{digest} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
        admin_authorization(&server)
    ));
    // What lies in the buffers of both sides was taken at once, and counts; then a tenth of the rate is taken, and
    // it never stands still for two seconds.
    let mut taken = 0;
    while metric(&server, "hythe_connections_cut_total{reason=\"slow_reader\"}") < 1.0 {
        taken += wire.take(100_000).len();
        assert!(taken < 32 << 20, "all of it was taken, and nobody minded");
        std::thread::sleep(Duration::from_secs(1));
    }
    still_serves(&server);
}
