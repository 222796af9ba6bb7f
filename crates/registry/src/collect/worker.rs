//! The background collector: a run now and then until told to stop.

use std::time::Duration;

use super::CollectOptions;
use crate::jobs::JobHandle;
use crate::{Error, Registry};

/// The first run comes so soon after the start, when the first requests have had their turn.
const FIRST: Duration = Duration::from_mins(5);

impl Registry {
    /// Starts the background collection as configured; `None` if it is switched off.
    pub fn start_collector(&self) -> Option<JobHandle> {
        let options = &self.options().collection;
        let (registry, every) = (self.clone(), options.every);
        let work = async move {
            // Soon after the start: else a server that is started anew more often than that would never collect.
            let mut pause = every.min(FIRST);
            loop {
                tokio::time::sleep(pause).await;
                pause = every;
                match registry.collect(CollectOptions { dry_run: false, grace: None }).await {
                    Ok(report) => tracing::info!(
                        blobs = report.unlinked_blobs.count,
                        bytes = report.unlinked_blobs.bytes,
                        uploads = report.abandoned_uploads.count,
                        manifests = report.untagged_manifests.count,
                        "collected"
                    ),
                    Err(Error::JobTaken) => {
                        tracing::info!("no collection: another one is under way");
                    }
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "collection aborted");
                    }
                }
            }
        };
        options.enabled.then(|| JobHandle::start(work))
    }
}
