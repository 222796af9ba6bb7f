//! Sending bytes whose number is not known beforehand.

use std::future::ready;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hythe_outbound::{Body, Method, Request, Response};

use super::Upload;
use super::content::{Fault, Latest, in_memory, watched};
use super::steps::{Piece, octets};
use crate::RemoteError;
use crate::blob::USEFUL;

/// What a body has yielded.
#[derive(Clone, Default)]
struct Sent {
    bytes: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
    fault: Fault,
}

impl Sent {
    fn counting(
        self,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let Self { bytes, ended, fault } = self;
        let counted = content.inspect(move |chunk| {
            bytes.fetch_add(chunk.as_ref().map_or(0, |chunk| chunk.len() as u64), Ordering::Relaxed);
        });
        let end = stream::poll_fn(move |_| {
            ended.store(true, Ordering::Relaxed);
            Poll::Ready(None)
        });
        watched(counted.chain(end), None, fault)
    }
}

impl Upload {
    /// Sends bytes up to an end that is not known beforehand, as one chunked request. `content` gives them from an
    /// offset on that counts from the first of them; it is called again when a connection breaks, with the place where
    /// the registry says it stands, and may fail if it cannot go back so far. Answers how many bytes the registry has
    /// now.
    ///
    /// # Errors
    /// As [`Upload::append`].
    pub async fn append_unsized<S>(
        &mut self,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<u64, RemoteError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let start = self.confirmed;
        let mut attempts = self.remote.attempts(format_args!("upload to {}", self.repository));
        // How far any request may have got.
        let mut furthest = start;
        // After a break the request that broke off may still be written to the session, behind what the registry says of
        // it. The next one says where it lies, and so comes behind that or is refused.
        let mut settled = true;
        loop {
            let before = self.confirmed;
            let next = if settled { None } else { first(content(before - start)).await? };
            let (answer, end, ended) = if let Some(next) = next {
                let end = self.after(next.len() as u64)?;
                let bytes = in_memory(next);
                let piece = Piece { start: before, end, closes: false, content: &bytes };
                (self.send_piece(Method::PATCH, self.location.clone(), &piece).await, end, false)
            } else {
                let (answer, sent) = self.send_unsized(|| content(before - start)).await;
                let end = self.after(sent.bytes.load(Ordering::Relaxed))?;
                (answer, end, sent.ended.load(Ordering::Relaxed))
            };
            furthest = furthest.max(end);
            let piece = Piece { start, end: furthest, closes: false, content: &content };
            settled = false;
            match answer {
                Ok(response) if response.status().is_success() => {
                    self.took(&response, end)?;
                    settled = self.confirmed == end;
                    if settled && ended {
                        return Ok(end);
                    }
                    if !settled {
                        let problem = "it accepted a piece of an upload and kept only a part of it";
                        attempts.pause_anyway(self.remote.protocol(problem)).await?;
                    }
                }
                Ok(response) => self.go_on_after_refusal(response, &piece, &mut attempts).await?,
                Err(error) => self.go_on_after_break(error, &piece, &mut attempts).await?,
            }
            if self.confirmed.saturating_sub(before) >= USEFUL {
                attempts.moved_on();
            }
        }
    }

    /// One chunked request, and what it has yielded.
    async fn send_unsized<S>(
        &self,
        content: impl Fn() -> S + Send + Sync,
    ) -> (Result<Response, RemoteError>, Sent)
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let sent = Latest::<Sent>::default();
        let build = |url| {
            let body = sent.renew().counting(content());
            octets(Request::new(Method::PATCH, url)).body(Body::unsized_stream(body))
        };
        let answer = self.remote.attempt(&self.scope, &self.location, &build).await;
        let sent = sent.get();
        (answer.map_err(|error| sent.fault.take().map_or(error, RemoteError::Content)), sent)
    }
}

/// The first bytes of a stream, unless there are none.
async fn first(content: impl Stream<Item = io::Result<Bytes>> + Send) -> Result<Option<Bytes>, RemoteError> {
    Box::pin(content.try_filter(|bytes| ready(!bytes.is_empty())))
        .try_next()
        .await
        .map_err(RemoteError::Content)
}
