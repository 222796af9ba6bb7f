//! What is sent: streams that can be read again from any place, and a watch on what they really yield.
//!
//! Invariant: a body has exactly the size that was announced for it, or is not sent to its end; what goes
//! wrong in the source is told apart from what goes wrong on the way.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};

/// The pieces in which [`chunks`] hands out bytes: large enough to be cheap, small enough for a
/// progress bar to move.
const CHUNK: usize = 256 * 1024;

/// Bytes in memory as a stream of pieces.
pub fn chunks(bytes: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(bytes, |mut rest| async move {
        let chunk = rest.split_to(rest.len().min(CHUNK));
        (!chunk.is_empty()).then_some((Ok(chunk), rest))
    })
}

/// Bytes in memory as content that can be read from any offset, for [`crate::Remote::push_blob`] and
/// [`crate::Upload::append`].
pub fn in_memory(
    bytes: Bytes,
) -> impl Fn(u64) -> stream::BoxStream<'static, io::Result<Bytes>> + Send + Sync {
    move |offset| {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        chunks(bytes.slice(offset..)).boxed()
    }
}

/// What went wrong in a source, for the one who sent it: the HTTP library only says that something did.
#[derive(Clone, Default)]
pub(crate) struct Fault(Arc<Mutex<Option<io::Error>>>);

impl Fault {
    /// The error, once.
    pub(crate) fn take(&self) -> Option<io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, error: io::Error) -> io::Error {
        let shown = io::Error::other("the content cannot be read");
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        shown
    }
}

/// What is known of the body that was made last: one of an earlier request may still be read somewhere.
#[derive(Default)]
pub(crate) struct Latest<T>(Mutex<T>);

impl<T: Default + Clone> Latest<T> {
    pub(crate) fn get(&self) -> T {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins anew, for another body.
    pub(crate) fn renew(&self) -> T {
        let new = T::default();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = new.clone();
        new
    }
}

/// `content`, whose stream is ended by an error unless it has exactly `size` bytes (any number for `None`).
pub(crate) fn watched(
    content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    size: Option<u64>,
    fault: Fault,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((Box::pin(content), 0_u64, fault), move |(mut content, sent, fault)| async move {
        match content.next().await {
            Some(Ok(chunk)) => {
                let sent = sent.saturating_add(chunk.len() as u64);
                match size {
                    Some(size) if sent > size => Err(fault.set(longer(size))),
                    _ => Ok(Some((chunk, (content, sent, fault)))),
                }
            }
            Some(Err(error)) => Err(fault.set(error)),
            None => match size {
                Some(size) if sent < size => Err(fault.set(shorter(sent, size))),
                _ => Ok(None),
            },
        }
    })
}

fn longer(size: u64) -> io::Error {
    let problem = format!("it is longer than the {size} bytes that were announced");
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

fn shorter(sent: u64, size: u64) -> io::Error {
    let problem = format!("it ended after {sent} of the {size} bytes that were announced");
    io::Error::new(io::ErrorKind::UnexpectedEof, problem)
}
