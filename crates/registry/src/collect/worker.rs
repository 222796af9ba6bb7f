//! The background collector: a run now and then until told to stop.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::CollectOptions;
use crate::Registry;

/// A running background collector.
pub struct CollectorHandle {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl CollectorHandle {
    /// Stops the collector; a run in progress ends at its next pause.
    pub async fn stop(self) {
        // The receiver is gone only if the task has ended already.
        let _ = self.stop.send(true);
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the background collection ended unexpectedly");
        }
    }
}

impl Registry {
    /// Starts the background collection as configured; `None` if it is switched off.
    pub fn start_collector(&self) -> Option<CollectorHandle> {
        let options = self.options().collection.clone();
        if !options.enabled {
            return None;
        }
        let (stop, mut stopped) = watch::channel(false);
        let registry = self.clone();
        let task = tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => return,
                    () = tokio::time::sleep(options.every) => {}
                }
                let run = registry.collect(CollectOptions { dry_run: false, grace: None });
                let outcome = tokio::select! {
                    _ = stopped.changed() => return,
                    outcome = run => outcome,
                };
                match outcome {
                    Ok(report) => tracing::info!(
                        blobs = report.unlinked_blobs.count,
                        bytes = report.unlinked_blobs.bytes,
                        uploads = report.abandoned_uploads.count,
                        manifests = report.untagged_manifests.count,
                        "collected"
                    ),
                    Err(error) => {
                        tracing::warn!(error = &error as &dyn std::error::Error, "collection aborted");
                    }
                }
            }
        });
        Some(CollectorHandle { stop, task })
    }
}
