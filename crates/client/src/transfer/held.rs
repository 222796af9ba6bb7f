//! A stream that is read once, with the last of it kept in memory: what breaks off on its way is sent again from there.
//!
//! Invariants: no more than [`KEPT`] bytes and one piece are in memory; a reader that was replaced by another moves
//! nothing on.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};

use crate::engine::Archive;

/// How much is kept: more than the buffers on the way to a registry hold (Linux: 4 MiB to send, 6 to receive), which is what
/// gets lost with a connection.
pub(super) const KEPT: u64 = 12 * 1024 * 1024;

/// The stream and the last of what it gave.
#[derive(Clone)]
pub(super) struct Held(Arc<Shared>);

struct Shared {
    source: tokio::sync::Mutex<Source>,
    kept: Mutex<Kept>,
    /// The number of the last reader.
    reader: AtomicU64,
}

enum Source {
    Open(Archive),
    Ended,
    Failed(String),
}

#[derive(Default)]
struct Kept {
    pieces: VecDeque<Bytes>,
    /// The offset of the first of them.
    first: u64,
    /// The offset after the last of them.
    end: u64,
}

enum Found {
    Bytes(Bytes),
    NotYet,
    Gone,
}

impl Kept {
    fn take(&mut self, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        self.end = self.end.saturating_add(piece.len() as u64);
        // A piece may be the little that is left of a large buffer, which would be kept with it.
        self.pieces.push_back(Bytes::copy_from_slice(piece));
        while let Some(oldest) = self.pieces.front()
            && self.end - self.first - oldest.len() as u64 >= KEPT
        {
            self.first += oldest.len() as u64;
            self.pieces.pop_front();
        }
    }

    fn at(&self, offset: u64) -> Found {
        if offset < self.first {
            return Found::Gone;
        }
        // Whoever reads is mostly near the end.
        let mut begin = self.end;
        for piece in self.pieces.iter().rev() {
            begin -= piece.len() as u64;
            if begin <= offset {
                let within = usize::try_from(offset - begin).unwrap_or(usize::MAX).min(piece.len());
                let rest = piece.slice(within..);
                return if rest.is_empty() { Found::NotYet } else { Found::Bytes(rest) };
            }
        }
        Found::NotYet
    }
}

impl Held {
    pub(super) fn new(source: Archive) -> Self {
        let source = tokio::sync::Mutex::new(Source::Open(source));
        Self(Arc::new(Shared { source, kept: Mutex::default(), reader: AtomicU64::new(0) }))
    }

    /// The bytes from an offset on. What lies before the end of what was read is given again as long as it is kept; what
    /// lies between that end and the offset is read over. Earlier readers end with an error.
    pub(super) fn from(&self, offset: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let own = self.0.reader.fetch_add(1, Ordering::Relaxed) + 1;
        stream::try_unfold((self.clone(), offset), move |(held, at)| async move {
            loop {
                if held.0.reader.load(Ordering::Relaxed) != own {
                    return Err(io::Error::other("it is sent again by now"));
                }
                let found = held.kept().at(at);
                match found {
                    Found::Bytes(piece) => {
                        let next = at + piece.len() as u64;
                        return Ok(Some((piece, (held, next))));
                    }
                    Found::Gone => {
                        return Err(io::Error::other(
                            "the registry has lost more of a layer than is still at hand: push again",
                        ));
                    }
                    Found::NotYet => {
                        if !held.advance(at).await? {
                            return Ok(None);
                        }
                    }
                }
            }
        })
    }

    /// Whether all that was read is still at hand.
    pub(super) fn has_all(&self) -> bool {
        self.kept().first == 0
    }

    /// Reads on until there is something at this offset, if there will ever be; answers how much was read in all.
    pub(super) async fn fill(&self, offset: u64) -> io::Result<u64> {
        loop {
            let end = self.kept().end;
            if end > offset || !self.advance(end).await? {
                return Ok(end);
            }
        }
    }

    /// Reads one more piece unless there is one at this offset; false at the end.
    async fn advance(&self, offset: u64) -> io::Result<bool> {
        let mut source = self.0.source.lock().await;
        // Somebody else may have read on meanwhile.
        if self.kept().end > offset {
            return Ok(true);
        }
        let read = match &mut *source {
            Source::Open(stream) => stream.try_next().await,
            Source::Ended => Ok(None),
            Source::Failed(why) => Err(io::Error::other(why.clone())),
        };
        match read {
            Ok(Some(piece)) => {
                self.kept().take(&piece);
                Ok(true)
            }
            Ok(None) => {
                *source = Source::Ended;
                Ok(false)
            }
            Err(error) => {
                *source = Source::Failed(error.to_string());
                Err(error)
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt as _;

    use super::*;

    fn held(pieces: usize, size: usize) -> Held {
        let pieces = (0..pieces).map(move |at| Ok(vec![u8::try_from(at % 251).unwrap(); size].into()));
        Held::new(stream::iter(pieces).boxed())
    }

    async fn read(held: &Held, offset: u64, most: usize) -> io::Result<Vec<u8>> {
        let mut reader = Box::pin(held.from(offset));
        let mut bytes = Vec::new();
        while bytes.len() < most
            && let Some(piece) = reader.try_next().await?
        {
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(most);
        Ok(bytes)
    }

    #[tokio::test]
    async fn what_is_kept_is_given_again() {
        let held = held(4, 3);
        assert_eq!(read(&held, 0, 7).await.unwrap(), [0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(read(&held, 2, 3).await.unwrap(), [0, 1, 1]);
        assert_eq!(read(&held, 0, 99).await.unwrap().len(), 12);
        assert_eq!(read(&held, 11, 99).await.unwrap(), [3]);
        assert_eq!(read(&held, 12, 99).await.unwrap(), [0; 0]);
    }

    #[tokio::test]
    async fn all_of_it_goes_by_however_long() {
        let held = held(90, 1 << 20);
        assert_eq!(held.fill(KEPT / 2 - 1).await.unwrap(), KEPT / 2);
        let mut reader = Box::pin(held.from(0));
        let mut size = 0;
        while let Some(piece) = reader.try_next().await.unwrap() {
            size += piece.len();
        }
        assert_eq!(size, 90 << 20);
    }

    #[tokio::test]
    async fn what_lies_before_a_far_offset_is_read_over() {
        assert_eq!(read(&held(4, 3), 10, 99).await.unwrap(), [3, 3]);
    }

    #[tokio::test]
    async fn what_is_long_gone_is_an_error() {
        let held = held(40, 1 << 20);
        assert_eq!(held.fill(u64::MAX).await.unwrap(), 40 << 20);
        assert!(held.kept().pieces.len() <= 13);
        assert!(read(&held, (40 << 20) - KEPT, 1).await.is_ok());
        assert!(read(&held, 0, 1).await.is_err());
    }

    #[tokio::test]
    async fn a_reader_that_was_replaced_reads_no_more() {
        let held = held(4, 3);
        let mut first = Box::pin(held.from(0));
        assert!(first.try_next().await.unwrap().is_some());
        let _second = held.from(0);
        assert!(first.try_next().await.is_err());
        assert_eq!(held.kept().end, 3);
    }

    #[tokio::test]
    async fn it_is_filled_as_far_as_asked_and_fails_as_its_source_does() {
        let broken = stream::iter([Ok(Bytes::from_static(b"abc")), Err(io::Error::other("torn"))]);
        let held = Held::new(broken.boxed());
        assert_eq!(held.fill(1).await.unwrap(), 3);
        for _ in 0..2 {
            assert_eq!(held.fill(3).await.unwrap_err().to_string(), "torn");
        }
        assert_eq!(read(&held, 0, 3).await.unwrap(), b"abc");
    }
}
