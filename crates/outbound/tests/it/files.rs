//! Bodies out of files: to a plain server, and over ways on which they have to be read.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use hythe_outbound::{Body, Content, Method, Outbound, OutboundError, Request, Response, StatusCode, Url};

use super::scripted::{Reply, Scripted, Seen};
use super::{get, outbound};

const MEBIBYTE: usize = 1 << 20;

/// Bytes that differ from place to place, in a file.
fn file(length: usize) -> (Vec<u8>, Arc<File>) {
    let bytes: Vec<u8> =
        (0_u32..).flat_map(|at| at.wrapping_mul(0x9e37_79b9).to_le_bytes()).take(length).collect();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    (bytes, Arc::new(file))
}

async fn put(
    outbound: &Outbound,
    base: &str,
    size: usize,
    content: Content,
) -> Result<Response, OutboundError> {
    let url = Url::parse(&format!("{base}/blob?digest=x")).unwrap();
    outbound.send(Request::new(Method::PUT, url).body(Body::stream(size as u64, content))).await
}

#[tokio::test]
async fn a_files_range_arrives_as_any_other_body_does() {
    let server = Scripted::start(|_| Reply::new(201).header("Docker-Content-Digest", "d").body("made"));
    let (bytes, file) = file(5 * MEBIBYTE + 3);
    let size = bytes.len() - 7;
    let content = Content::file(file, 7..bytes.len() as u64);
    let answer = put(&outbound(), &server.base, size, content).await.unwrap();
    assert_eq!((answer.status(), answer.url().path()), (StatusCode::CREATED, "/blob"));
    assert_eq!(answer.headers()["docker-content-digest"], "d");
    assert_eq!(answer.bytes(100).await.unwrap(), "made");
    outbound().send(get(&server.base)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].target, "/blob?digest=x");
    assert_eq!(seen[0].header("content-length"), Some(size.to_string().as_str()));
    for name in ["host", "user-agent", "accept"] {
        assert_eq!(seen[0].header(name), seen[1].header(name), "{name}");
    }
    assert!(seen[0].body == bytes[7..]);
}

#[tokio::test]
async fn what_is_cut_short_and_counted_is_sent_so() {
    let server = Scripted::start(|_| Reply::new(202));
    let (bytes, file) = file(2 * MEBIBYTE);
    let size = MEBIBYTE + 100;
    let content = Content::file(file, 0..bytes.len() as u64).map(move |pieces| {
        let mut left = size;
        pieces.map(move |piece| {
            piece.map(|mut piece| {
                piece.truncate(left);
                left -= piece.len();
                piece
            })
        })
    });
    let counted = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&counted);
    let content = content.map(|pieces| {
        pieces.inspect(move |piece| {
            count.fetch_add(piece.as_ref().unwrap().len(), std::sync::atomic::Ordering::Relaxed);
        })
    });
    put(&outbound(), &server.base, size, content).await.unwrap();
    assert!(server.seen()[0].body == bytes[..size]);
    assert_eq!(counted.load(std::sync::atomic::Ordering::Relaxed), size);
}

#[tokio::test]
async fn one_after_another_they_go_over_one_connection() {
    let server = Scripted::start(|_| Reply::new(201).kept());
    let (bytes, file) = file(3 * MEBIBYTE);
    let outbound = outbound();
    // The first is cut short: what was handed out for the rest of its file is in nobody's way.
    let cut = Content::file(Arc::clone(&file), 0..bytes.len() as u64)
        .map(|pieces| pieces.map(|piece| piece.map(|piece| piece.slice(..piece.len().min(300_000)))).take(1));
    put(&outbound, &server.base, 300_000, cut).await.unwrap().bytes(0).await.unwrap();
    for from in [0, 100_usize] {
        let content = Content::file(Arc::clone(&file), from as u64..bytes.len() as u64);
        let answer = put(&outbound, &server.base, bytes.len() - from, content).await.unwrap();
        answer.bytes(0).await.unwrap();
    }
    let seen = server.seen();
    assert!(seen[0].body == bytes[..300_000] && seen[1].body == bytes && seen[2].body == bytes[100..]);
    assert_eq!([&seen[1].from, &seen[2].from], [&seen[0].from; 2]);
}

#[tokio::test]
async fn at_the_same_time_they_go_over_connections_of_their_own() {
    let server = Scripted::start(|_| Reply::new(201).kept());
    let (bytes, file) = file(3 * MEBIBYTE);
    let outbound = outbound();
    let one = || async {
        let content = Content::file(Arc::clone(&file), 0..bytes.len() as u64);
        put(&outbound, &server.base, bytes.len(), content).await.unwrap().bytes(0).await.unwrap();
    };
    tokio::join!(one(), one());
    let seen = server.seen();
    assert!(seen[0].body == bytes && seen[1].body == bytes);
    assert_ne!(seen[0].from, seen[1].from);
}

#[tokio::test]
async fn a_connection_that_was_given_up_or_refused_is_not_used_again() {
    let early = |seen: &Seen| (seen.header("content-length") == Some("33554432")).then_some(MEBIBYTE);
    let server = Scripted::start_cutting(early, |seen| match seen.header("content-length") {
        Some("33554432") => Reply::new(413).early(),
        Some("3145728") => Reply::silence(),
        _ => Reply::new(201).kept(),
    });
    let (bytes, file) = file(32 * MEBIBYTE);
    let outbound = outbound();
    let send = |size: usize| {
        let content = Content::file(Arc::clone(&file), 0..size as u64);
        put(&outbound, &server.base, size, content)
    };
    send(2 * MEBIBYTE).await.unwrap().bytes(0).await.unwrap();
    let heard = async {
        while server.seen().len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        answer = send(3 * MEBIBYTE) => panic!("it was not to be answered: {answer:?}"),
        () = heard => {}
    }
    assert_eq!(send(32 * MEBIBYTE).await.unwrap().status(), StatusCode::PAYLOAD_TOO_LARGE);
    send(2 * MEBIBYTE).await.unwrap().bytes(0).await.unwrap();
    let seen = server.seen();
    assert!(seen[3].body == bytes[..2 * MEBIBYTE]);
    assert_eq!(seen[1].from, seen[0].from, "what was answered is used again");
    assert_ne!(seen[2].from, seen[1].from, "what was given up is not");
    assert_ne!(seen[3].from, seen[2].from, "what was refused before its end is not");
}

#[tokio::test]
async fn over_a_unix_socket_it_is_read() {
    let server = Scripted::start(|_| Reply::new(201));
    let (bytes, file) = file(3 * MEBIBYTE + 1);
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    let address = server.base.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        relay(stream, &address);
    });
    let outbound = Outbound::builder().unix_socket(socket).build().unwrap();
    let content = Content::file(file, 0..bytes.len() as u64);
    put(&outbound, "http://engine", bytes.len(), content).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("host"), Some("engine"));
    assert!(seen[0].body == bytes);
}

/// Both ways, until the server hangs up.
fn relay(mut stream: UnixStream, address: &str) {
    let mut server = std::net::TcpStream::connect(address).unwrap();
    let (mut from, mut to) = (stream.try_clone().unwrap(), server.try_clone().unwrap());
    std::thread::spawn(move || io::copy(&mut from, &mut to));
    io::copy(&mut server, &mut stream).unwrap();
}

#[tokio::test]
async fn a_refusal_before_the_end_is_heard() {
    let server = Scripted::start_cutting(|_| Some(MEBIBYTE), |_| Reply::new(413).early());
    let (bytes, file) = file(32 * MEBIBYTE);
    let content = Content::file(file, 0..bytes.len() as u64);
    let answer = put(&outbound(), &server.base, bytes.len(), content).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_file_that_ends_early_breaks_the_exchange_off() {
    let server = Scripted::start(|_| Reply::new(201));
    let (bytes, file) = file(MEBIBYTE);
    let size = 2 * bytes.len();
    let broken = put(&outbound(), &server.base, size, Content::file(file, 0..size as u64)).await.unwrap_err();
    assert!(matches!(broken, OutboundError::Broken { .. }), "{broken}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_hangs_up_is_silent_or_absent_is_told() {
    let (bytes, file) = file(32 * MEBIBYTE);
    let content = || Content::file(Arc::clone(&file), 0..bytes.len() as u64);
    let server = Scripted::start_cutting(|_| Some(MEBIBYTE), |_| Reply::hang_up());
    let broken = put(&outbound(), &server.base, bytes.len(), content()).await.unwrap_err();
    assert!(matches!(broken, OutboundError::Broken { .. }), "{broken}");
    let server = Scripted::start(|_| Reply::silence());
    let patient = Outbound::builder().idle_timeout(Duration::from_millis(300)).build().unwrap();
    let broken = put(&patient, &server.base, bytes.len(), content()).await.unwrap_err();
    assert!(matches!(broken, OutboundError::Timeout { .. }), "{broken}");
    let refused = put(&outbound(), "http://127.0.0.1:1", bytes.len(), content()).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "cannot connect to http://127.0.0.1:1: Connection refused (os error 111)"
    );
}
