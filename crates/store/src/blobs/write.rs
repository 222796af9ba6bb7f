//! Writing batches of received pieces: positioned, without copying, and on the disk's way early.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use bytes::Bytes;
use hythe_oci::UploadId;
use tokio::task::JoinHandle;

use super::BlobError;
use super::shelf::Shelf;

/// The kernel takes at most this many pieces in one call.
const MOST_SLICES: usize = 1024;

/// Written bytes are pushed to the disk each time this many have gathered, so that the last sync is short.
pub(super) const SYNC_EVERY: u64 = 64 << 20;

/// Writes all pieces, one behind the other, from `offset` on.
pub(super) fn write_at(file: &File, pieces: &[Bytes], mut offset: u64) -> Result<(), BlobError> {
    fail::fail_point!("blob-write", |kind| Err(super::injected(kind)));
    for group in pieces.chunks(MOST_SLICES) {
        let mut slices: Vec<IoSlice<'_>> = group.iter().map(|piece| IoSlice::new(piece)).collect();
        let mut rest = slices.as_mut_slice();
        // Leading empty slices are dropped, so that writing nothing always means an error below.
        IoSlice::advance_slices(&mut rest, 0);
        while !rest.is_empty() {
            match rustix::io::pwritev(file, rest, offset) {
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut rest, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(io::Error::from(error).into()),
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
        if self.unsynced >= SYNC_EVERY && self.running.iter().all(JoinHandle::is_finished) {
            self.unsynced = 0;
            let (shelf, file) = (Arc::clone(shelf), Arc::clone(file));
            self.running.push_back(tokio::task::spawn_blocking(move || shelf.sync_staged(&id, &file)));
        }
    }

    /// Waits for the syncs started so far and tells the first failure.
    pub(super) async fn settle(&mut self) -> Result<(), BlobError> {
        while let Some(sync) = self.running.front_mut() {
            let outcome = sync.await;
            self.running.pop_front();
            outcome.map_err(|_panicked_or_stopping| BlobError::Interrupted)??;
        }
        Ok(())
    }
}
