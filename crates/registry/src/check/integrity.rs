//! The numbers an operator watches: how well verified everything is, and what was found damaged.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::{Error, Registry};

/// What this process has counted since its start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    scrubbed_blobs: AtomicU64,
    scrubbed_bytes: AtomicU64,
    damaged: AtomicU64,
}

impl Counters {
    pub(crate) fn scrubbed(&self, bytes: u64) {
        self.scrubbed_blobs.fetch_add(1, Ordering::Relaxed);
        self.scrubbed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn damaged(&self) {
        self.damaged.fetch_add(1, Ordering::Relaxed);
    }
}

/// The state of all stored copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Integrity {
    /// Blobs the scrub has verified since the start.
    pub scrubbed_blobs: u64,
    /// Their bytes.
    pub scrubbed_bytes: u64,
    /// Blobs found damaged since the start, by whatever looked.
    pub found_damaged: u64,
    /// Blobs damaged now.
    pub damaged: u64,
    /// How long the blob that has waited longest has waited for its verification.
    pub oldest: Duration,
}

impl Registry {
    /// How the stored copies are. Takes time by the number of damaged blobs, not of all.
    pub async fn integrity_figures(&self) -> Result<Integrity, Error> {
        let verified = self.records().read(|r| Ok::<_, Error>(r.verified()?)).await?;
        let counters = self.integrity();
        Ok(Integrity {
            scrubbed_blobs: counters.scrubbed_blobs.load(Ordering::Relaxed),
            scrubbed_bytes: counters.scrubbed_bytes.load(Ordering::Relaxed),
            found_damaged: counters.damaged.load(Ordering::Relaxed),
            damaged: verified.damaged,
            oldest: verified.oldest.map_or(Duration::ZERO, |since| self.now().since(since)),
        })
    }
}
