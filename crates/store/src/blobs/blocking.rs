//! File work off the async threads.

use tokio::task::JoinHandle;

use super::BlobError;

/// Runs `work` on the blocking pool. It runs to its end even if the future is dropped.
pub(super) async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    started(tokio::task::spawn_blocking(work)).await
}

/// The outcome of work that is already on the blocking pool.
pub(super) async fn started<T>(work: JoinHandle<Result<T, BlobError>>) -> Result<T, BlobError> {
    work.await.map_err(|_panicked_or_stopping| BlobError::Interrupted)?
}
