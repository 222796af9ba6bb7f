//! What every request or connection would say in the log while a disk fails or descriptors are short: said once a
//! minute.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use hythe_registry::Error;

const EVERY: Duration = Duration::from_mins(1);

static REQUESTS: Seldom = Seldom::new();
static CONNECTIONS: Seldom = Seldom::new();

/// Logs why a request failed, if the storage or a lack of descriptors or memory was it and the log was not told
/// within a minute.
pub(crate) fn storage_failed(error: &Error) {
    let (Error::StorageFailed(cause) | Error::Overloaded(cause)) = error else { return };
    if let Some(silent) = REQUESTS.due(Instant::now()) {
        let error = cause.as_ref() as &dyn std::error::Error;
        tracing::error!(
            error,
            silent,
            "requests fail for want of a working disk, or of descriptors or memory"
        );
    }
}

/// Logs why no connection can be accepted, if the log was not told within a minute.
pub(crate) fn cannot_accept(error: &io::Error) {
    if let Some(silent) = CONNECTIONS.due(Instant::now()) {
        tracing::error!(%error, silent, "cannot accept connections for the moment");
    }
}

/// One thing to say, when it was said last, and how often it was kept back since.
struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// If it is time to say it: how often it was kept back since the last time.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((told, silent)) = &mut *said
            && now.duration_since(*told) < EVERY
        {
            *silent += 1;
            return None;
        }
        Some(said.replace((now, 0)).map_or(0, |(_, silent)| silent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_a_minute_with_the_number_of_what_was_kept_back() {
        let (seldom, begin) = (Seldom::new(), Instant::now());
        let at = |seconds| seldom.due(begin + Duration::from_secs(seconds));
        assert_eq!(
            [at(0), at(1), at(59), at(60), at(61), at(200)],
            [Some(0), None, None, Some(2), None, Some(1)]
        );
    }
}
