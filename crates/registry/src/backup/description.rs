//! What is said of a backup: beside it, to whoever made it, and when it cannot be made.

use std::io;
use std::path::Path;

use hythe_oci::Digest;
use hythe_store::{BackupFolderError, BlobError, RecordError, RecordsPlace, StoreError};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::check::Listed;
use crate::collect::Tally;

/// The form of backups that this version writes and reads. The first one, of before any release, kept its records
/// in one place.
const FORMAT: u32 = 2;

/// What every form says of itself.
#[derive(Deserialize)]
struct Form {
    format: u32,
    hythe: String,
}

/// The file beside a backup.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Description {
    format: u32,
    /// The version of Hythe that wrote it.
    hythe: String,
    /// False while the first backup of a folder is being written.
    complete: bool,
    /// The moment whose state it holds (RFC 3339).
    #[serde(default)]
    made: Option<String>,
    #[serde(default)]
    records: Option<Records>,
    #[serde(default)]
    blobs: Tally,
    #[serde(default)]
    damaged: u64,
}

/// The records that a description speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Records {
    pub(super) place: RecordsPlace,
    pub(super) digest: Digest,
}

impl Description {
    pub(super) fn begun() -> Self {
        Self {
            format: FORMAT,
            hythe: env!("CARGO_PKG_VERSION").to_owned(),
            complete: false,
            made: None,
            records: None,
            blobs: Tally::default(),
            damaged: 0,
        }
    }

    pub(super) fn complete(report: &BackupReport, records: Records) -> Self {
        let all = [report.linked, report.copied, report.kept];
        Self {
            complete: true,
            made: Some(report.made.clone()),
            records: Some(records),
            blobs: Tally {
                count: all.iter().map(|tally| tally.count).sum(),
                bytes: all.iter().map(|tally| tally.bytes).sum(),
            },
            damaged: report.damaged.count,
            ..Self::begun()
        }
    }

    pub(super) fn json(&self) -> Result<Vec<u8>, BackupError> {
        Ok(serde_json::to_vec_pretty(self).map_err(io::Error::from)?)
    }

    /// Reads a description in the form of this version.
    fn parse(text: &[u8], of: &Path) -> Result<Self, BackupError> {
        let of = of.display().to_string();
        match serde_json::from_slice(text) {
            Ok(Form { format: FORMAT, .. }) => {
                serde_json::from_slice(text).map_err(|_| BackupError::NoBackup(of))
            }
            Ok(Form { hythe, .. }) => Err(BackupError::OtherForm(of, hythe)),
            Err(_) => Err(BackupError::NoBackup(of)),
        }
    }

    /// Where the records lie that hold, if any do.
    pub(super) fn place(text: &[u8], of: &Path) -> Result<Option<RecordsPlace>, BackupError> {
        let description = Self::parse(text, of).map_err(|error| match error {
            BackupError::NoBackup(_) => BackupError::folder(of, BackupFolderError::Foreign),
            other => other,
        })?;
        Ok(description.records.filter(|_| description.complete).map(|records| records.place))
    }

    /// Reads a description; only of a backup that is complete and that this version can read. Answers the moment
    /// it was made, its records, and the bytes of its blobs.
    pub(super) fn read(text: &[u8], from: &Path) -> Result<(String, Records, u64), BackupError> {
        let description = Self::parse(text, from)?;
        match (description.complete, description.made, description.records) {
            (true, Some(made), Some(records)) => Ok((made, records, description.blobs.bytes)),
            _ => Err(BackupError::Incomplete(from.display().to_string())),
        }
    }
}

/// What a backup took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupReport {
    /// The moment whose state it holds (RFC 3339).
    pub made: String,
    /// Blobs whose files got a second name.
    pub linked: Tally,
    /// Blobs that were copied, and compared with their digests.
    pub copied: Tally,
    /// Blobs that an earlier backup in the same folder held already.
    pub kept: Tally,
    /// Blobs of an earlier backup that are not needed any more.
    pub removed: u64,
    /// Blobs that are damaged or missing in the registry, and so in the backup.
    pub damaged: Listed,
}

/// What a restore brought back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreReport {
    /// The moment whose state is restored (RFC 3339).
    pub made: String,
    /// Blobs copied, each compared with its digest.
    pub restored: Tally,
    /// Blobs that are damaged or missing in the backup. They are marked, and pushing them again heals them.
    pub damaged: Listed,
}

/// Why there is no backup, or no restored folder.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A collection or another backup runs.
    #[error("A collection or another backup is under way: try again when it has ended.")]
    Taken,
    /// The folder is somebody else's.
    #[error("The folder {0} cannot be used: {1}.")]
    Folder(String, #[source] BackupFolderError),
    /// There is no backup.
    #[error("There is no backup in {0}.")]
    NoBackup(String),
    /// The backup was interrupted.
    #[error("The backup in {0} is not complete: its first run was interrupted. Run it again.")]
    Incomplete(String),
    /// The backup was made by another version.
    #[error(
        "The backup in {0} was made by Hythe {1}, which writes another form: restore it with that version, and back up \
         into another folder."
    )]
    OtherForm(String, String),
    /// The records are not those that were backed up.
    #[error("The records of the backup in {0} are damaged: their digest is not the one that was noted.")]
    RecordsDamaged(String),
    /// The store in the folder cannot be opened.
    #[error("The backup's store cannot be used")]
    Store(#[from] StoreError),
    /// Records failed.
    #[error("The records cannot be read or written")]
    Records(#[from] RecordError),
    /// Blobs failed.
    #[error("The blobs cannot be read or written")]
    Blobs(#[from] BlobError),
    /// The registry failed.
    #[error(transparent)]
    Registry(Box<Error>),
    /// The disk failed.
    #[error("The folder cannot be read or written")]
    Io(#[from] io::Error),
}

impl BackupError {
    pub(super) fn folder(dir: &Path, error: BackupFolderError) -> Self {
        Self::Folder(dir.display().to_string(), error)
    }
}
