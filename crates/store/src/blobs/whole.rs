//! A small blob that came in one piece: hashed in memory, and made a blob in one trip to the disk's threads.
//!
//! An [`Upload`](super::Upload) needs three, each of which costs more than writing a few KiB. The steps on the
//! disk are the same ones, in the same order.

use std::io::ErrorKind;
use std::sync::Arc;

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, UploadId};

use super::latch::{Held, Latch};
use super::shelf::Shelf;
use super::write::write_at;
use super::{BlobError, FileState, blocking};

/// All bytes of a blob-to-be, in memory and hashed.
#[derive(Clone, Debug)]
pub struct Whole {
    bytes: Bytes,
    digest: Digest,
}

impl Whole {
    /// The most bytes for which this is worth while: they are hashed where a connection is served.
    pub const MOST_BYTES: u64 = 64 << 10;

    /// Hashes these bytes.
    pub fn of(algorithm: Algorithm, bytes: Bytes) -> Self {
        let digest = Digest::of(algorithm, &bytes);
        Self { bytes, digest }
    }

    /// The digest of the bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Their number.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes again.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

/// An upload that one request holds, whatever is staged of it.
pub struct Seat {
    shelf: Arc<Shelf>,
    held: Arc<Held<UploadId>>,
}

impl Seat {
    pub(super) fn new(shelf: Arc<Shelf>, held: Arc<Held<UploadId>>) -> Self {
        Self { shelf, held }
    }

    /// Makes `whole` the blob of its digest, as [`Staged::place`](super::Staged::place) does.
    ///
    /// `None`, and nothing is changed, if bytes are staged under this upload already: they come first. After
    /// an error nothing is staged.
    pub async fn place(self, whole: Whole, latch: &Latch) -> Result<Option<FileState>, BlobError> {
        if *latch.digest() != whole.digest {
            return Err(BlobError::WrongLatch);
        }
        let latch = latch.clone();
        blocking::run(move || {
            let _latch = latch;
            let id = self.held.key();
            let file = match self.shelf.create_staged(id) {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return self.shelf.noted(Err(error.into())),
            };
            let placed = self.shelf.noted(write_at(&file, &[whole.bytes], 0))
                .and_then(|()| self.shelf.place(id, &file, &whole.digest));
            if placed.is_err()
                && let Err(left) = self.shelf.discard_staged(id)
            {
                tracing::warn!(error = %left, "the bytes of a failed push stay until their upload is given up");
            }
            placed.map(Some)
        })
        .await
    }
}

impl std::fmt::Debug for Seat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seat").field("id", &self.held.key().to_string()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::Blobs;
    use crate::folder::DataFolder;

    const ID: UploadId = UploadId::from_bytes([7; 16]);

    fn empty() -> (tempfile::TempDir, Blobs) {
        let home = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(&DataFolder::lock(home.path()).unwrap(), 0).unwrap();
        (home, blobs)
    }

    fn hello() -> Whole {
        Whole::of(Algorithm::Sha256, Bytes::from_static(b"hello"))
    }

    #[tokio::test]
    async fn bytes_become_a_blob() {
        let (_home, blobs) = empty();
        let whole = hello();
        let digest = Digest::of(Algorithm::Sha256, b"hello");
        assert_eq!((whole.digest(), whole.size()), (digest, 5));
        let latch = blobs.latch(&digest).await;
        let state = blobs.seat(ID).await.unwrap().place(whole, &latch).await.unwrap().unwrap();
        assert_eq!(blobs.state(&digest).await.unwrap(), Some(state));
        assert!(matches!(blobs.verify(&digest, 5).await.unwrap(), crate::Verdict::Intact(_)));
        assert!(blobs.staged().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_staged_already_is_left_alone() {
        let (_home, blobs) = empty();
        let mut upload = blobs.begin(ID, Algorithm::Sha256).await.unwrap();
        upload.append(Bytes::from_static(b"before")).await.unwrap();
        upload.checkpoint().await.unwrap();
        drop(upload);
        let whole = hello();
        let latch = blobs.latch(&whole.digest()).await;
        assert_eq!(blobs.seat(ID).await.unwrap().place(whole, &latch).await.unwrap(), None);
        assert_eq!(blobs.resume(ID).await.unwrap().unwrap().offset(), 6);
    }

    #[tokio::test]
    async fn another_digests_latch_is_refused() {
        let (_home, blobs) = empty();
        let latch = blobs.latch(&Digest::of(Algorithm::Sha256, b"other")).await;
        let placed = blobs.seat(ID).await.unwrap().place(hello(), &latch).await;
        assert!(matches!(placed, Err(BlobError::WrongLatch)));
    }
}
