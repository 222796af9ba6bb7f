//! One test for each row of the table of limits in `docs/configuration.md` that is a size or a number; those that
//! are times are in `pace`, and memory in `memory`.

use std::time::{Duration, Instant};

use hythe_testbed::http::Body;
use hythe_testbed::{Actor, Hythe, Role, location_path};

use super::numbers::metric;
use super::wire::{Wire, statuses};
use super::{server, still_serves};

/// A GET with these further header lines.
fn head(lines: &str) -> String {
    format!("GET /v2/ HTTP/1.1\r\nHost: h\r\n{lines}Connection: close\r\n\r\n")
}

fn answer(server: &Hythe, request: impl AsRef<[u8]>) -> (Vec<u16>, String) {
    let bytes = Wire::open(server.addr()).exchange(request.as_ref());
    (statuses(&bytes), String::from_utf8_lossy(&bytes).into_owned())
}

#[test]
fn head_bytes() {
    let server = server(&[]);
    let long = format!("X-Filler: {}\r\n", "x".repeat(16 * 1024));
    let (statuses, text) = answer(&server, head(&long));
    assert_eq!(statuses, [431], "{text}");
    assert!(text.contains("16384 bytes"), "{text}");
    // A head that never ends is not read for ever.
    let endless = format!("GET /v2/ HTTP/1.1\r\nHost: h\r\nX: {}", "x".repeat(2 << 20));
    assert_eq!(answer(&server, endless).0, [431]);
    assert!(
        metric(&server, "hythe_http_requests_total{route=\"other\",method=\"GET\",status=\"431\"}") >= 1.0
    );
    still_serves(&server);
}

#[test]
fn header_lines() {
    let server = server(&[]);
    assert_eq!(answer(&server, head(&"a: b\r\n".repeat(90))).0, [401]);
    assert_eq!(answer(&server, head(&"a: b\r\n".repeat(120))).0, [431]);
    assert_eq!(answer(&server, head(&"a: b\r\n".repeat(20_000))).0, [431]);
    // A client may hear of the end of its connection before that is counted.
    let begun = Instant::now();
    while metric(&server, "hythe_connections_cut_total{reason=\"malformed\"}") < 2.0 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is not counted");
        std::thread::sleep(Duration::from_millis(10));
    }
    still_serves(&server);
}

#[test]
fn target_bytes() {
    let server = server(&[]);
    for path in ["/v2/", "/api/v1/", "/token?scope=", "/"] {
        let request =
            format!("GET {path}{} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "x".repeat(9_000));
        let (statuses, text) = answer(&server, request);
        assert_eq!(statuses, [414], "{text}");
    }
    assert!(
        metric(&server, "hythe_http_requests_total{route=\"other\",method=\"GET\",status=\"414\"}") >= 4.0
    );
    still_serves(&server);
}

#[test]
fn method_bytes() {
    let server = server(&[]);
    for path in ["/v2/lab/app/tags/list", "/api/v1/projects", "/token", "/"] {
        let request =
            |method: &str| format!("{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let (statuses, text) = answer(&server, request(&"M".repeat(200_000)));
        assert_eq!(statuses, [400], "{}", text.len());
        assert!(text.len() < 2_000, "{}", text.len());
        let (statuses, text) = answer(&server, request("PROPFIND"));
        assert!(statuses.len() == 1 && (401..=405).contains(&statuses[0]), "{text}");
    }
    assert!(server.logs("MMMM"), "{}", server.log());
    assert!(server.log().lines().all(|line| line.len() < 2_000));
    still_serves(&server);
}

/// Whoever has no account writes no more into the log than others do.
#[test]
fn names_in_the_log() {
    let server = server(&[]);
    let name = "n".repeat(50_000);
    let form =
        format!("grant_type=password&service=s&client_id=c&username={name}&password={}", "p".repeat(300));
    let answer = server.anonymous().ask("POST", "/token");
    let answer = answer.header("Content-Type", "application/x-www-form-urlencoded");
    answer.body(Body::Whole(form.into_bytes())).send().is(401);
    assert!(server.logs("a sign-in failed"), "{}", server.log());
    assert!(server.log().lines().all(|line| line.len() < 2_000));
}

#[test]
fn bodies() {
    let server = server(&[]);
    let admin = server.admin();
    let kind = "application/vnd.oci.image.manifest.v1+json";
    for (method, path, kind, limit) in [
        ("PUT", "/v2/lab/app/manifests/v1", kind, 4 << 20),
        ("POST", "/api/v1/projects", "application/json", 64 << 10),
        ("POST", "/token", "application/x-www-form-urlencoded", 64 << 10),
    ] {
        let bytes = vec![b' '; limit + 1];
        let pieces: Vec<Vec<u8>> = bytes.chunks(100_000).map(<[u8]>::to_vec).collect();
        for body in [Body::Whole(bytes), Body::Chunked(pieces)] {
            let refused = admin.ask(method, path).header("Content-Type", kind).body(body).send().is(413);
            assert!(String::from_utf8_lossy(&refused.body).contains("bytes"), "{refused}");
        }
    }
    for route in ["put_manifest", "projects", "token"] {
        let text = String::from_utf8(server.anonymous().get("/metrics").body).unwrap();
        let counted = text.lines().any(|line| {
            line.starts_with("hythe_http_requests_total{") && line.contains(route) && line.contains("\"413\"")
        });
        assert!(counted, "{route} in {text}");
    }
    still_serves(&server);
}

#[test]
fn connections_per_address() {
    let server = server(&[("HYTHE_LIMITS_CONNECTIONS_PER_ADDRESS", "5")]);
    refuses_the_sixth(&server, "address_full");
}

#[test]
fn connections_in_all() {
    let server = server(&[("HYTHE_LIMITS_CONNECTIONS", "5")]);
    refuses_the_sixth(&server, "server_full");
}

fn refuses_the_sixth(server: &Hythe, reason: &str) {
    // A connection counts from its acceptance, which an answer proves.
    let mut held: Vec<Wire> = Vec::new();
    for _ in 0..100 {
        let mut wire = Wire::open(server.addr());
        wire.send("GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n");
        let begin = String::from_utf8(wire.take(12)).unwrap();
        if begin == "HTTP/1.1 503" {
            let text = String::from_utf8(wire.rest()).unwrap();
            assert!(text.contains("Retry-After") && text.ends_with(".\n"), "{text}");
            assert_eq!(held.len(), 5);
            held.clear();
            // The seats come back when the server has seen the connections go.
            while metric_if_let_in(server).is_none() {
                std::thread::sleep(Duration::from_millis(20));
            }
            let refused = metric(server, &format!("hythe_connections_refused_total{{reason=\"{reason}\"}}"));
            assert!(refused >= 1.0, "{refused}");
            still_serves(server);
            return;
        }
        assert_eq!(begin, "HTTP/1.1 200");
        held.push(wire);
    }
    panic!("a hundred connections were let in");
}

fn metric_if_let_in(server: &Hythe) -> Option<()> {
    let mut wire = Wire::open(server.addr());
    wire.send("GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    (wire.take(12) == b"HTTP/1.1 200").then_some(())
}

#[test]
fn uploads_per_user() {
    let server = server(&[("HYTHE_LIMITS_UPLOADS_PER_USER", "3")]);
    let pat = server.create_user("pat", "a long password");
    server.add_member("lab", "pat", Role::Pusher);
    let open = |actor: &Actor| actor.post("/v2/lab/app/blobs/uploads/");

    // Twelve at once get three places.
    let opened: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..12).map(|_| scope.spawn(|| open(&pat))).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    let (taken, refused): (Vec<_>, Vec<_>) = opened.into_iter().partition(|answer| answer.status == 202);
    assert_eq!(taken.len(), 3);
    for refused in refused {
        let refused = refused.is(429).code("TOOMANYREQUESTS");
        refused.must("retry-after");
        let error = refused.error();
        assert!(error["message"].as_str().unwrap().starts_with("You have 3 uploads open"), "{error}");
    }
    // Nobody else is bound by that, and an ended upload makes room.
    open(&server.admin()).is(202);
    pat.delete(&location_path(&taken[0])).is(204);
    open(&pat).is(202);
    open(&pat).is(429);
    assert!(
        metric(&server, "hythe_http_requests_total{route=\"start_upload\",method=\"POST\",status=\"429\"}")
            >= 10.0
    );
    assert!(metric(&server, "hythe_uploads_open") >= 4.0);
    still_serves(&server);
}

#[test]
fn password_checks_at_once() {
    let server = server(&[("HYTHE_LIMITS_PASSWORD_CHECKS", "1"), ("HYTHE_LIMITS_PASSWORD_QUEUE", "1")]);
    let addr = server.addr();
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..24)
            .map(|guess| {
                // Names differ, so that no one of them is throttled.
                let guesser = Actor::basic(addr, &format!("user-{guess}"), "a guess of mine");
                scope.spawn(move || guesser.get("/v2/"))
            })
            .collect();
        let answers = guesses.into_iter().map(|guess| guess.join().unwrap());
        answers
            .map(|answer| {
                if answer.status == 503 {
                    answer.must("retry-after");
                }
                answer.one_of(&[401, 503]).status
            })
            .collect()
    });
    assert!(answers.contains(&401), "{answers:?}");
    assert!(answers.contains(&503), "24 sign-ins at once and 2 places: {answers:?}");
    assert!(metric(&server, "hythe_password_checks_total") >= 1.0);
    still_serves(&server);
}

#[test]
fn failed_sign_ins() {
    let server = server(&[]);
    let (name, _) = server.admin_login();
    let answers: Vec<u16> = (0..12)
        .map(|guess| Actor::basic(server.addr(), name, &format!("guess {guess}")).get("/v2/").status)
        .collect();
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 2, "{answers:?}");
    // Other names are not slowed down by it.
    Actor::basic(server.addr(), "nobody", "another guess").get("/v2/").is(401);
}
