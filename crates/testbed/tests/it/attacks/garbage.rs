//! Garbage at every door: noise as a body, as a request, as a path. The answer is a 4xx or a close.

use hythe_testbed::{Hythe, noise};

use super::numbers::resident_kib;
use super::wire::{Wire, admin_authorization, statuses};
use super::{impatient_server, still_serves};

/// Bytes of noise in one request. Each door gets four of them as a body: a gibibyte in the deep run.
fn amount() -> usize {
    if std::env::var_os("HYTHE_TESTBED_DEEP").is_some() { 256 << 20 } else { 8 << 20 }
}

/// Every operation of the interface, by its own description, on what is there; what would be deleted is not.
fn operations(server: &Hythe) -> Vec<(String, String)> {
    let description = server.admin().get("/api/v1/openapi.json").is(200).json();
    let paths = description["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().keys().map(move |method| (method.to_uppercase(), path))
    });
    let digest = hythe_testbed::digest(b"something else");
    let doors: Vec<_> = operations
        .map(|(method, path)| {
            let project = if method == "DELETE" { "absent" } else { "lab" };
            let repository = format!("{project}%2Fapp");
            let none = "0".repeat(32);
            let names = [
                ("{project}", project),
                ("{repository}", &repository),
                ("{user}", "nobody"),
                ("{token}", &none),
                ("{upload}", &none),
                ("{digest}", &digest),
                ("{reference}", "v1"),
            ];
            let path = names.iter().fold(path.clone(), |path, (name, value)| path.replace(name, value));
            assert!(!path.contains('{'), "{path} has a part that this test cannot name");
            (method, path)
        })
        .collect();
    assert!(doors.len() > 20, "{doors:?}");
    doors
}

/// The doors of the protocol and of the operator. Uploads take any bytes, so there the digest is what is wrong.
fn doors(server: &Hythe) -> Vec<(&'static str, String)> {
    let admin = server.admin();
    let wrong = hythe_testbed::digest(b"something else");
    let closing = admin.open_upload("lab/app");
    vec![
        ("PUT", "/v2/lab/app/manifests/v1".to_owned()),
        ("PUT", format!("/v2/lab/app/manifests/{wrong}")),
        ("POST", format!("/v2/lab/app/blobs/uploads/?digest={wrong}")),
        ("PUT", format!("{closing}?digest={wrong}")),
        ("PATCH", "/v2/lab/app/blobs/uploads/00000000000000000000000000000000".to_owned()),
        ("GET", "/v2/".to_owned()),
        ("DELETE", "/v2/lab/app/manifests/v1".to_owned()),
        ("GET", format!("/v2/lab/app/blobs/{wrong}")),
        ("DELETE", format!("/v2/lab/app/blobs/{wrong}")),
        ("GET", "/v2/lab/app/tags/list".to_owned()),
        ("GET", format!("/v2/lab/app/referrers/{wrong}")),
        ("GET", "/v2/_catalog".to_owned()),
        ("GET", "/token".to_owned()),
        ("POST", "/token".to_owned()),
        ("POST", "/healthz".to_owned()),
        ("PUT", "/metrics".to_owned()),
        ("BREW", "/nowhere".to_owned()),
    ]
}

#[test]
fn as_a_body() {
    let server = impatient_server();
    let noise = noise("garbage", amount());
    let authorization = admin_authorization(&server);
    let before = resident_kib(&server);
    for chunked in [false, true] {
        let doors = doors(&server).into_iter().map(|(method, path)| (method.to_owned(), path));
        for (method, path) in doors.chain(operations(&server)) {
            for who in ["", authorization.as_str()] {
                let framing = if chunked {
                    "Transfer-Encoding: chunked".to_owned()
                } else {
                    format!("Content-Length: {}", noise.len())
                };
                let who = if who.is_empty() { String::new() } else { format!("Authorization: {who}\r\n") };
                let head = format!(
                    "{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{who}{framing}\r\n\
                     Connection: close\r\n\r\n"
                );
                let mut message = head.into_bytes();
                if chunked {
                    for piece in noise.chunks(1 << 20) {
                        message.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                        message.extend(piece);
                        message.extend(b"\r\n");
                    }
                    message.extend(b"0\r\n\r\n");
                } else {
                    message.extend(&noise);
                }
                let seen = statuses(&Wire::open(server.addr()).exchange(&message));
                // What only reads does not look at a body and has nothing to refuse.
                let fine = method == "GET" && seen == [200];
                assert!(
                    fine || seen.iter().all(|status| (400..500).contains(status)),
                    "{method} {path}: {seen:?}"
                );
            }
        }
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB after the garbage");
    still_serves(&server);
}

#[test]
fn as_a_request() {
    let server = impatient_server();
    let noise = noise("no request", amount());
    let before = resident_kib(&server);
    for skip in 0..8 {
        let seen = statuses(&Wire::open(server.addr()).exchange(&noise[skip * 1_000..]));
        assert!(seen.iter().all(|status| (400..500).contains(status)), "{seen:?}");
    }
    let greeting = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let mut tls = Wire::open(server.addr());
    tls.send(greeting);
    tls.finish();
    assert!(statuses(&tls.rest()).iter().all(|status| (400..500).contains(status)));
    assert!(resident_kib(&server).saturating_sub(before) < 32 * 1024);
    still_serves(&server);
}

#[test]
fn as_a_path_or_header() {
    let server = impatient_server();
    let noise = noise("no path", 200 * 400);
    for (turn, piece) in noise.chunks(200).enumerate() {
        let mut message = b"GET /".to_vec();
        match turn % 4 {
            0 => message.extend(piece),
            1 => message.extend([b"v2/", piece].concat()),
            2 => message.extend([b"api/v1/projects/", piece].concat()),
            _ => message.extend([b"v2/ HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ", piece].concat()),
        }
        message.extend(b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let seen = statuses(&Wire::open(server.addr()).exchange(&message));
        assert!(seen.iter().all(|status| (400..500).contains(status)), "{seen:?} to {piece:02x?}");
    }
    for target in [
        "/v2/%00",
        "/v2/%ff%fe/tags/list",
        "/v2/..%2f..%2fetc%2fpasswd",
        "/api/v1/projects/%2e%2e%2fx",
        "/%",
        "/v2/%zz/tags/list",
    ] {
        let message = format!("GET {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let seen = statuses(&Wire::open(server.addr()).exchange(message.as_bytes()));
        assert!(matches!(seen[..], [400..=499]), "{target}: {seen:?}");
    }
    still_serves(&server);
}
