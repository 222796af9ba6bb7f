//! What can go wrong with blob files, in words that name no path.

use std::io;
use std::sync::Arc;

use crate::condition::StorageFault;

/// Why work on a blob or an upload failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BlobError {
    /// The disk (or the user's quota on it) is full.
    #[error("the disk that keeps the blobs is full")]
    NoSpace,
    /// The file system was mounted read-only, or turned so after a fault.
    #[error("the disk that keeps the blobs is read-only")]
    ReadOnly,
    /// Another request is writing to this upload.
    #[error("another request is writing to this upload")]
    InUse,
    /// The staged file of this upload is gone: it was cancelled or has expired.
    #[error("the upload is no longer there")]
    Gone,
    /// The latch held is another digest's: a mistake in this program.
    #[error("the latch of another blob was held")]
    WrongLatch,
    /// What lies at a blob's place cannot be opened or read as a file.
    #[error("the blob's file cannot be read: {0}")]
    Unreadable(#[source] Arc<io::Error>),
    /// The disk answered with an error.
    #[error("the disk that keeps the blobs answered with an error: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The process has no file descriptors or no memory left for it.
    #[error("there are no file descriptors or there is no memory left for the work on the blob")]
    Exhausted(#[source] Arc<io::Error>),
    /// The work ended unexpectedly, or the process is stopping.
    #[error("the work on the blob ended before it was done")]
    Interrupted,
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ if is_exhaustion(&error) => Self::Exhausted(Arc::new(error)),
            _ => Self::Io(Arc::new(error)),
        }
    }
}

/// Whether the process or the machine has run out of something that comes back by itself.
fn is_exhaustion(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

impl BlobError {
    /// What is the matter with the disk, if that is why.
    pub fn storage_fault(&self) -> Option<StorageFault> {
        match self {
            Self::NoSpace => Some(StorageFault::Full),
            Self::ReadOnly => Some(StorageFault::ReadOnly),
            Self::Io(_) => Some(StorageFault::Failing),
            _ => None,
        }
    }

    /// The error of opening or reading a blob's file: is it this file, or is it the machine?
    pub(super) fn reading(error: io::Error) -> Self {
        use io::ErrorKind::{IsADirectory, NotADirectory, PermissionDenied, UnexpectedEof};
        use rustix::io::Errno;

        let of_the_file =
            matches!(error.kind(), PermissionDenied | IsADirectory | NotADirectory | UnexpectedEof)
                || matches!(Errno::from_io_error(&error), Some(Errno::IO | Errno::LOOP | Errno::NXIO));
        if of_the_file { Self::Unreadable(Arc::new(error)) } else { error.into() }
    }

    /// The same where something not found means that a staged file is gone.
    pub(super) fn gone_if_not_found(self) -> Self {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::NotFound => Self::Gone,
            other => other,
        }
    }
}
