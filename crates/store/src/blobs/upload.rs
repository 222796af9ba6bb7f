//! An upload on its way in: while one batch is received, the one before is written and hashed at once.
//!
//! Invariants: at most one batch is being filled and one is in flight, so memory stays near two batches, whose size
//! shrinks with the number of uploads; the hash covers exactly the bytes written; after a failed write nothing more is
//! accepted.

use std::fs::File;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hythe_oci::{Algorithm, Hasher, UploadId};
use tokio::task::spawn_blocking;

use super::latch::Held;
use super::shelf::Shelf;
use super::staged::Staged;
use super::write::{WriteBehind, write_at};
use super::{BlobError, blocking, checkpoint};

/// A batch goes on its way once it holds this many bytes, or its upload's part of [`ALL_BATCHES`] …
const BATCH_BYTES: usize = 1 << 20;
/// … or this many pieces: tiny ones cost more memory than they hold.
const BATCH_PIECES: usize = 1024;
/// What is being filled by all uploads together, as long as the part of each is no less than [`LEAST_BATCH`]. With as many
/// uploads, all cores are busy, and a trip to the blocking pool for less costs little.
const ALL_BATCHES: usize = 16 << 20;
const LEAST_BATCH: usize = 128 << 10;
/// Up to here, one trip to the blocking pool for both costs less than writing beside hashing gains.
const TINY_BYTES: usize = 64 << 10;

/// What the bytes received so far have become.
#[expect(clippy::large_enum_variant, reason = "one for each upload; a box would be made anew for each batch")]
enum Progress {
    /// Everything handed over is written and hashed.
    Settled(Hasher),
    /// A batch is being written and hashed.
    InFlight(BoxFuture<'static, Result<Hasher, BlobError>>),
    /// A write failed; the upload answers this from now on.
    Failed(BlobError),
}

/// An upload, held by one request at a time.
///
/// Dropping it keeps what was staged up to the last [`checkpoint`](Self::checkpoint). A request that may be
/// dropped in the middle should run its upload in a task of its own, which checkpoints when the body ends
/// early. After [`BlobError::NoSpace`], discard the upload to give its space back, or resume it later.
pub struct Upload {
    shelf: Arc<Shelf>,
    /// Kept by every write under way too, so that the next request cannot begin before the last one landed.
    seat: Arc<Held<UploadId>>,
    file: Arc<File>,
    progress: Progress,
    behind: WriteBehind,
    /// Bytes handed over for writing.
    handed_over: u64,
    batch: Vec<Bytes>,
    batch_bytes: usize,
    /// When the batch goes on its way.
    enough: usize,
    algorithm: Algorithm,
}

/// The bytes of a batch while this many uploads are under way.
fn batch_among(uploads: usize) -> usize {
    (ALL_BATCHES / uploads.max(1)).clamp(LEAST_BATCH, BATCH_BYTES)
}

impl Upload {
    pub(super) fn new(
        shelf: Arc<Shelf>,
        seat: Arc<Held<UploadId>>,
        file: File,
        hasher: Hasher,
        offset: u64,
    ) -> Self {
        Self {
            shelf,
            enough: batch_among(seat.in_all()),
            seat,
            file: Arc::new(file),
            algorithm: hasher.algorithm(),
            progress: Progress::Settled(hasher),
            behind: WriteBehind::default(),
            handed_over: offset,
            batch: Vec::new(),
            batch_bytes: 0,
        }
    }

    /// The session this upload belongs to.
    pub fn id(&self) -> UploadId {
        *self.seat.key()
    }

    /// What its bytes are hashed by.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Bytes received so far: where the next piece goes.
    pub fn offset(&self) -> u64 {
        self.handed_over + self.batch_bytes as u64
    }

    /// Takes the next piece. Waits only while two batches are full. A failed write may show here one batch
    /// later, and then again on every call.
    pub async fn append(&mut self, piece: Bytes) -> Result<(), BlobError> {
        if let Progress::Failed(error) = &self.progress {
            return Err(error.clone());
        }
        if piece.is_empty() {
            return Ok(());
        }
        self.batch_bytes += piece.len();
        self.batch.push(piece);
        if self.batch_bytes >= self.enough || self.batch.len() >= BATCH_PIECES {
            self.hand_over().await?;
        }
        Ok(())
    }

    /// Makes everything received so far resumable and returns its length. It survives the end of the process,
    /// and the machine's too as far as the bytes reached the disk by then.
    pub async fn checkpoint(&mut self) -> Result<u64, BlobError> {
        let hasher = self.settle_all().await?.clone();
        // Bytes that a sync has lost are no progress.
        if let Err(error) = self.behind.ended().await {
            self.progress = Progress::Failed(error.clone());
            return Err(error);
        }
        let (shelf, seat, offset) = (Arc::clone(&self.shelf), Arc::clone(&self.seat), self.handed_over);
        blocking::run(move || shelf.noted(checkpoint::write(&shelf, seat.key(), &hasher, offset))).await?;
        Ok(offset)
    }

    /// Goes on hashing by another algorithm, which costs one pass over what is staged. Nothing happens if it
    /// is the present one.
    pub async fn rehash(&mut self, algorithm: Algorithm) -> Result<(), BlobError> {
        if algorithm == self.algorithm {
            return Ok(());
        }
        self.settle_all().await?;
        let (file, seat, length) = (Arc::clone(&self.file), Arc::clone(&self.seat), self.handed_over);
        let hasher = blocking::run(move || {
            let _seat = seat;
            checkpoint::hash_file(&file, algorithm, length)
        })
        .await?;
        self.progress = Progress::Settled(hasher);
        self.algorithm = algorithm;
        Ok(())
    }

    /// Ends the receiving: all bytes are written (not yet synced) and the digest is known.
    pub async fn finish(mut self) -> Result<Staged, BlobError> {
        let digest = self.settle_all().await?.clone().finish();
        self.behind.settle().await?;
        Ok(Staged::new(self.shelf, self.seat, self.file, digest, self.handed_over))
    }

    /// Hands the batch over and waits until everything is written and hashed.
    async fn settle_all(&mut self) -> Result<&Hasher, BlobError> {
        if !self.batch.is_empty() {
            self.hand_over().await?;
        }
        self.settle().await
    }

    /// Waits for the batch in flight. May be dropped and called again.
    async fn settle(&mut self) -> Result<&Hasher, BlobError> {
        if let Progress::InFlight(batch) = &mut self.progress {
            self.progress = match batch.await {
                Ok(hasher) => Progress::Settled(hasher),
                Err(error) => {
                    self.shelf.note(&error);
                    Progress::Failed(error)
                }
            };
        }
        match &self.progress {
            Progress::Settled(hasher) => Ok(hasher),
            Progress::Failed(error) => Err(error.clone()),
            Progress::InFlight(_) => Err(BlobError::Interrupted),
        }
    }

    /// Waits for the batch in flight and sends the present one after it.
    async fn hand_over(&mut self) -> Result<(), BlobError> {
        let hasher = self.settle().await?.clone();
        let pieces = std::mem::take(&mut self.batch);
        let bytes = std::mem::take(&mut self.batch_bytes);
        self.enough = batch_among(self.seat.in_all());
        let batch = Batch {
            shelf: Arc::clone(&self.shelf),
            seat: Arc::clone(&self.seat),
            file: Arc::clone(&self.file),
            offset: self.handed_over,
            pieces,
        };
        self.progress = Progress::InFlight(if bytes <= TINY_BYTES {
            batch.in_one_go(hasher)
        } else {
            batch.in_two(hasher)
        });
        self.behind.wrote(bytes as u64, &self.shelf, self.id(), &self.file);
        self.handed_over += bytes as u64;
        Ok(())
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("id", &self.id().to_string())
            .field("offset", &self.offset())
            .finish_non_exhaustive()
    }
}

/// Pieces to be written from an offset on, and hashed in the same order.
struct Batch {
    shelf: Arc<Shelf>,
    /// Held until the write has landed, see [`Upload::seat`].
    #[expect(dead_code, reason = "held for its release on drop")]
    seat: Arc<Held<UploadId>>,
    file: Arc<File>,
    offset: u64,
    pieces: Vec<Bytes>,
}

impl Batch {
    fn write(&self) -> Result<(), BlobError> {
        self.shelf.check_room_to_go_on()?;
        write_at(&self.file, &self.pieces, self.offset)
    }

    fn hash(&self, mut hasher: Hasher) -> Hasher {
        for piece in &self.pieces {
            hasher.update(piece);
        }
        hasher
    }

    /// Starts writing, then hashing, in one trip to the blocking pool.
    fn in_one_go(self, hasher: Hasher) -> BoxFuture<'static, Result<Hasher, BlobError>> {
        Box::pin(blocking::started(spawn_blocking(move || {
            self.write()?;
            Ok(self.hash(hasher))
        })))
    }

    /// Starts writing and hashing side by side.
    fn in_two(self, hasher: Hasher) -> BoxFuture<'static, Result<Hasher, BlobError>> {
        let (batch, same) = {
            let batch = Arc::new(self);
            (Arc::clone(&batch), batch)
        };
        let written = blocking::started(spawn_blocking(move || batch.write()));
        let hashed = blocking::started(spawn_blocking(move || Ok(same.hash(hasher))));
        Box::pin(async move {
            let (written, hashed) = futures_util::future::join(written, hashed).await;
            written.and(hashed)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, OpenOptions};

    use super::*;
    use crate::blobs::Blobs;
    use crate::blobs::write::SYNC_EVERY;
    use crate::folder::DataFolder;

    const ID: UploadId = UploadId::from_bytes([7; 16]);

    #[test]
    fn many_uploads_share_the_memory_of_sixteen() {
        assert_eq!(batch_among(1), BATCH_BYTES);
        assert_eq!(batch_among(16), BATCH_BYTES);
        assert_eq!(batch_among(64), BATCH_BYTES / 4);
        assert_eq!(batch_among(100_000), LEAST_BATCH);
    }

    /// An upload whose bytes go to a device that is always full and cannot be synced.
    async fn on_a_full_disk() -> (tempfile::TempDir, Blobs, Upload) {
        let home = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(&DataFolder::lock(home.path()).unwrap(), 0).unwrap();
        let mut upload = blobs.begin(ID, Algorithm::Sha256).await.unwrap();
        let full: File = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        upload.file = Arc::new(full);
        (home, blobs, upload)
    }

    #[tokio::test]
    async fn after_a_failed_write_nothing_more_is_accepted() {
        let (_home, _blobs, mut upload) = on_a_full_disk().await;
        upload.append(Bytes::from_static(b"does not fit")).await.unwrap();
        assert!(matches!(upload.checkpoint().await, Err(BlobError::NoSpace)));
        assert!(matches!(upload.append(Bytes::from_static(b"more")).await, Err(BlobError::NoSpace)));
        assert!(matches!(upload.checkpoint().await, Err(BlobError::NoSpace)));
        assert!(matches!(upload.finish().await, Err(BlobError::NoSpace)));
    }

    #[tokio::test]
    async fn a_failed_write_shows_one_batch_later() {
        let (_home, _blobs, mut upload) = on_a_full_disk().await;
        let batch = Bytes::from(vec![1; BATCH_BYTES]);
        upload.append(batch.clone()).await.unwrap();
        assert!(matches!(upload.append(batch).await, Err(BlobError::NoSpace)));
    }

    #[tokio::test]
    async fn bytes_that_cannot_be_synced_are_removed() {
        let (home, blobs, upload) = on_a_full_disk().await;
        let staged = upload.finish().await.unwrap();
        let digest = staged.digest();
        let latch = blobs.latch(&digest).await;
        assert!(matches!(staged.place(&latch).await, Err(BlobError::Io(_))));
        assert!(blobs.open(&digest).await.unwrap().is_none());
        assert!(blobs.resume(ID).await.unwrap().is_none());
        assert_eq!(fs::read_dir(home.path().join("uploads")).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_keeps_its_seat_until_its_work_is_done() {
        let home = tempfile::tempdir().unwrap();
        let blobs = Blobs::in_folder(&DataFolder::lock(home.path()).unwrap(), 0).unwrap();
        let (go, wait) = std::sync::mpsc::channel::<()>();
        let opening = blobs.seated(ID, move |_| {
            wait.recv().unwrap();
            Ok(None)
        });
        // Long enough that the work begins; dropped while it goes on.
        assert!(tokio::time::timeout(std::time::Duration::from_millis(50), opening).await.is_err());
        assert!(blobs.in_hand(&ID));
        go.send(()).unwrap();
        assert!(blobs.resume(ID).await.unwrap().is_none());
        assert!(!blobs.in_hand(&ID));
    }

    #[tokio::test]
    async fn bytes_that_a_sync_has_lost_are_no_progress() {
        let (home, blobs, mut upload) = on_a_full_disk().await;
        upload.behind.wrote(SYNC_EVERY, &upload.shelf, ID, &upload.file);
        while fs::exists(upload.shelf.staged_path(&ID)).unwrap() {
            tokio::task::yield_now().await;
        }
        while !upload.behind.is_idle() {
            tokio::task::yield_now().await;
        }
        assert!(matches!(upload.checkpoint().await, Err(BlobError::Io(_))));
        drop(upload);
        assert_eq!(fs::read_dir(home.path().join("uploads")).unwrap().count(), 0);
        // Nor is a checkpoint that was under way then believed later.
        fs::write(home.path().join(format!("uploads/{ID}.state")), "stale").unwrap();
        drop(blobs.begin(ID, Algorithm::Sha256).await.unwrap());
        assert!(!home.path().join(format!("uploads/{ID}.state")).exists());
    }

    #[tokio::test]
    async fn a_sync_that_fails_on_the_way_ends_the_upload() {
        let (_home, blobs, mut upload) = on_a_full_disk().await;
        upload.behind.wrote(SYNC_EVERY, &upload.shelf, ID, &upload.file);
        assert!(matches!(upload.finish().await, Err(BlobError::Io(_))));
        assert!(blobs.resume(ID).await.unwrap().is_none());
    }
}
