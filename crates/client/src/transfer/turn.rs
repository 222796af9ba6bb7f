//! Taking turns at sending: the next blob begins when all of one is on its way, while the registry still brings that one to
//! its disk. Blobs of one size, begun together, would else all be waited for together.

use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt as _;
use hythe_remote::Content;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many may send at once.
pub(super) struct Turns(Arc<Semaphore>);

/// The turn of one, until its content is on its way, or it is dropped.
#[derive(Clone)]
pub(super) struct Turn(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Turns {
    pub(super) fn new(at_once: usize) -> Self {
        Self(Arc::new(Semaphore::new(at_once)))
    }

    /// Waits, in order of asking.
    pub(super) async fn next(&self) -> Turn {
        // Nobody closes the semaphore; without a permit it would be a turn all the same.
        Turn(Arc::new(Mutex::new(Arc::clone(&self.0).acquire_owned().await.ok())))
    }
}

impl Turn {
    /// Content of so many bytes, the last of which passes the turn on.
    pub(super) fn during(&self, content: Content, mut left: u64) -> Content {
        let turn = self.clone();
        content.map(move |content| {
            content.inspect(move |piece| {
                left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
                if left == 0 {
                    turn.pass();
                }
            })
        })
    }

    fn pass(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use bytes::Bytes;
    use futures_util::{FutureExt as _, stream};

    use super::*;

    #[tokio::test]
    async fn the_last_byte_passes_the_turn_on() {
        let turns = Turns::new(1);
        let first = turns.next().await;
        let pieces = ["on", "e"].map(|piece| io::Result::Ok(Bytes::from(piece)));
        let mut read = first.during(Content::from(stream::iter(pieces)), 3).read();
        read.next().await.unwrap().unwrap();
        assert!(turns.next().now_or_never().is_none());
        read.next().await.unwrap().unwrap();
        let second = turns.next().now_or_never().unwrap();
        drop(first);
        // A turn without content ends with whoever has it.
        assert!(turns.next().now_or_never().is_none());
        drop(second);
        assert!(turns.next().now_or_never().is_some());
    }
}
