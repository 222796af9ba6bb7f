//! Where durability lives: blob files ([`blobs`]) and records ([`records`]) under one locked data folder.
//!
//! Rules (who may, what is referenced, what is garbage) live elsewhere. This crate promises three things:
//! what it acknowledged survives a crash, no path leaves it, and nothing here reads a whole blob into memory.

pub mod blobs;
pub mod records;

mod backup;
mod clock;
mod condition;
#[cfg(feature = "failpoints")]
pub mod crash;
mod durable;
mod folder;

pub use backup::{BackupFolder, BackupFolderError, RecordsPlace, RestoreFolder};
pub use blobs::{BlobError, BlobFile, BlobStream, Blobs, Disk, FileState, Latch, Staged, Upload, Verdict};
pub use clock::{Clock, ManualClock, SharedClock, SystemClock, Timestamp};
pub use condition::StorageFault;
pub use folder::{DataFolder, FolderError};
pub use records::{Cached, Reader, RecordError, Records, RecordsOptions, Topic, Writer};

/// How a store is opened; [`StoreOptions::default`] suits a machine of two cores and a few gigabytes.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Sizes of the records engine.
    pub records: RecordsOptions,
    /// Bytes of the disk that uploads leave free.
    pub reserve_bytes: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { records: RecordsOptions::default(), reserve_bytes: 64 << 20 }
    }
}

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folders for blobs and uploads could not be prepared.
    #[error("cannot prepare the blob folders: {0}")]
    Blobs(#[from] BlobError),
    /// The records could not be opened or brought to the current schema.
    #[error("cannot open the records: {0}")]
    Records(#[from] RecordError),
    /// A restore into the folder was interrupted.
    #[error("a restore into this folder did not come to its end; run it again")]
    Unfinished,
}

/// Blobs, records and the clock they are dated by. A clone is another handle on the same store.
#[derive(Clone)]
pub struct Store {
    /// Content-addressed blob files and the uploads that become them.
    pub blobs: Blobs,
    /// The records: one writer with group commit, a pool of readers.
    pub records: Records,
    /// The only source of wall-clock time.
    pub clock: SharedClock,
}

impl Store {
    /// Opens the store in a locked folder. Takes time independent of how much is stored. The folder stays
    /// locked as long as any handle on the store lives.
    ///
    /// Needs no runtime; the returned handles do.
    pub fn open(folder: &DataFolder, clock: SharedClock, options: StoreOptions) -> Result<Self, StoreError> {
        if folder.restoring_path().exists() {
            return Err(StoreError::Unfinished);
        }
        Self::open_unfinished(folder, clock, options)
    }

    fn open_unfinished(
        folder: &DataFolder,
        clock: SharedClock,
        options: StoreOptions,
    ) -> Result<Self, StoreError> {
        let blobs = Blobs::in_folder(folder, options.reserve_bytes)?;
        let records = Records::open(folder, options.records)?;
        Ok(Self { blobs, records, clock })
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
