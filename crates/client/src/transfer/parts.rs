//! The memory of parts that are fetched side by side and given out in their order.
//!
//! Invariant: no more than [`MOST`] parts are in memory, of all blobs of a transfer together, until the last of each has been
//! given away. Their memory is used again: it would else go to and fro between threads, and leave holes behind.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::spare::{Kept, Spare};

/// The size of a part in bytes.
const PART: u64 = 4 * 1024 * 1024;

/// Smaller blobs are not worth parts.
const WORTH_PARTS: u64 = 16 * 1024 * 1024;

/// Parts of one blob that are fetched at once, and blobs of an image, where nothing else is said.
pub(super) const CONNECTIONS: usize = 4;

/// Parts that are in memory at once.
const MOST: usize = 8;

/// Room for the parts of one transfer.
#[derive(Clone)]
pub(super) struct Parts {
    free: Arc<Semaphore>,
    spare: Spare<Vec<u8>>,
    /// The part of a transfer's bytes that falls to each connection. A blob that is no larger keeps one busy as long as the
    /// others are, and comes as cheaply as can be: over one.
    share: u64,
}

/// Room for one part.
pub(super) struct Room {
    kept: Kept,
    _taken: Option<OwnedSemaphorePermit>,
}

impl Parts {
    /// For a transfer of blobs of these sizes, several of them at once; of none, for one that takes one after the other.
    pub(super) fn of(sizes: impl IntoIterator<Item = u64>) -> Self {
        let bytes = sizes.into_iter().fold(0_u64, u64::saturating_add);
        Self { free: Arc::new(Semaphore::new(MOST)), spare: Spare::new(), share: bytes / CONNECTIONS as u64 }
    }

    /// The size of the parts in which so many bytes of a blob are fetched; `None` where that is not worth it.
    pub(super) fn size_for(&self, bytes: u64) -> Option<u64> {
        (bytes >= WORTH_PARTS && bytes > self.share).then_some(PART)
    }

    /// Room for one more, as soon as there is some. The earlier of two who wait is the first.
    pub(super) async fn room(&self) -> Room {
        // Nobody closes it.
        let taken = Arc::clone(&self.free).acquire_owned().await.ok();
        let content = self.spare.take();
        let content = content.unwrap_or_else(|| Vec::with_capacity(usize::try_from(PART).unwrap_or(0)));
        Room { kept: Kept::new(content, &self.spare), _taken: taken }
    }
}

impl Room {
    pub(super) fn add(&mut self, piece: &[u8]) {
        self.kept.content.extend_from_slice(piece);
    }

    /// What is in it. The room is free again when nobody has any of it.
    pub(super) fn full(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Room {
    fn as_ref(&self) -> &[u8] {
        self.kept.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_blob_comes_in_parts_if_the_others_would_be_waiting_for_it() {
        const MIB: u64 = 1 << 20;
        assert_eq!(Parts::of([84 * MIB; 12]).size_for(84 * MIB), None);
        assert_eq!(Parts::of([84 * MIB; 4]).size_for(84 * MIB), None);
        assert_eq!(Parts::of([84 * MIB; 3]).size_for(84 * MIB), Some(PART));
        let uneven = [900 * MIB, 50 * MIB, 50 * MIB, 50 * MIB, MIB];
        assert_eq!(Parts::of(uneven).size_for(900 * MIB), Some(PART));
        assert_eq!(Parts::of(uneven).size_for(50 * MIB), None);
        assert_eq!(Parts::of([]).size_for(WORTH_PARTS), Some(PART));
        assert_eq!(Parts::of([]).size_for(WORTH_PARTS - 1), None);
        assert_eq!(Parts::of([u64::MAX, u64::MAX]).size_for(100 * MIB), None);
    }

    #[tokio::test]
    async fn room_is_given_again_when_nobody_has_what_was_in_it() {
        let parts = Parts::of([]);
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
