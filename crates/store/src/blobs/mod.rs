//! Blob files: content-addressed, immutable, and the uploads that become them.
//!
//! An [`Upload`] receives bytes into a staged file and hashes them on the way; finished, it is [`Staged`];
//! placed under its digest's [`Latch`], it is a blob. A small one that comes in one piece is a [`Whole`]. What
//! was placed is on disk before `place` answers.
//! Who may see a blob, and when it may go, is decided elsewhere.

mod blocking;
mod checkpoint;
mod duplicate;
mod error;
mod latch;
mod quarantine;
mod read;
mod shelf;
mod staged;
mod state;
mod upload;
mod verify;
mod whole;
mod write;

use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

pub use duplicate::Linked;
pub use error::BlobError;
pub use latch::Latch;
pub use read::{BlobFile, BlobStream};
pub use staged::Staged;
pub use state::FileState;
pub use upload::Upload;
pub use verify::{Verdict, Verification, Window};
pub use whole::{Seat, Whole};

use hythe_oci::{Algorithm, Digest, Hasher, UploadId};

use crate::condition::StorageFault;
use crate::folder::DataFolder;
use latch::{Held, Latches};
use shelf::Shelf;

/// How long a request waits for an earlier one on the same upload whose connection has just been cut.
const SEAT_PATIENCE: Duration = Duration::from_secs(5);

/// Files of one batch that are removed at once.
const REMOVERS: usize = 8;

/// The blobs of one store. A clone is another handle.
#[derive(Clone)]
pub struct Blobs {
    shelf: Arc<Shelf>,
    latches: Arc<Latches<Digest>>,
    seats: Arc<Latches<UploadId>>,
}

impl Blobs {
    /// Opens the blobs in a locked folder. Time does not depend on how many there are.
    pub(crate) fn in_folder(folder: &DataFolder, reserve: u64) -> Result<Self, BlobError> {
        Ok(Self {
            shelf: Arc::new(Shelf::open(folder, reserve)?),
            latches: Arc::new(Latches::new()),
            seats: Arc::new(Latches::new()),
        })
    }

    /// Begins an upload that will be hashed by `algorithm`. An id can be begun once.
    pub async fn begin(&self, id: UploadId, algorithm: Algorithm) -> Result<Upload, BlobError> {
        let begun =
            self.seated(id, move |shelf| Ok(Some((shelf.begin_staged(&id)?, Hasher::new(algorithm), 0))));
        begun.await?.ok_or(BlobError::Gone)
    }

    /// Takes an upload up again where its last checkpoint left it; `None` if nothing is staged under `id`.
    ///
    /// Without a checkpoint that can be trusted (none, a damaged one, or one from before the machine's last
    /// boot) the staged bytes are read back and hashed; the upload then goes on behind the last of them, by
    /// SHA-256 if the checkpoint did not say otherwise ([`Upload::rehash`] changes it).
    ///
    /// Waits a few seconds for an earlier request's last write; [`BlobError::InUse`] if another request still
    /// holds the upload then.
    pub async fn resume(&self, id: UploadId) -> Result<Option<Upload>, BlobError> {
        self.seated(id, move |shelf| checkpoint::take_up(shelf, &id)).await
    }

    /// Takes an upload up again, or begins it by `algorithm` if nothing is staged; one request at a time does
    /// either. See [`Blobs::resume`].
    pub async fn take_up(&self, id: UploadId, algorithm: Algorithm) -> Result<Upload, BlobError> {
        let taken_up = self.seated(id, move |shelf| match checkpoint::take_up(shelf, &id)? {
            Some(taken_up) => Ok(Some(taken_up)),
            None => Ok(Some((shelf.begin_staged(&id)?, Hasher::new(algorithm), 0))),
        });
        taken_up.await?.ok_or(BlobError::Gone)
    }

    /// Opens an upload's file by `open`. Its seat goes with that work, which runs to its end when the request is dropped:
    /// it may cut the file back, and another request would write to it by then.
    async fn seated(
        &self,
        id: UploadId,
        open: impl FnOnce(&Shelf) -> Result<Option<(File, Hasher, u64)>, BlobError> + Send + 'static,
    ) -> Result<Option<Upload>, BlobError> {
        let (seat, shelf) = (self.hold(id).await?, Arc::clone(&self.shelf));
        blocking::run(move || {
            let opened = open(&shelf)?;
            Ok(opened.map(|(file, hasher, offset)| Upload::new(shelf, seat, file, hasher, offset)))
        })
        .await
    }

    /// How far an upload is that another request holds: where its last checkpoint stands, else how much is
    /// staged. Waits for nobody and changes nothing.
    pub async fn progress(&self, id: UploadId) -> Result<u64, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || checkpoint::progress(&shelf, &id)).await
    }

    /// Removes whatever is staged under `id`; nothing being there is fine. A request still writing to it
    /// fails with [`BlobError::Gone`] in the end.
    pub async fn discard(&self, id: UploadId) -> Result<(), BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || Ok(shelf.discard_staged(&id)?)).await
    }

    /// The ids of everything staged, in order of their text.
    pub async fn staged(&self) -> Result<Vec<UploadId>, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || Ok(shelf.list_staged()?)).await
    }

    /// Reads back a whole blob that should have `size` bytes and compares it with its digest.
    pub async fn verify(&self, digest: &Digest, size: u64) -> Result<Verdict, BlobError> {
        let (shelf, digest) = (Arc::clone(&self.shelf), *digest);
        blocking::run(move || {
            let file = match shelf.open_blob(&digest) {
                Ok(Some(file)) => file,
                Ok(None) => return Ok(Verdict::Missing),
                Err(BlobError::Unreadable(_)) => return Ok(Verdict::Unreadable),
                Err(error) => return Err(error),
            };
            if file.size() != size {
                return Ok(Verdict::Corrupt);
            }
            match checkpoint::hash_file(file.file(), digest.algorithm(), size).map(Hasher::finish) {
                Ok(found) if found == digest => Ok(Verdict::Intact(file.state())),
                Ok(_) => Ok(Verdict::Corrupt),
                Err(BlobError::Unreadable(_)) => Ok(Verdict::Unreadable),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// What a blob's file looks like, without reading it; `None` if there is no such file.
    pub async fn state(&self, digest: &Digest) -> Result<Option<FileState>, BlobError> {
        let (shelf, digest) = (Arc::clone(&self.shelf), *digest);
        blocking::run(move || shelf.blob_state(&digest)).await
    }

    /// The blobs on the disk whose digests begin with this byte: all of them, in 256 calls an algorithm.
    pub async fn on_disk(&self, algorithm: Algorithm, first: u8) -> Result<Vec<Digest>, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || Ok(shelf.list_blobs(algorithm, first)?)).await
    }

    /// How many bytes are staged under `id`; `None` if nothing is.
    pub async fn staged_size(&self, id: UploadId) -> Result<Option<u64>, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || Ok(shelf.staged_size(&id)?)).await
    }

    /// Whether a request holds or awaits this upload at the moment.
    pub fn in_hand(&self, id: &UploadId) -> bool {
        self.seats.is_wanted(id)
    }

    /// Answers [`BlobError::NoSpace`] when the disk has no more room than is kept for records and for
    /// uploads under way. Ask before a new upload.
    pub async fn check_room(&self) -> Result<(), BlobError> {
        if self.shelf.had_plenty_of_room() {
            return Ok(());
        }
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || shelf.check_room()).await
    }

    /// What ails the disk, as far as writes have met it and none has worked since.
    pub fn fault(&self) -> Option<StorageFault> {
        self.shelf.fault()
    }

    /// Tries a small write, so that a fault that is over is known to be.
    pub async fn probe(&self) -> Result<(), BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || shelf.probe()).await
    }

    /// How much room the disk has.
    pub async fn disk(&self) -> Result<Disk, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || shelf.disk()).await
    }

    /// Waits for the right to place or remove this blob. Hold it over the file's step and the record's.
    pub async fn latch(&self, digest: &Digest) -> Latch {
        Latch(Arc::new(self.latches.acquire(*digest).await))
    }

    /// Opens a blob; `None` if there is no such file. Never waits for a latch.
    pub async fn open(&self, digest: &Digest) -> Result<Option<BlobFile>, BlobError> {
        if let Some(opened) = self.shelf.open_blob_at_once(digest) {
            return opened;
        }
        let (shelf, digest) = (Arc::clone(&self.shelf), *digest);
        blocking::run(move || shelf.open_blob(&digest)).await
    }

    /// Moves a damaged blob's file aside, durably; whether there was one.
    pub async fn set_aside(&self, latch: &Latch) -> Result<bool, BlobError> {
        let (shelf, latch) = (Arc::clone(&self.shelf), latch.clone());
        blocking::run(move || shelf.set_aside(latch.digest())).await
    }

    /// The digests whose damaged files are kept aside.
    pub async fn quarantined(&self) -> Result<Vec<Digest>, BlobError> {
        let shelf = Arc::clone(&self.shelf);
        blocking::run(move || Ok(shelf.list_quarantine()?)).await
    }

    /// The size of a damaged file that is kept aside; nought if there is none.
    pub async fn quarantined_size(&self, digest: &Digest) -> Result<u64, BlobError> {
        let (shelf, digest) = (Arc::clone(&self.shelf), *digest);
        blocking::run(move || Ok(shelf.quarantined_size(&digest)?)).await
    }

    /// Removes a damaged file that is kept aside; its size.
    pub async fn release_quarantined(&self, latch: &Latch) -> Result<u64, BlobError> {
        let (shelf, latch) = (Arc::clone(&self.shelf), latch.clone());
        blocking::run(move || Ok(shelf.release_quarantined(latch.digest())?)).await
    }

    /// Removes a blob and makes that durable; whether it was there. A reader that has it open is not
    /// disturbed.
    pub async fn remove(&self, latch: &Latch, digest: &Digest) -> Result<bool, BlobError> {
        if latch.digest() != digest {
            return Err(BlobError::WrongLatch);
        }
        let (shelf, latch) = (Arc::clone(&self.shelf), latch.clone());
        blocking::run(move || shelf.remove(latch.digest())).await
    }

    /// The same for many, several at once: giving the space back is what takes time. Each directory is synced
    /// once. Blobs that are not there are fine.
    pub async fn remove_all(&self, latches: &[Latch]) -> Result<(), BlobError> {
        let share = latches.len().div_ceil(REMOVERS).max(1);
        let removals = latches.chunks(share).map(|share| {
            let (shelf, share) = (Arc::clone(&self.shelf), share.to_vec());
            blocking::run(move || shelf.unlink_all(share.iter().map(Latch::digest)))
        });
        let changed = futures_util::future::try_join_all(removals).await?;
        blocking::run(move || Shelf::sync_all(changed.into_iter().flatten())).await
    }

    /// Takes hold of an upload, for a blob that comes in one piece. Waits as [`Blobs::resume`] does.
    pub async fn seat(&self, id: UploadId) -> Result<Seat, BlobError> {
        Ok(Seat::new(Arc::clone(&self.shelf), self.hold(id).await?))
    }

    async fn hold(&self, id: UploadId) -> Result<Arc<Held<UploadId>>, BlobError> {
        let held = tokio::time::timeout(SEAT_PATIENCE, self.seats.acquire(id)).await;
        held.map(Arc::new).map_err(|_elapsed| BlobError::InUse)
    }
}

/// The disk that blobs and uploads lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Bytes that we may still use.
    pub free_bytes: u64,
    /// All its bytes.
    pub size_bytes: u64,
    /// Files that we may still make; 0 on file systems that do not count them.
    pub free_inodes: u64,
    /// Why no upload may begin, as far as the disk itself tells.
    pub fault: Option<StorageFault>,
}

impl std::fmt::Debug for Blobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Blobs")
    }
}

/// The error a fail point injects: `return(enospc)` or `return(erofs)`; otherwise an input/output error.
#[cfg(feature = "failpoints")]
fn injected(kind: Option<String>) -> BlobError {
    match kind.as_deref() {
        Some("enospc") => BlobError::NoSpace,
        Some("erofs") => BlobError::ReadOnly,
        _ => std::io::Error::from(rustix::io::Errno::IO).into(),
    }
}
