//! A server that answers each `GET /START-END` with that range of one file, and a raw client.

use std::convert::Infallible;
use std::fs::File;
use std::io::Write as _;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::header::CONTENT_LENGTH;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hythe_sendfile::{FileBody, FileSender, Lane};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes that differ from place to place.
pub(crate) fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    });
    words.flat_map(u64::to_le_bytes).take(length).collect()
}

/// A file of these bytes, in the page cache of a real disk.
pub(crate) fn file_of(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(file)
}

type Answer = Response<StreamBody<FrameStream>>;

/// A body's windows as frames.
pub(crate) struct FrameStream(FileBody);

impl futures_util::Stream for FrameStream {
    type Item = std::io::Result<Frame<Bytes>>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        std::pin::Pin::new(&mut self.0)
            .poll_next(context)
            .map(|next| next.map(|bytes| bytes.map(Frame::data)))
    }
}

fn answer(request: &Request<Incoming>, lane: &Lane, file: &Arc<File>) -> Answer {
    let (start, end) = request.uri().path()[1..].split_once('-').unwrap();
    let range: Range<u64> = start.parse().unwrap()..end.parse().unwrap();
    let length = range.end - range.start;
    let body = StreamBody::new(FrameStream(lane.body(Arc::clone(file), range)));
    Response::builder().header(CONTENT_LENGTH, length).body(body).unwrap()
}

/// A client's end of a connection to a server of `file`, and how that server's end ended.
pub(crate) async fn connect(file: &Arc<File>) -> (TcpStream, JoinHandle<Result<(), hyper::Error>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let file = Arc::clone(file);
    let served = tokio::spawn(async move {
        let sender = FileSender::new(stream);
        let lane = sender.lane();
        let service = service_fn(move |request| {
            let answer = answer(&request, &lane, &file);
            async { Ok::<_, Infallible>(answer) }
        });
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(sender), service).await
    });
    (client, served)
}

/// Asks for one range.
pub(crate) async fn ask(client: &mut TcpStream, range: Range<usize>) {
    ask_all(client, &[range]).await;
}

/// Asks for ranges, all at once (pipelined).
pub(crate) async fn ask_all(client: &mut TcpStream, ranges: &[Range<usize>]) {
    let asked: String = ranges
        .iter()
        .map(|range| format!("GET /{}-{} HTTP/1.1\r\nHost: h\r\n\r\n", range.start, range.end))
        .collect();
    client.write_all(asked.as_bytes()).await.unwrap();
}

/// Reads one answer's head and `length` bytes of body.
pub(crate) async fn read_answer(client: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains(&format!("content-length: {length}\r\n")), "{head}");
    let mut body = vec![0; length];
    client.read_exact(&mut body).await.unwrap();
    body
}
