//! Pipelining: many requests in one go, answers not read.

use hythe_testbed::noise;

use super::numbers::resident_kib;
use super::wire::{Wire, admin_authorization, statuses};
use super::{server, still_serves};

#[test]
fn a_thousand_requests_are_answered_in_order() {
    let server = server(&[]);
    let mut requests = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n".repeat(999);
    requests += "GET /nowhere HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
    let seen = statuses(&Wire::open(server.addr()).exchange(requests.as_bytes()));
    assert_eq!(seen.len(), 1_000);
    assert_eq!(seen.iter().filter(|status| **status == 200).count(), 999);
    assert_eq!(seen.last(), Some(&404));
    still_serves(&server);
}

#[test]
fn a_thousand_unread_answers_cost_one_buffer() {
    let server = server(&[]);
    let digest = server.admin().push_blob("lab/app", &noise("pipelined", 8 << 20));
    let before = resident_kib(&server);
    let request = format!(
        "GET /v2/lab/app/blobs/{digest} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
        admin_authorization(&server)
    );
    let mut wires: Vec<Wire> = (0..20).map(|_| Wire::open(server.addr())).collect();
    let flood = request.repeat(1_000);
    for wire in &mut wires {
        // The server stops reading where it stops answering.
        wire.flood(flood.as_bytes());
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 20 * 1_024, "{grown} KiB for 20 connections of 1,000 requests");
    still_serves(&server);
}
