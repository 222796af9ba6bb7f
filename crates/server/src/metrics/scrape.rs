//! What is counted elsewhere, or only known when asked: read from the rooms and the kernel at each scrape.

use std::fmt;

use hythe_identity::Identity;
use hythe_registry::{Figures, Registry, StorageFault};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeLabelSet, EncodeMetric,
};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::process::Process;

/// One scrape's answers.
#[derive(Debug)]
pub(crate) struct Scrape {
    /// `None` when the records do not answer: then `hythe_records_readable` is 0 and the rest still comes.
    figures: Option<Figures>,
    faults: Vec<StorageFault>,
    password_checks: u64,
    process: Process,
}

impl Scrape {
    /// Asks everybody.
    pub(crate) async fn read(registry: &Registry, identity: &Identity) -> Self {
        let figures = match registry.figures().await {
            Ok(figures) => Some(figures),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the registry's figures cannot be read: /metrics is incomplete"
                );
                None
            }
        };
        let process = match tokio::task::spawn_blocking(Process::read).await {
            Ok(Ok(process)) => process,
            failed => {
                tracing::warn!(?failed, "the kernel does not tell this process's figures");
                Process::default()
            }
        };
        let faults = registry.storage_faults().await;
        Self { figures, faults, password_checks: identity.password_computations(), process }
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(encoder);
        page.gauge("process_resident_memory_bytes", "Memory in use", self.process.resident_bytes)?;
        page.gauge("process_virtual_memory_bytes", "Addresses in use", self.process.virtual_bytes)?;
        page.gauge("process_threads", "Threads", self.process.threads)?;
        page.gauge(
            "process_start_time_seconds",
            "When the process began, in Unix time",
            self.process.started,
        )?;
        page.gauge("process_open_fds", "File descriptors in use", self.process.open_fds)?;
        page.gauge("process_max_fds", "File descriptors allowed", self.process.max_fds)?;
        page.counter("process_cpu_seconds", "Processor time used", self.process.cpu_seconds)?;
        page.counter("hythe_password_checks", "Password hashes computed", self.password_checks)?;
        page.gauge(
            "hythe_records_readable",
            "Whether the records answer",
            u64::from(self.figures.is_some()),
        )?;
        page.gauges(
            "hythe_degraded",
            "Whether pushes are refused for this cause while pulls go on",
            StorageFault::ALL
                .iter()
                .map(|fault| ([("cause", fault.as_str())], u64::from(self.faults.contains(fault)))),
        )?;
        match &self.figures {
            Some(figures) => page.figures(figures),
            None => Ok(()),
        }
    }
}

/// The page being written.
struct Page<'a>(DescriptorEncoder<'a>);

impl Page<'_> {
    fn gauge<N: EncodeGaugeValue>(&mut self, name: &str, help: &str, value: N) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, None, gauge.metric_type())?)
    }

    fn counter<N: EncodeCounterValue>(&mut self, name: &str, help: &str, value: N) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, counter.metric_type())?)
    }

    fn counters<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (impl EncodeLabelSet + 'a, u64)>,
    ) -> fmt::Result {
        let kind = ConstCounter::<u64>::new(0).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn gauges<'a>(
        &mut self,
        name: &str,
        help: &str,
        values: impl Iterator<Item = (impl EncodeLabelSet + 'a, u64)>,
    ) -> fmt::Result {
        let kind = ConstGauge::<u64>::new(0).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            ConstGauge::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn figures(&mut self, figures: &Figures) -> fmt::Result {
        let caches = || figures.caches.iter();
        self.counters(
            "hythe_cache_hits",
            "Answers given from memory",
            caches().map(|cache| ([("cache", cache.name)], cache.hits)),
        )?;
        self.counters(
            "hythe_cache_misses",
            "Answers that had to be read",
            caches().map(|cache| ([("cache", cache.name)], cache.misses)),
        )?;

        let records = &figures.records;
        self.counter("hythe_records_writes", "Writes answered", records.writes)?;
        self.counter(
            "hythe_records_commits",
            "Transactions committed, each for one or more writes",
            records.commits,
        )?;
        self.counter(
            "hythe_records_commit_seconds",
            "Time spent in commits, waiting for the disk included",
            records.commit_time.as_secs_f64(),
        )?;
        self.gauge("hythe_records_queued_writes", "Writes waiting for the writer", records.queued)?;

        self.gauge("hythe_uploads_open", "Upload sessions open", figures.uploads_open)?;
        self.gauge(
            "hythe_disk_free_bytes",
            "Bytes left on the disk of the data folder",
            figures.disk.free_bytes,
        )?;
        self.gauge("hythe_disk_size_bytes", "Bytes of the disk of the data folder", figures.disk.size_bytes)?;
        self.gauge(
            "hythe_disk_free_inodes",
            "Files that the disk still takes; 0 if it does not say",
            figures.disk.free_inodes,
        )?;

        let collection = &figures.collection;
        let runs = [([("outcome", "done")], collection.runs), ([("outcome", "aborted")], collection.aborted)];
        self.counters("hythe_collection_runs", "Runs of the collector", runs.into_iter())?;
        self.counter("hythe_collection_removed_blobs", "Blobs removed", collection.removed.count)?;
        self.counter("hythe_collection_removed_bytes", "Bytes of blobs removed", collection.removed.bytes)?;
        self.gauge(
            "hythe_collection_last_seconds",
            "How long the last run took",
            collection.last_duration.as_secs_f64(),
        )?;
        self.gauge(
            "hythe_collection_last_done_timestamp_seconds",
            "When the last run was done; 0 before the first",
            collection.last_done.map_or(0, hythe_registry::Timestamp::as_secs),
        )?;

        let integrity = &figures.integrity;
        self.counter("hythe_scrub_blobs", "Blobs the scrub has verified", integrity.scrubbed_blobs)?;
        self.counter("hythe_scrub_bytes", "Bytes the scrub has verified", integrity.scrubbed_bytes)?;
        self.counter(
            "hythe_blobs_found_damaged",
            "Blobs found missing, corrupt or unreadable",
            integrity.found_damaged,
        )?;
        self.gauge("hythe_blobs_damaged", "Blobs that are damaged now", integrity.damaged)?;
        self.gauge(
            "hythe_blob_oldest_verification_age_seconds",
            "How long the blob that has waited longest has waited for its verification",
            integrity.oldest.as_secs_f64(),
        )
    }
}
