//! A finished upload, its digest known, not yet a blob.

use std::fs::File;
use std::sync::Arc;

use hythe_oci::{Digest, UploadId};

use super::latch::{Held, Latch};
use super::shelf::Shelf;
use super::{BlobError, FileState, blocking};

/// All bytes of a blob-to-be, written and hashed. Dropping it leaves the staged file where it is.
pub struct Staged {
    shelf: Arc<Shelf>,
    seat: Arc<Held<UploadId>>,
    file: Arc<File>,
    digest: Digest,
    size: u64,
}

impl Staged {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        seat: Arc<Held<UploadId>>,
        file: Arc<File>,
        digest: Digest,
        size: u64,
    ) -> Self {
        Self { shelf, seat, file, digest, size }
    }

    /// The digest of the bytes received.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Their number.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes it the blob of its digest; when this answers, data, name and directories are on disk. An older
    /// file of the digest is replaced. `latch` must be the digest's own.
    ///
    /// Answers what the file looks like: its bytes were hashed on their way in.
    ///
    /// On [`BlobError::Io`] from the sync the staged bytes are gone and must be sent again.
    pub async fn place(self, latch: &Latch) -> Result<FileState, BlobError> {
        if *latch.digest() != self.digest {
            return Err(BlobError::WrongLatch);
        }
        let latch = latch.clone();
        blocking::run(move || {
            let _held = latch;
            self.shelf.place(self.seat.key(), &self.file, &self.digest)
        })
        .await
    }

    /// Removes the staged bytes.
    pub async fn discard(self) -> Result<(), BlobError> {
        blocking::run(move || Ok(self.shelf.discard_staged(self.seat.key())?)).await
    }
}

impl std::fmt::Debug for Staged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staged")
            .field("digest", &self.digest.to_string())
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}
