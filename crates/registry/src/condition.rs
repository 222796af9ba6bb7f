//! What ails the storage, for whoever watches over the server.
//!
//! Invariant: what is told is true now, not when somebody last pushed: the disk itself is asked, and a fault that
//! ended a write is tried again before it is told. A server that cannot write still serves pulls, so none of
//! this makes it unready.

use std::time::{Duration, Instant};

use hythe_store::StorageFault;
use hythe_store::records::jobs::{Job, JobLease};

use crate::{Error, Registry, random_id};

/// A disk that fails is not tried more often, however many ask.
const TRY_EVERY: Duration = Duration::from_secs(1);

impl Registry {
    /// The faults that keep pushes from succeeding, each once; none when all is well.
    pub async fn storage_faults(&self) -> Vec<StorageFault> {
        self.try_again().await;
        let disk = match self.blobs().disk().await {
            Ok(disk) => disk.fault,
            Err(error) => error.storage_fault(),
        };
        let mut faults = self.records().faults();
        faults.extend(self.blobs().fault().into_iter().chain(disk));
        faults.sort_unstable();
        faults.dedup();
        faults
    }

    /// Writes a little where writes have failed. What that meets is noted where it is met.
    async fn try_again(&self) {
        // Whoever comes while another one tries is told what is known.
        let Ok(mut last) = self.inner.tried.try_lock() else { return };
        let records = self.records().faults().iter().any(|fault| *fault != StorageFault::LogHeld);
        let blobs = self.blobs().fault().is_some();
        if !(records || blobs) || last.is_some_and(|last| last.elapsed() < TRY_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        if blobs && let Err(error) = self.blobs().probe().await {
            tracing::debug!(%error, "blobs still cannot be written");
        }
        if records && let Err(error) = self.probe_records().await {
            tracing::debug!(%error, "records still cannot be written");
        }
    }

    async fn probe_records(&self) -> Result<(), Error> {
        let (now, lease) = (self.now(), JobLease { job: Job::Probe, holder: random_id() });
        self.records()
            .write(move |w| {
                w.claim_job(lease, now, now)?;
                Ok(w.release_job(lease)?)
            })
            .await
    }
}

/// What an operator should know of a fault: one or more sentences.
pub fn explain(fault: StorageFault) -> &'static str {
    match fault {
        StorageFault::Full => {
            "The disk of the data folder is full: pulls go on, pushes are refused with status 507. Make room; no restart is needed."
        }
        StorageFault::ReadOnly => {
            "The disk of the data folder is read-only: pulls go on, pushes are refused with status 503. The system's log says why; pushes go on by themselves once it can be written."
        }
        StorageFault::Failing => {
            "The disk of the data folder answers writes with errors: pulls go on, pushes are refused with status 503. Look at the system's log, and have a backup at hand."
        }
        StorageFault::LogHeld => {
            "The log of the records could not be written back without a doubt and is kept: it grows until the server is started again, which is safe at any time."
        }
    }
}
