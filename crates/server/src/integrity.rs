//! The numbers about the stored copies, brought up to date when somebody asks for them.

use std::sync::atomic::{AtomicU64, Ordering};

use hythe_registry::Registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use crate::metrics::Metrics;

/// Gauges and counters of the scrub and of damage; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct IntegrityMetrics {
    scrubbed_blobs: Counter<u64, AtomicU64>,
    scrubbed_bytes: Counter<u64, AtomicU64>,
    found_damaged: Counter<u64, AtomicU64>,
    damaged: Gauge<u64, AtomicU64>,
    oldest: Gauge<f64, AtomicU64>,
}

impl IntegrityMetrics {
    /// Adds them to what is told.
    pub(crate) fn register(metrics: &Metrics) -> Self {
        let own = Self::default();
        metrics.extend(|registry| {
            registry.register(
                "hythe_scrub_blobs",
                "Blobs the scrub has verified",
                own.scrubbed_blobs.clone(),
            );
            registry.register(
                "hythe_scrub_bytes",
                "Bytes the scrub has verified",
                own.scrubbed_bytes.clone(),
            );
            registry.register(
                "hythe_blobs_found_damaged",
                "Blobs found missing, corrupt or unreadable",
                own.found_damaged.clone(),
            );
            registry.register("hythe_blobs_damaged", "Blobs that are damaged now", own.damaged.clone());
            registry.register(
                "hythe_blob_oldest_verification_age_seconds",
                "How long the blob that has waited longest has waited for its verification",
                own.oldest.clone(),
            );
        });
        own
    }

    /// Brings them up to date. If the records do not answer, they stay as they were: the other numbers
    /// are wanted most then.
    pub(crate) async fn refresh(&self, registry: &Registry) {
        match registry.integrity_figures().await {
            Ok(figures) => {
                self.scrubbed_blobs.inner().store(figures.scrubbed_blobs, Ordering::Relaxed);
                self.scrubbed_bytes.inner().store(figures.scrubbed_bytes, Ordering::Relaxed);
                self.found_damaged.inner().store(figures.found_damaged, Ordering::Relaxed);
                self.damaged.set(figures.damaged);
                self.oldest.set(figures.oldest.as_secs_f64());
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the state of the blobs cannot be told"
                );
            }
        }
    }
}
