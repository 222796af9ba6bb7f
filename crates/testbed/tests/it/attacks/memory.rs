//! Slow readers: each costs a bounded piece of memory, whatever it asked for.

use hythe_testbed::noise;

use super::numbers::resident_kib;
use super::wire::{Wire, admin_authorization};
use super::{server, still_serves};

const READERS: usize = 200;

/// The promise of the documentation for one slow reader, in KiB.
const EACH_KIB: u64 = 512;

#[test]
fn two_hundred_readers_that_do_not_read() {
    let server = server(&[]);
    let digest = server.admin().push_blob("lab/app", &noise("slow", 48 << 20));
    let before = resident_kib(&server);
    let head = format!(
        "GET /v2/lab/app/blobs/{digest} HTTP/1.1\r\nHost: h\r\nAuthorization: {}\r\n\r\n",
        admin_authorization(&server)
    );
    let mut readers: Vec<Wire> = (0..READERS)
        .map(|_| {
            let mut wire = Wire::open(server.addr());
            assert!(wire.send(&head));
            wire
        })
        .collect();
    // Each has its answer begun, and the server has had time to fill whatever it fills.
    for reader in &mut readers {
        assert_eq!(reader.take(12), b"HTTP/1.1 200");
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < READERS as u64 * EACH_KIB, "{grown} KiB for {READERS} slow readers");
    println!("{grown} KiB for {READERS} slow readers");
    // Others are served meanwhile.
    still_serves(&server);
}

#[test]
fn a_thousand_connections_that_rest() {
    let server = server(&[]);
    still_serves(&server);
    let before = resident_kib(&server);
    let mut resting: Vec<Wire> = Vec::new();
    for _ in 0..1_000 {
        let mut wire = Wire::open(server.addr());
        wire.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        assert_eq!(wire.take(12), b"HTTP/1.1 200");
        resting.push(wire);
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 1_000 * 64, "{grown} KiB for 1,000 resting connections");
    println!("{grown} KiB for 1,000 resting connections");
    still_serves(&server);
}
