//! Work that takes a processor, or waits for a disk, for a while.

use std::io;

/// Does it on a thread that may be kept busy.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
