//! HTTP/2 frames written by hand: floods that other servers paid for with memory or processor time.

use hythe_testbed::{Hythe, noise};

use super::numbers::resident_kib;
use super::wire::{Wire, admin_authorization};
use super::{server, still_serves};

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a connection under attack may cost, in KiB.
const BOUND_KIB: u64 = 32 * 1024;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Header fields as HPACK writes them without a table: `0`, length and name, length and value.
fn fields(fields: &[(&str, &str)]) -> Vec<u8> {
    fn length(bytes: &mut Vec<u8>, length: usize) {
        if length < 127 {
            return bytes.push(u8::try_from(length).unwrap());
        }
        bytes.push(127);
        let mut rest = length - 127;
        while rest >= 128 {
            bytes.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        bytes.push(u8::try_from(rest).unwrap());
    }
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        length(&mut bytes, name.len());
        bytes.extend(name.as_bytes());
        length(&mut bytes, value.len());
        bytes.extend(value.as_bytes());
    }
    bytes
}

fn get(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut all = vec![(":method", "GET"), (":scheme", "http"), (":authority", "h"), (":path", path)];
    all.extend(more);
    fields(&all)
}

fn http2() -> Hythe {
    server(&[("HYTHE_TLS_HTTP2", "true")])
}

/// A connection that has sent its preface and settings.
fn greet(server: &Hythe, settings: &[u8]) -> Wire {
    let mut wire = Wire::open(server.addr());
    assert!(wire.send([&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, settings)].concat()));
    wire
}

/// The kinds of the frames in `bytes`.
fn kinds(mut bytes: &[u8]) -> Vec<u8> {
    let mut kinds = Vec::new();
    while let [a, b, c, kind, rest @ ..] = bytes {
        kinds.push(*kind);
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize + 5;
        bytes = rest.get(length..).unwrap_or_default();
    }
    kinds
}

#[track_caller]
fn bounded(server: &Hythe, before: u64) {
    let grown = resident_kib(server).saturating_sub(before);
    assert!(grown < BOUND_KIB, "{grown} KiB");
    still_serves(server);
}

#[test]
fn rapid_reset() {
    let server = http2();
    let before = resident_kib(&server);
    let block = get("/healthz", &[]);
    let mut wire = greet(&server, &[]);
    let mut flood = Vec::new();
    for stream in (1..60_001).step_by(2) {
        flood.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &block));
        flood.extend(frame(RESET, 0, stream, &8_u32.to_be_bytes()));
    }
    // 30,000 requests opened and taken back: the server says GOAWAY, or stops reading, or copes.
    wire.flood(&flood);
    bounded(&server, before);
}

#[test]
fn continuation_flood() {
    let server = http2();
    let before = resident_kib(&server);
    let mut wire = greet(&server, &[]);
    wire.send(frame(HEADERS, END_STREAM, 1, &get("/healthz", &[])));
    let piece = fields(&[("x-more", &"x".repeat(16_000))]);
    let flood = frame(CONTINUATION, 0, 1, &piece).repeat(4_000);
    assert!(!wire.flood(&flood), "64 MiB of one request's header are not read to the end");
    bounded(&server, before);
}

#[test]
fn empty_continuations() {
    let server = http2();
    let before = resident_kib(&server);
    let mut wire = greet(&server, &[]);
    wire.send(frame(HEADERS, END_STREAM, 1, &get("/healthz", &[])));
    let flood = frame(CONTINUATION, 0, 1, &[]).repeat(500_000);
    assert!(!wire.flood(&flood), "half a million empty frames of one header are not read to the end");
    bounded(&server, before);
}

#[test]
fn settings_and_pings() {
    let server = http2();
    let before = resident_kib(&server);
    for flood in [frame(SETTINGS, 0, 0, &[]).repeat(500_000), frame(PING, 0, 0, b"12345678").repeat(500_000)]
    {
        // Each asks for an acknowledgement that is not read.
        greet(&server, &[]).flood(&flood);
    }
    bounded(&server, before);
}

#[test]
fn a_header_list_that_is_too_long() {
    let server = server(&[("HYTHE_TLS_HTTP2", "true"), ("HYTHE_LIMITS_IDLE_SECONDS", "1")]);
    let before = resident_kib(&server);
    let mut wire = greet(&server, &[]);
    let filler = "x".repeat(4_000);
    let long =
        get("/healthz", &[("a", &filler), ("b", &filler), ("c", &filler), ("d", &filler), ("e", &filler)]);
    let (first, rest) = long.split_at(16_000);
    wire.send(frame(HEADERS, END_STREAM, 1, first));
    wire.send(frame(CONTINUATION, END_HEADERS, 1, rest));
    let answer = wire.rest();
    // An answer (1, its status is packed), or the stream (3) or the connection (7) refused.
    let kinds = kinds(&answer);
    assert!(kinds.contains(&3) || kinds.contains(&7) || kinds.contains(&1), "{kinds:?}");
    assert!(!answer.windows(4).any(|window| window == b"\"ok\""), "the request was not served");
    bounded(&server, before);
}

#[test]
fn streams_nobody_reads() {
    let server = http2();
    let digest = server.admin().push_blob("lab/app", &noise("unread", 16 << 20));
    let before = resident_kib(&server);
    // A window of no bytes for every stream.
    let mut wire = greet(&server, &[0, 4, 0, 0, 0, 0]);
    let authorization = admin_authorization(&server);
    let block = get(&format!("/v2/lab/app/blobs/{digest}"), &[("authorization", &authorization)]);
    for stream in (1..=255).step_by(2) {
        wire.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, &block));
    }
    std::thread::sleep(std::time::Duration::from_secs(2));
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 128 * 512, "{grown} KiB for 128 streams");
    still_serves(&server);
}
