//! An upload session as a scripted registry keeps one.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::stream::BoxStream;
use hythe_remote::{Upload, in_memory};

use crate::scripted::{Reply, Scripted, Seen};
use crate::{digest, open, repository};

/// Where the session says it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    /// On another path with each step, with a query that must come back.
    Relative,
    /// The same with scheme and host.
    Absolute,
}

/// One session; clones are the same one.
#[derive(Clone)]
pub(crate) struct Session {
    held: Arc<Mutex<Held>>,
    location: Location,
}

#[derive(Default)]
struct Held {
    bytes: Vec<u8>,
    steps: usize,
    opened: usize,
    stored: Option<Vec<u8>>,
}

impl Session {
    pub(crate) fn new(location: Location) -> Self {
        Self { held: Arc::default(), location }
    }

    /// The blob, once the upload was closed.
    pub(crate) fn stored(&self) -> Option<Vec<u8>> {
        self.held.lock().unwrap().stored.clone()
    }

    /// Takes bytes that no request has closed.
    pub(crate) fn keep(&self, bytes: &[u8]) {
        self.held.lock().unwrap().bytes.extend(bytes);
    }

    /// How many sessions were opened.
    pub(crate) fn opened(&self) -> usize {
        self.held.lock().unwrap().opened
    }

    /// Answers as a registry that holds to the specification.
    pub(crate) fn answer(&self, request: &Seen) -> Reply {
        let mut held = self.held.lock().unwrap();
        let query = request.target.split_once('?').map_or("", |(_, query)| query);
        match request.method.as_str() {
            "POST" => {
                held.bytes.clear();
                held.opened += 1;
                self.stands(202, request, &mut held)
            }
            "HEAD" => Reply::new(if held.stored.is_some() { 200 } else { 404 }),
            _ if !query.contains("state=a%2Fb") => Reply::new(400).body("the query was lost"),
            _ if held.stored.is_some() || held.opened == 0 => Reply::new(404),
            "GET" => self.stands(204, request, &mut held),
            "DELETE" => {
                held.opened = 0;
                Reply::new(204)
            }
            _ if !in_order(request, &held) => self.stands(416, request, &mut held),
            "PATCH" => {
                held.bytes.extend(&request.body);
                self.stands(202, request, &mut held)
            }
            _ => {
                held.bytes.extend(&request.body);
                let got = digest(&held.bytes).to_string();
                if !query.contains(&got.replace(':', "%3A")) {
                    return Reply::new(400).body(r#"{"errors":[{"code":"DIGEST_INVALID"}]}"#);
                }
                held.stored = Some(std::mem::take(&mut held.bytes));
                Reply::new(201).header("Docker-Content-Digest", got)
            }
        }
    }

    fn stands(&self, status: u16, request: &Seen, held: &mut Held) -> Reply {
        held.steps += 1;
        let path = format!("/v2/lab/app/blobs/uploads/step{}?state=a%2Fb", held.steps);
        let location = match self.location {
            Location::Relative => path,
            Location::Absolute => format!("http://{}{path}", request.header("host").unwrap()),
        };
        let last = held.bytes.len().saturating_sub(1);
        Reply::new(status).header("Location", location).header("Range", format!("0-{last}"))
    }
}

/// Whether a piece begins where the last one ended.
fn in_order(request: &Seen, held: &Held) -> bool {
    request
        .header("content-range")
        .is_none_or(|range| range.split_once('-').unwrap().0.parse() == Ok(held.bytes.len()))
}

/// What is uploaded.
pub(crate) const HELLO: &[u8] = b"hello world";

/// A part of it, as size and content.
pub(crate) fn hello(
    from: usize,
    to: usize,
) -> (u64, impl Fn(u64) -> BoxStream<'static, io::Result<Bytes>> + Send + Sync) {
    ((to - from) as u64, in_memory(Bytes::from_static(&HELLO[from..to])))
}

/// The methods of all requests until now.
pub(crate) fn methods(registry: &Scripted) -> Vec<String> {
    registry.seen().into_iter().map(|seen| seen.method).collect()
}

/// An upload to the repository of these tests.
pub(crate) async fn started(registry: &Scripted) -> Upload {
    open(registry).start_upload(&repository(), None).await.unwrap()
}
