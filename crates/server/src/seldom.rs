//! What every request would say in the log while a disk fails or descriptors are short: said once a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hythe_registry::Error;

const EVERY: Duration = Duration::from_mins(1);

/// What was kept back since the log was last told.
static KEPT_BACK: Mutex<Option<(Instant, u64)>> = Mutex::new(None);

/// Logs why a request failed, if the storage or a lack of descriptors or memory was it and the log was not told
/// within a minute.
pub(crate) fn storage_failed(error: &Error) {
    let (Error::StorageFailed(cause) | Error::Overloaded(cause)) = error else { return };
    let mut kept_back = KEPT_BACK.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((told, silent)) = &mut *kept_back
        && told.elapsed() < EVERY
    {
        *silent += 1;
        return;
    }
    let silent = kept_back.replace((Instant::now(), 0)).map_or(0, |(_, silent)| silent);
    drop(kept_back);
    let error = cause.as_ref() as &dyn std::error::Error;
    tracing::error!(error, silent, "requests fail for want of a working disk, or of descriptors or memory");
}
