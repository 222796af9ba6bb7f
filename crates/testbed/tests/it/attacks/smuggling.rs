//! Request smuggling: messages whose end two readers could see at different places. Whatever a proxy before us made
//! of such a message, the bytes that may be a second request must never be answered.

use super::wire::{Wire, statuses};
use super::{impatient_server, still_serves};

/// The request that must not be seen; `/healthz` would answer it 200 whoever asks.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: hidden\r\n\r\n";

/// Messages with framing that is ambiguous or broken, each followed by [`HIDDEN`].
fn ambiguous() -> Vec<(&'static str, String)> {
    let post =
        |framing: &str, body: &str| format!("POST /token HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n{body}");
    let hidden = HIDDEN.len();
    vec![
        (
            "length and chunks",
            post(&format!("Content-Length: {}\r\nTransfer-Encoding: chunked", hidden + 5), "0\r\n\r\n"),
        ),
        (
            "chunks and length",
            post(&format!("Transfer-Encoding: chunked\r\nContent-Length: {}", hidden + 5), "0\r\n\r\n"),
        ),
        ("two lengths", post(&format!("Content-Length: 0\r\nContent-Length: {hidden}"), "")),
        ("two lengths in a list", post(&format!("Content-Length: 0, {hidden}"), "")),
        ("a length with a sign", post("Content-Length: +0", "")),
        ("a negative length", post("Content-Length: -1", "")),
        ("a hexadecimal length", post("Content-Length: 0x0", "")),
        ("a length beyond 64 bits", post("Content-Length: 18446744073709551616", "")),
        ("an empty length", post("Content-Length: ", "")),
        ("a length with a blank", post("Content-Length: 0 0", "")),
        ("an unknown coding", post("Transfer-Encoding: xchunked", "0\r\n\r\n")),
        ("chunks that are not the last coding", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n")),
        (
            "two codings in two lines",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", "0\r\n\r\n"),
        ),
        ("chunks twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n")),
        ("a coding before the chunks", post("Transfer-Encoding: gzip, chunked", "0\r\n\r\n")),
        ("a coding in quotes", post("Transfer-Encoding: \"chunked\"", "0\r\n\r\n")),
        ("a coding with a vertical tab", post("Transfer-Encoding: \x0bchunked", "0\r\n\r\n")),
        ("a folded coding", post("Transfer-Encoding:\r\n chunked", "0\r\n\r\n")),
        ("a folded line", post("X-Folded: a\r\n b\r\nContent-Length: 0", "")),
        ("a blank before the colon", post("Content-Length : 0", "")),
        ("a tab before the colon", post("Transfer-Encoding\t: chunked", "0\r\n\r\n")),
        ("a blank before the first line", post(" X: y\r\nContent-Length: 0", "")),
        ("a line without a colon", post("Content-Length 0", "")),
        ("a bare return in a value", post("X: a\rContent-Length: 40", "")),
        ("a bare return at a line's end", post("X: a\r\rContent-Length: 0", "")),
        ("a zero byte in a value", post("X: a\0b", "")),
        ("a zero byte in a name", post("X\0: a", "")),
        ("a chunk size beyond 64 bits", post("Transfer-Encoding: chunked", "10000000000000000\r\n")),
        ("a chunk size with a sign", post("Transfer-Encoding: chunked", "+0\r\n\r\n")),
        ("a chunk size with 0x", post("Transfer-Encoding: chunked", "0x0\r\n\r\n")),
        ("a chunk without its end", post("Transfer-Encoding: chunked", "1\r\nxx0\r\n\r\n")),
        ("a chunk that ends in a bare newline", post("Transfer-Encoding: chunked", "1\r\nx\n0\r\n\r\n")),
        ("a chunk extension with a bare newline", post("Transfer-Encoding: chunked", "1;a\nx\r\n0\r\n\r\n")),
        (
            "chunks in HTTP/1.0",
            "POST /token HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
        ),
        ("an unknown version", "POST /token HTTP/1.9\r\nHost: h\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("a version of two digits", "POST /token HTTP/1.10\r\nHost: h\r\n\r\n".to_owned()),
        ("two hosts", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned()),
    ]
}

#[test]
fn what_follows_an_ambiguous_message_is_not_answered() {
    let server = impatient_server();
    let mut wrong = Vec::new();
    for (name, message) in ambiguous() {
        let answers = Wire::open(server.addr()).exchange(format!("{message}{HIDDEN}").as_bytes());
        let seen = statuses(&answers);
        // At most one refusal, and the connection ends with it.
        let refused = matches!(seen[..], [] | [400..=499 | 501 | 505]);
        if !refused {
            wrong.push(format!("{name}: {seen:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    still_serves(&server);
}

#[test]
fn floods_within_the_chunk_framing_end() {
    let server = impatient_server();
    let head = "POST /token HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
    let extension = format!("1;{}\r\nx\r\n", "e".repeat(1 << 20));
    let extensions = format!("1;{}\r\nx\r\n", "e".repeat(60)).repeat(20_000);
    let trailer = format!("0\r\nX: {}\r\n\r\n", "t".repeat(2 << 20));
    let trailers = format!("0\r\n{}\r\n", "a: b\r\n".repeat(100_000));
    for body in [extension, extensions, trailer, trailers] {
        let answers = Wire::open(server.addr()).exchange(format!("{head}{body}").as_bytes());
        assert!(
            statuses(&answers).iter().all(|status| (400..500).contains(status)),
            "{:?}",
            statuses(&answers)
        );
    }
    still_serves(&server);
}

/// A lone newline may end a line (RFC 9112, 2.2); it must end it for body and head alike, once.
#[test]
fn bare_newlines_hide_nothing() {
    let server = impatient_server();
    let message = format!(
        "POST /token HTTP/1.1\nHost: h\nContent-Length: {}\nConnection: close\n\n{HIDDEN}",
        HIDDEN.len()
    );
    let seen = statuses(&Wire::open(server.addr()).exchange(message.as_bytes()));
    assert!(matches!(seen[..], [400..=499]), "{seen:?}");
    still_serves(&server);
}
