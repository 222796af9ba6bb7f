//! The bytes of a blob, or of a part of one, across as many connections as it takes.
//!
//! Invariants: every byte comes once and in order; one window of bytes is in memory; what the server says of
//! the range it sends is held against what was asked for; a blob is never longer than it should be.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use hythe_oci::Digest;
use hythe_outbound::{HeaderValue, Method, OutboundError, Request, Response, StatusCode, Url, header};

use crate::content_range::{Served, served};
use crate::retry::Attempts;
use crate::scope::Scope;
use crate::{Remote, RemoteError};

/// After so many bytes a connection has proved useful, and what failed before it is forgotten. A server that
/// hangs up after every few bytes is not followed for ever.
pub(crate) const USEFUL: u64 = 64 * 1024;

type Body = Pin<Box<dyn Stream<Item = Result<Bytes, OutboundError>> + Send>>;

/// What is wanted of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of it, in bytes if known.
    Whole(Option<u64>),
    /// From the first offset up to, not including, the second, which is larger.
    Part(u64, u64),
}

/// How the first request was answered.
pub(crate) enum Opened {
    Bytes,
    /// With the whole blob, although a part was asked for.
    NoRanges,
}

/// A blob on its way here.
pub(crate) struct Transfer {
    remote: Remote,
    scope: Scope,
    url: Url,
    digest: Digest,
    attempts: Attempts,
    wanted: Wanted,
    /// The offset in the blob of the next byte to hand out.
    offset: u64,
    /// The offset after the last one, as soon as it is known.
    end: Option<u64>,
    /// What the connection sends before `offset`.
    skip: u64,
    /// Where the connection ends by its own word, if that is before `end`.
    stops: Option<u64>,
    /// The bytes handed out since the last failure.
    useful: u64,
    tag: Option<HeaderValue>,
    body: Option<Body>,
    /// Who sends: the registry or its blob store.
    server: String,
}

impl Transfer {
    pub(crate) fn new(remote: &Remote, scope: Scope, url: Url, digest: Digest, wanted: Wanted) -> Self {
        let (offset, end) = match wanted {
            Wanted::Whole(size) => (0, size),
            Wanted::Part(first, end) => (first, Some(end)),
        };
        Self {
            remote: remote.clone(),
            scope,
            url,
            digest,
            attempts: remote.attempts(format_args!("pull blob {digest}")),
            wanted,
            offset,
            end,
            skip: 0,
            stops: None,
            useful: 0,
            tag: None,
            body: None,
            server: remote.origin().to_string(),
        }
    }

    /// How many bytes there are in all, if that is known.
    pub(crate) fn len(&self) -> Option<u64> {
        self.end.map(|end| end - self.first())
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Gets the first connection, in as many attempts as it takes.
    pub(crate) async fn open(&mut self) -> Result<Opened, RemoteError> {
        loop {
            match self.connect().await {
                Ok(opened) => return Ok(opened),
                Err(error) => self.attempts.pause(error).await?,
            }
        }
    }

    /// The next bytes, never empty; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, RemoteError> {
        loop {
            let Some(body) = &mut self.body else {
                if self.is_complete() {
                    return Ok(None);
                }
                if let Opened::NoRanges = self.open().await? {
                    return Err(self
                        .remote
                        .protocol("it sent a part of a blob and then denied to know parts"));
                }
                continue;
            };
            match body.next().await {
                Some(Ok(mut chunk)) => {
                    let skipped = chunk.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                    self.skip -= skipped as u64;
                    let chunk = chunk.split_off(skipped);
                    if !chunk.is_empty() {
                        self.count(chunk.len() as u64)?;
                        return Ok(Some(chunk));
                    }
                }
                Some(Err(error)) => {
                    self.body = None;
                    if !self.is_complete() {
                        self.attempts.pause(error.into()).await?;
                    }
                }
                None => {
                    self.body = None;
                    match self.end {
                        Some(end) if self.offset < end => self.cut_short(end)?,
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn first(&self) -> u64 {
        match self.wanted {
            Wanted::Whole(_) => 0,
            Wanted::Part(first, _) => first,
        }
    }

    fn is_complete(&self) -> bool {
        self.end == Some(self.offset)
    }

    fn count(&mut self, length: u64) -> Result<(), RemoteError> {
        let offset = self.offset.saturating_add(length);
        if let Some(end) = self.end.filter(|end| offset > *end) {
            return Err(self.wrong_size(end, offset));
        }
        self.offset = offset;
        self.useful += length;
        if self.useful >= USEFUL {
            self.useful = 0;
            self.attempts.moved_on();
        }
        Ok(())
    }

    /// The body ended in due form before the blob did: a server may send less than it was asked for, if it
    /// said so and sent anything.
    fn cut_short(&mut self, end: u64) -> Result<(), RemoteError> {
        match self.stops.take() {
            Some(stops) if stops == self.offset => Ok(()),
            _ => Err(self.wrong_size(end, self.offset)),
        }
    }

    async fn connect(&mut self) -> Result<Opened, RemoteError> {
        self.useful = 0;
        let range = self.range_header();
        let tag = self.tag.clone().filter(|_| range.is_some());
        let response = self
            .remote
            .attempt(&self.scope, &self.url, &|url| {
                // What a proxy compresses on the way has neither the size nor the ranges of the blob.
                let mut request = Request::new(Method::GET, url)
                    .header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                if let Some(range) = &range {
                    request = request.header(header::RANGE, range.clone());
                }
                if let Some(tag) = &tag {
                    request = request.header(header::IF_RANGE, tag.clone());
                }
                request
            })
            .await?;
        self.server = response.origin().to_string();
        match (response.status(), self.wanted) {
            (StatusCode::OK, Wanted::Part(..)) => return Ok(Opened::NoRanges),
            (StatusCode::OK, Wanted::Whole(_)) => self.takes_whole(&response)?,
            (StatusCode::PARTIAL_CONTENT, _) if range.is_some() => self.takes_part(&response)?,
            (StatusCode::PARTIAL_CONTENT, _) => {
                return Err(self
                    .remote
                    .protocol("it sent a part of a blob although the whole was asked for"));
            }
            _ => return Err(self.remote.refusal(response).await),
        }
        self.tag = strong_tag(&response);
        self.body = Some(Box::pin(response.stream()));
        Ok(Opened::Bytes)
    }

    fn range_header(&self) -> Option<HeaderValue> {
        let text = match self.wanted {
            Wanted::Whole(_) if self.offset == 0 => return None,
            Wanted::Whole(_) => format!("bytes={}-", self.offset),
            Wanted::Part(_, end) => format!("bytes={}-{}", self.offset, end - 1),
        };
        HeaderValue::try_from(text).ok()
    }

    /// The whole blob comes, perhaps once more: what has been handed out already is passed over.
    fn takes_whole(&mut self, response: &Response) -> Result<(), RemoteError> {
        if let Some(announced) = response.content_length() {
            self.knows_size(announced)?;
        }
        (self.skip, self.stops) = (self.offset, None);
        Ok(())
    }

    fn takes_part(&mut self, response: &Response) -> Result<(), RemoteError> {
        let text = response.header(&header::CONTENT_RANGE).unwrap_or_default();
        let Some(Served { first, end, total }) = served(text) else {
            return Err(self.remote.protocol("it sent a part of a blob and does not say which"));
        };
        if first > self.offset || end <= self.offset || self.end.is_some_and(|wanted| end > wanted) {
            let asked = self.offset;
            let problem =
                format!("it was asked for a blob from {asked} on and sent the bytes {first} to {end}");
            return Err(self.remote.protocol(problem));
        }
        match (self.wanted, total) {
            (Wanted::Whole(_), Some(total)) => self.knows_size(total)?,
            (Wanted::Part(_, wanted), Some(total)) if total < wanted => {
                return Err(self.wrong_size(wanted, total));
            }
            _ => {}
        }
        self.skip = self.offset - first;
        self.stops = self.end.is_some_and(|wanted| end < wanted).then_some(end);
        Ok(())
    }

    /// The server's word for the size of the whole blob.
    fn knows_size(&mut self, size: u64) -> Result<(), RemoteError> {
        match self.end {
            Some(end) if end != size => Err(self.wrong_size(end, size)),
            _ if size < self.offset => Err(self.wrong_size(self.offset, size)),
            _ => {
                self.end = Some(size);
                Ok(())
            }
        }
    }

    /// Both as offsets in the blob.
    fn wrong_size(&self, expected: u64, received: u64) -> RemoteError {
        let first = self.first();
        RemoteError::WrongSize {
            registry: self.server.clone(),
            digest: self.digest,
            expected: expected.saturating_sub(first),
            received: received.saturating_sub(first),
        }
    }
}

/// A validator that promises the same bytes (RFC 9110 section 8.8.3): a weak one promises less.
fn strong_tag(response: &Response) -> Option<HeaderValue> {
    let tag = response.headers().get(header::ETAG)?;
    (tag.as_bytes().first() == Some(&b'"')).then(|| tag.clone())
}
