//! Writing batches of received pieces: positioned, without copying, and on the disk's way early.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use hythe_oci::UploadId;
use rustix::io::Errno;
use tokio::task::JoinHandle;

use super::BlobError;
use super::shelf::Shelf;

/// The kernel takes at most this many pieces in one call.
const MOST_SLICES: usize = 1024;

/// Written bytes are pushed to the disk each time this many have gathered, so that the last sync is short.
pub(super) const SYNC_EVERY: u64 = 64 << 20;

/// Writes all pieces, one behind the other, from `offset` on.
pub(super) fn write_at(file: &File, pieces: &[Bytes], offset: u64) -> Result<(), BlobError> {
    fail::fail_point!("blob-write", |kind| Err(super::injected(kind)));
    Ok(write_by(pieces, offset, |slices, offset| rustix::io::pwritev(file, slices, offset))?)
}

/// The same by a call that may write less than it is given.
fn write_by(
    pieces: &[Bytes],
    mut offset: u64,
    mut call: impl FnMut(&[IoSlice<'_>], u64) -> Result<usize, Errno>,
) -> io::Result<()> {
    for group in pieces.chunks(MOST_SLICES) {
        let mut slices: Vec<IoSlice<'_>> = group.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        // Leading empty slices are dropped, so that writing nothing always means an error below.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match call(rest, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Syncs of an upload's file that run while more is received.
///
/// The kernel reports a failed write-back once. A sync that fails therefore removes the staged file itself,
/// whether or not anybody still waits for it: else the upload could be resumed, and its last sync would
/// succeed over lost data.
#[derive(Default)]
pub(super) struct WriteBehind {
    unsynced: u64,
    running: VecDeque<JoinHandle<Result<(), BlobError>>>,
}

impl WriteBehind {
    /// Notes that this many more bytes were written, and starts a sync when it is time and none runs.
    pub(super) fn wrote(&mut self, bytes: u64, shelf: &Arc<Shelf>, id: UploadId, file: &Arc<File>) {
        self.unsynced += bytes;
        if self.unsynced >= SYNC_EVERY && self.is_idle() {
            self.unsynced = 0;
            let (shelf, file) = (Arc::clone(shelf), Arc::clone(file));
            self.running
                .push_back(tokio::task::spawn_blocking(move || shelf.noted(shelf.sync_staged(&id, &file))));
        }
    }

    /// Waits for the syncs started so far and tells the first failure.
    pub(super) async fn settle(&mut self) -> Result<(), BlobError> {
        while !self.running.is_empty() {
            self.first().await?;
        }
        Ok(())
    }

    /// The same of those that have ended, without waiting for any.
    pub(super) async fn ended(&mut self) -> Result<(), BlobError> {
        while self.running.front().is_some_and(JoinHandle::is_finished) {
            self.first().await?;
        }
        Ok(())
    }

    /// Waits for the oldest. May be dropped and called again.
    async fn first(&mut self) -> Result<(), BlobError> {
        let Some(sync) = self.running.front_mut() else { return Ok(()) };
        let outcome = sync.await;
        self.running.pop_front();
        outcome.map_err(|_panicked_or_stopping| BlobError::Interrupted)?
    }

    /// Whether no sync is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.running.iter().all(JoinHandle::is_finished)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_call_takes_all_is_written_in_order(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20),
            takes in prop::collection::vec(0_usize..30, 1..20),
        ) {
            let pieces: Vec<Bytes> = pieces.into_iter().map(Bytes::from).collect();
            let mut file: Vec<u8> = Vec::new();
            let mut takes = takes.into_iter().cycle();
            write_by(&pieces, 0, |slices, offset| {
                assert_eq!(offset, file.len() as u64);
                let given: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
                // Nothing taken is an interruption here.
                match takes.next().unwrap().min(given.len()) {
                    0 if takes.clone().take(20).any(|take| take > 0) => Err(Errno::INTR),
                    take => {
                        file.extend_from_slice(&given[..take.max(1)]);
                        Ok(take.max(1))
                    }
                }
            })
            .unwrap();
            prop_assert_eq!(file, pieces.concat());
        }
    }

    #[test]
    fn a_call_that_takes_nothing_is_an_error_and_so_is_a_failure_half_way() {
        let pieces = [Bytes::from_static(b"12345")];
        let nothing = write_by(&pieces, 0, |_, _| Ok(0)).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WriteZero);
        let half_way = write_by(&pieces, 0, |_, offset| if offset == 0 { Ok(2) } else { Err(Errno::NOSPC) });
        assert_eq!(half_way.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
