//! What can go wrong in the records, in words that name no path and no SQL.

use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::condition::StorageFault;

/// Why a read or a write of records failed. Nothing of a failed write was kept.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RecordError {
    /// The disk (or the user's quota on it) is full.
    #[error("the disk that keeps the records is full")]
    NoSpace,
    /// The file system was mounted read-only, or turned so after a fault.
    #[error("the disk that keeps the records is read-only")]
    ReadOnly,
    /// The disk answered with an error.
    #[error("the disk that keeps the records answered with an error")]
    Io(#[source] Arc<rusqlite::Error>),
    /// The process has no memory left for it.
    #[error("there is no memory left for the records")]
    Exhausted(#[source] Arc<rusqlite::Error>),
    /// The database file is damaged.
    #[error("the records are damaged")]
    Damaged(#[source] Arc<rusqlite::Error>),
    /// A uniqueness, foreign-key or check rule of the schema refused the change.
    #[error("a rule of the records refused the change")]
    Constraint(#[source] Arc<rusqlite::Error>),
    /// Any other refusal by the database: a mistake in this program.
    #[error("the records refused a statement")]
    Refused(#[source] Arc<rusqlite::Error>),
    /// A column held something that is not the value it should be.
    #[error("a record holds a value that cannot be read: {0}")]
    Unreadable(String),
    /// The transaction ended while the closure ran, though the closure saw no failure.
    #[error("the records lost the transaction")]
    Lost,
    /// The closure panicked; its changes were undone.
    #[error("the work on the records failed unexpectedly")]
    Panicked,
    /// The records were closed: the process is stopping.
    #[error("the records are closed")]
    Closed,
    /// The schema could not be brought to this version's.
    #[error("the records could not be brought to the current schema")]
    Migration(#[source] Arc<refinery::Error>),
    /// An earlier version of the program wrote them, and they were not to be changed.
    #[error(
        "an earlier version of hythe wrote the records (schema {found}, this one needs {ours}): start its server once to bring \
         them up to date, or use the version that wrote them"
    )]
    Older {
        /// The schema's number.
        found: i64,
        /// The number of this version's.
        ours: i64,
    },
    /// A later version of the program changed them.
    #[error(
        "a newer version of hythe wrote the records (schema {found}, this one knows {ours}): use that version"
    )]
    Newer {
        /// The schema's number.
        found: i64,
        /// The number of this version's.
        ours: i64,
    },
    /// The file could not be created or the writer's thread not started.
    #[error("the records could not be opened: {0}")]
    Open(#[source] Arc<std::io::Error>),
}

impl RecordError {
    /// What is the matter with the disk, if that is why.
    pub fn storage_fault(&self) -> Option<StorageFault> {
        match self {
            Self::NoSpace => Some(StorageFault::Full),
            Self::ReadOnly => Some(StorageFault::ReadOnly),
            Self::Io(_) | Self::Lost => Some(StorageFault::Failing),
            _ => None,
        }
    }

    /// A file of the records could not be made, opened or read.
    pub(crate) fn opening(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::NoSpace,
            std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Open(Arc::new(error)),
        }
    }
}

impl From<rusqlite::Error> for RecordError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::NoSpace,
            Some(ErrorCode::ReadOnly) => Self::ReadOnly,
            Some(ErrorCode::OutOfMemory) => Self::Exhausted(Arc::new(error)),
            Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen) => Self::Io(Arc::new(error)),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(Arc::new(error)),
            Some(ErrorCode::ConstraintViolation) => Self::Constraint(Arc::new(error)),
            _ => Self::Refused(Arc::new(error)),
        }
    }
}
