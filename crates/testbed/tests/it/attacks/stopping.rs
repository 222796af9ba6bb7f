//! A stop in the middle of work: what is under way is finished, nothing new is let in, and what was only begun goes
//! on after the restart.

use std::net::TcpStream;

use hythe_testbed::http::Body;
use hythe_testbed::{digest, noise};

use super::wire::{Wire, admin_authorization, statuses};
use super::{server, still_serves};

/// Pulls under way, and as many pushes.
const EACH: usize = 24;

#[test]
fn forty_eight_transfers_are_finished() {
    let mut server = server(&[("HYTHE_LIMITS_DRAIN_SECONDS", "50")]);
    let addr = server.addr();
    let authorization = admin_authorization(&server);
    let blob = noise("drained", 16 << 20);
    let path = format!("/v2/lab/app/blobs/{}", server.admin().push_blob("lab/app", &blob));
    let piece = noise("pushed", 200_000);
    let (sent, kept_back) = piece.split_at(100_000);

    let mut pulls: Vec<Wire> =
        (0..EACH)
            .map(|_| {
                let mut wire = Wire::open(addr);
                assert!(wire.send(format!(
                    "GET {path} HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\n\r\n"
                )));
                assert_eq!(wire.take(12), b"HTTP/1.1 200");
                wire
            })
            .collect();
    let mut pushes: Vec<(Wire, String)> = (0..EACH)
        .map(|_| {
            let location = server.admin().open_upload("lab/app");
            let mut wire = Wire::open(addr);
            assert!(wire.send(format!(
                "PATCH {location} HTTP/1.1\r\nHost: h\r\nAuthorization: {authorization}\r\nExpect: 100-continue\r\n\
                 Content-Length: {}\r\n\r\n",
                piece.len()
            )));
            // The server asks for the body: the request is under way.
            assert_eq!(statuses(&wire.take("HTTP/1.1 100 Continue\r\n\r\n".len())), [100]);
            assert!(wire.send(sent));
            (wire, location)
        })
        .collect();
    let resting = server.admin().open_upload("lab/app");
    server.admin().ask("PATCH", &resting).body(Body::Whole(sent.to_vec())).send().is(202);

    std::thread::scope(|scope| {
        let stop = scope.spawn(|| server.stop());
        while TcpStream::connect(addr).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        for (wire, _) in &mut pushes {
            assert!(wire.send(kept_back));
            let answer = wire.rest();
            assert_eq!(statuses(&answer), [202], "{}", String::from_utf8_lossy(&answer));
        }
        for wire in &mut pulls {
            assert!(wire.rest().ends_with(&blob), "the whole blob");
        }
        assert_eq!(stop.join().unwrap(), 0);
    });
    assert!(!server.log().contains("some connections were cut"), "{}", server.log());

    server.restart();
    let admin = server.admin();
    for location in pushes.iter().map(|(_, location)| location) {
        assert_eq!(admin.get(location).is(204).must("range"), "0-199999");
        admin.close_upload(location, &digest(&piece), b"").is(201);
    }
    assert_eq!(admin.get(&resting).is(204).must("range"), "0-99999");
    admin.close_upload(&resting, &digest(&piece), kept_back).is(201);
    still_serves(&server);
}
