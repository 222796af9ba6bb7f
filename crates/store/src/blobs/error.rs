//! What can go wrong with blob files, in words that name no path.

use std::io;
use std::sync::Arc;

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
    /// The disk answered with an error.
    #[error("the disk that keeps the blobs answered with an error: {0}")]
    Io(#[source] Arc<io::Error>),
    /// The work ended unexpectedly, or the process is stopping.
    #[error("the work on the blob ended before it was done")]
    Interrupted,
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            _ => Self::Io(Arc::new(error)),
        }
    }
}
