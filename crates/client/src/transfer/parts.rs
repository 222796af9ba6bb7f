//! The memory of parts that are fetched side by side and given out in their order.
//!
//! Invariant: no more than [`MOST`] parts are in memory, of all blobs of a transfer together, until the last of each has been
//! given away. Their memory is used again: it would else go to and fro between threads, and leave holes behind.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::spare::Spare;

/// The size of a part in bytes.
pub(super) const PART: u64 = 4 * 1024 * 1024;

/// Parts that are in memory at once.
const MOST: usize = 8;

/// Room for the parts of one transfer.
#[derive(Clone)]
pub(super) struct Parts {
    free: Arc<Semaphore>,
    spare: Spare<Vec<u8>>,
}

/// Room for one part.
pub(super) struct Room {
    content: Vec<u8>,
    spare: Spare<Vec<u8>>,
    _taken: Option<OwnedSemaphorePermit>,
}

impl Parts {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(MOST)), spare: Spare::new() }
    }

    /// Room for one more, as soon as there is some. The earlier of two who wait is the first.
    pub(super) async fn room(&self) -> Room {
        // Nobody closes it.
        let taken = Arc::clone(&self.free).acquire_owned().await.ok();
        let content = self.spare.take();
        let content = content.unwrap_or_else(|| Vec::with_capacity(usize::try_from(PART).unwrap_or(0)));
        Room { content, spare: self.spare.clone(), _taken: taken }
    }
}

impl Room {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.content.extend_from_slice(piece);
    }

    /// What is in it. The room is free again when nobody has any of it.
    pub(super) fn full(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        self.spare.put(content);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn room_is_given_again_when_nobody_has_what_was_in_it() {
        let parts = Parts::new();
        let mut full = Vec::new();
        for _ in 0..MOST {
            let mut room = parts.room().await;
            room.add(b"some");
            room.add(b"thing");
            full.push(room.full());
        }
        assert!(full.iter().all(|part| part == "something"));
        let within = full[0].slice(2..5);
        full.remove(0);
        assert!(parts.room().now_or_never().is_none());
        drop(within);
        assert_eq!(parts.room().await.full(), "");
    }
}
