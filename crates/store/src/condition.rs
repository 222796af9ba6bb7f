//! Whether the disk takes writes: what those who write have met, told apart by cause.
//!
//! Invariant: a fault stands from the first write it ends until a later write is on the disk. The log says so when
//! it begins, once a minute while it lasts, and when it is over; never once for each request.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often the log speaks of a fault that lasts.
const REMIND_EVERY: Duration = Duration::from_mins(1);

/// Why nothing can be written, or not all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StorageFault {
    /// There is no room left, in bytes or in inodes.
    Full,
    /// The file system is mounted read-only, or turned so after a fault.
    ReadOnly,
    /// The disk answers with errors.
    Failing,
    /// The records' log cannot be written back any more: it grows until the server is started again.
    LogHeld,
}

impl StorageFault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Full, Self::ReadOnly, Self::Failing, Self::LogHeld];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "disk_full",
            Self::ReadOnly => "read_only",
            Self::Failing => "disk_errors",
            Self::LogHeld => "records_log",
        }
    }
}

/// What the writers of one part of the store have met.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Which part, for the log.
    part: &'static str,
    /// Whether `standing` holds something: what is asked after every write.
    faulted: AtomicBool,
    standing: Mutex<Option<Standing>>,
}

#[derive(Debug)]
struct Standing {
    fault: StorageFault,
    told: Instant,
    failures: u64,
}

impl Condition {
    pub(crate) fn of(part: &'static str) -> Self {
        Self { part, faulted: AtomicBool::new(false), standing: Mutex::new(None) }
    }

    /// Notes that a write was ended by a fault of the disk.
    pub(crate) fn failed(&self, fault: StorageFault, error: &(dyn std::error::Error + 'static)) {
        let mut standing = self.lock();
        self.faulted.store(true, Ordering::Release);
        let before = standing.take();
        let failures = before.as_ref().map_or(1, |before| before.failures + 1);
        let silent = before
            .as_ref()
            .is_some_and(|before| before.fault == fault && before.told.elapsed() < REMIND_EVERY);
        let told = match before {
            Some(before) if silent => before.told,
            _ => Instant::now(),
        };
        *standing = Some(Standing { fault, told, failures });
        drop(standing);
        if !silent {
            let (part, cause) = (self.part, fault.as_str());
            tracing::error!(part, cause, failures, error, "the disk does not take writes: pulls go on");
        }
    }

    /// Notes that a write is on the disk.
    pub(crate) fn worked(&self) {
        if !self.faulted.load(Ordering::Acquire) {
            return;
        }
        let ended = self.lock().take();
        self.faulted.store(false, Ordering::Release);
        if let Some(ended) = ended {
            let (part, failures) = (self.part, ended.failures);
            tracing::info!(part, failures, "the disk takes writes again");
        }
    }

    /// The fault that stands.
    pub(crate) fn fault(&self) -> Option<StorageFault> {
        self.lock().as_ref().map(|standing| standing.fault)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Standing>> {
        // It is replaced whole, so a panic elsewhere cannot have left half of it.
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error() -> std::io::Error {
        std::io::Error::from(std::io::ErrorKind::StorageFull)
    }

    #[test]
    fn a_fault_stands_until_a_write_works() {
        let condition = Condition::of("blobs");
        assert_eq!(condition.fault(), None);
        condition.failed(StorageFault::Full, &error());
        condition.failed(StorageFault::Failing, &error());
        assert_eq!(condition.fault(), Some(StorageFault::Failing));
        condition.worked();
        assert_eq!(condition.fault(), None);
        condition.worked();
    }

    #[test]
    fn a_fault_that_lasts_is_told_once_a_minute() {
        let condition = Condition::of("blobs");
        condition.failed(StorageFault::Full, &error());
        let first = condition.lock().as_ref().map(|standing| standing.told);
        for _ in 0..10 {
            condition.failed(StorageFault::Full, &error());
        }
        let standing = condition.lock();
        let standing = standing.as_ref().unwrap();
        assert_eq!((Some(standing.told), standing.failures), (first, 11));
    }
}
