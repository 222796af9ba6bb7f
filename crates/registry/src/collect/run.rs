//! One run of the collector.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hythe_oci::{Algorithm, Digest, UploadId};
use hythe_store::records::collect::Protection;
use hythe_store::records::jobs::{Job, JobLease};
use hythe_store::records::leases::LeaseBucket;
use hythe_store::{Latch, Timestamp};
use tokio::task::{JoinError, JoinSet};

use super::{CollectOptions, CollectReport};
use crate::{Error, Registry};

/// Rows judged in one read: some ten milliseconds.
const PAGE: u32 = 8_192;

/// Removals that share a transaction, at most.
const BATCH: usize = 1024;

/// Batches of blobs under way at once: while one waits for its commits, others leave the disk. A push waits for no more
/// than a transaction of each, and for the latches of the one that has its digest.
const BATCHES: usize = 3;

/// The time in which removals are counted.
const TENTH: Duration = Duration::from_millis(100);

/// A run in progress: when it started, what it may remove, how fast.
pub(crate) struct Run {
    pub(crate) started: Timestamp,
    pub(crate) preview: bool,
    protection: Protection,
    /// What makes this the only run; a preview needs none.
    lease: Option<JobLease>,
    rate: u32,
    removed: usize,
}

impl Run {
    /// Waits so that no more than the configured number of removals happens in a second.
    pub(crate) async fn pace(&mut self) {
        self.pace_of(1).await;
    }

    /// The same before that many removals at once; no more than [`Run::batch`].
    async fn pace_of(&mut self, removals: usize) {
        self.removed += removals;
        if self.removed >= self.tenth() {
            self.removed -= self.tenth();
            tokio::time::sleep(TENTH).await;
        }
    }

    /// How many removals may go together: a tenth of a second's at most.
    fn batch(&self) -> usize {
        self.tenth().min(BATCH)
    }

    fn tenth(&self) -> usize {
        (self.rate as usize / 10).max(1)
    }
}

impl Registry {
    /// Runs a collection to its end, unless another one is under way.
    pub async fn collect(&self, options: CollectOptions) -> Result<CollectReport, Error> {
        let began = Instant::now();
        let outcome = self.run_collection(options).await;
        if !options.dry_run {
            let now = self.now();
            self.note_collection(|figures| match &outcome {
                Ok(report) => {
                    figures.runs += 1;
                    figures.removed.count += report.unlinked_blobs.count;
                    figures.removed.bytes += report.unlinked_blobs.bytes;
                    figures.last_duration = began.elapsed();
                    figures.last_done = Some(now);
                }
                // Another run is under way, and will be counted.
                Err(Error::JobTaken) => {}
                Err(_) => figures.aborted += 1,
            });
        }
        outcome
    }

    async fn run_collection(&self, options: CollectOptions) -> Result<CollectReport, Error> {
        if options.dry_run {
            return self.collect_here(options, None).await;
        }
        let run = async |lease| Box::pin(self.collect_here(options, Some(lease))).await;
        self.holding(Job::Collect, run).await?.ok_or(Error::JobTaken)
    }

    async fn collect_here(
        &self,
        options: CollectOptions,
        lease: Option<JobLease>,
    ) -> Result<CollectReport, Error> {
        let started = self.now();
        let grace = options.grace.unwrap_or_else(|| self.options().collection.grace);
        let mut run = Run {
            started,
            preview: options.dry_run,
            protection: Protection {
                before: started.minus(grace),
                leased_since: LeaseBucket::at(started.minus(self.options().lease)),
            },
            lease,
            rate: self.options().collection.rate,
            removed: 0,
        };
        let mut report = CollectReport { dry_run: options.dry_run, ..CollectReport::default() };
        if !run.preview {
            self.empty_trash().await?;
        }
        self.reap_uploads(&mut run, &mut report).await?;
        self.collect_untagged(&mut run, &mut report).await?;
        self.collect_links(&mut run, &mut report).await?;
        self.collect_blobs(&mut run, &mut report).await?;
        if !run.preview {
            self.forget().await?;
        }
        // Last, behind a commit of this run: a record whose own commit failed cannot come back now.
        self.collect_unrecorded(&mut run, &mut report).await?;
        self.collect_quarantine(&mut run, &mut report).await?;
        Ok(report)
    }

    async fn reap_uploads(&self, run: &mut Run, report: &mut CollectReport) -> Result<(), Error> {
        let now = run.started;
        loop {
            let rows = self.records().read(move |r| r.expired_uploads(now, PAGE)).await?;
            let mut ended = 0;
            for row in rows {
                if self.blobs().in_hand(&row.id) {
                    continue;
                }
                let size = self.blobs().staged_size(row.id).await?.unwrap_or(0);
                if !run.preview {
                    run.pace().await;
                    self.abandon(&row).await?;
                    ended += 1;
                }
                report.abandoned_uploads.add(size);
            }
            if ended == 0 {
                break;
            }
        }
        // Bytes without a session: a project was deleted, or a process ended inside one request.
        for id in self.blobs().staged().await? {
            if self.is_ownerless(id).await? {
                let size = self.blobs().staged_size(id).await?.unwrap_or(0);
                if !run.preview {
                    run.pace().await;
                    self.blobs().discard(id).await?;
                }
                report.abandoned_uploads.add(size);
            }
        }
        Ok(())
    }

    pub(crate) async fn is_ownerless(&self, id: UploadId) -> Result<bool, Error> {
        if self.blobs().in_hand(&id) {
            return Ok(false);
        }
        let row = self.records().read(move |r| r.upload(&id)).await?;
        // Asked in this order: a request that began meanwhile has it in hand by now.
        Ok(row.is_none() && !self.blobs().in_hand(&id))
    }

    async fn collect_links(&self, run: &mut Run, report: &mut CollectReport) -> Result<(), Error> {
        let protection = run.protection;
        let mut last = None;
        loop {
            let page = self.records().read(move |r| r.link_candidates(protection, last, PAGE)).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = Some((end.repository, end.digest));
            report.links_examined += page.len() as u64;
            let garbage: Vec<_> = page.into_iter().filter(|link| link.garbage).collect();
            if run.preview {
                report.unreferenced_links += garbage.len() as u64;
                continue;
            }
            for batch in garbage.chunks(run.batch()) {
                run.pace_of(batch.len()).await;
                let links = batch.to_vec();
                report.unreferenced_links += self
                    .records()
                    .write(move |w| {
                        let mut gone = 0;
                        for link in &links {
                            gone += u64::from(w.collect_link(link.repository, &link.digest, protection)?);
                        }
                        Ok::<_, Error>(gone)
                    })
                    .await?;
            }
        }
    }

    async fn collect_blobs(&self, run: &mut Run, report: &mut CollectReport) -> Result<(), Error> {
        let protection = run.protection;
        let mut last = None;
        loop {
            let page = self.records().read(move |r| r.blob_candidates(protection, last, PAGE)).await?;
            let Some(end) = page.last() else {
                return Ok(());
            };
            last = Some(end.digest);
            report.blobs_examined += page.len() as u64;
            let garbage: Vec<_> = page.into_iter().filter(|blob| blob.garbage).collect();
            if run.preview {
                for blob in garbage {
                    report.unlinked_blobs.add(blob.size);
                }
                continue;
            }
            let mut removals = JoinSet::new();
            for batch in garbage.chunks(run.batch()) {
                run.pace_of(batch.len()).await;
                if removals.len() == BATCHES {
                    removed(removals.join_next().await, report)?;
                }
                let digests = batch.iter().map(|blob| blob.digest).collect();
                let (registry, lease) = (self.clone(), run.lease);
                // In a task, so that its latches are not held for longer than it takes.
                removals.spawn(async move { registry.remove_blobs(digests, protection, lease).await });
            }
            while !removals.is_empty() {
                removed(removals.join_next().await, report)?;
            }
        }
    }

    /// Condemns blobs and removes those that still are after that: records first, then files, all of it under the
    /// digests' latches. Answers the sizes of those that are gone.
    async fn remove_blobs(
        &self,
        digests: Vec<Digest>,
        protection: Protection,
        lease: Option<JobLease>,
    ) -> Result<Vec<u64>, Error> {
        let (now, condemned) = (self.now(), digests.clone());
        self.records()
            .write(move |w| {
                condemned.iter().try_for_each(|digest| w.condemn(digest, protection, now).map(drop))
            })
            .await?;
        let mut latches = Vec::with_capacity(digests.len());
        // Whoever holds one latch while waiting for another is a batch of the same run, and no two batches want the
        // same: no order can end in a deadlock.
        for digest in &digests {
            latches.push(self.blobs().latch(digest).await);
        }
        let now = self.now();
        let freed = self
            .records()
            .write(move |w| {
                // Whoever holds the job now may rely on every file staying where it is.
                match lease {
                    Some(lease) if w.holds_job(lease, now)? => {}
                    _ => return Err(Error::JobLost),
                }
                let mut freed = BTreeMap::new();
                for digest in &digests {
                    freed.extend(w.remove_condemned(digest, protection, now)?.map(|size| (*digest, size)));
                }
                Ok(freed)
            })
            .await?;
        latches.retain(|latch| freed.contains_key(latch.digest()));
        self.blobs().remove_all(&latches).await?;
        let (digests, sizes): (Vec<_>, Vec<_>) = freed.into_iter().unzip();
        self.records().write(move |w| digests.iter().try_for_each(|digest| w.forget_trash(digest))).await?;
        Ok(sizes)
    }

    /// Files that never got a record: a push that a crash or a failed write cut in between.
    async fn collect_unrecorded(&self, run: &mut Run, report: &mut CollectReport) -> Result<(), Error> {
        for algorithm in Algorithm::ALL {
            for first in 0..=u8::MAX {
                let found = self.blobs().on_disk(algorithm, first).await?;
                let unrecorded = self.records().read(move |r| Ok::<_, Error>(r.unrecorded(found)?)).await?;
                for digest in unrecorded {
                    let latch = self.blobs().latch(&digest).await;
                    let size = self.blobs().open(&digest).await?.map_or(0, |file| file.size());
                    let gone = if run.preview {
                        !self.records().read(move |r| r.has_blob(&digest)).await?
                    } else {
                        run.pace().await;
                        self.remove_unrecorded(digest, &latch).await?
                    };
                    if gone {
                        report.unrecorded_files.add(size);
                    }
                }
            }
        }
        Ok(())
    }

    /// Damaged files kept for the operator, once their blobs are healed or gone.
    async fn collect_quarantine(&self, run: &mut Run, report: &mut CollectReport) -> Result<(), Error> {
        for digest in self.blobs().quarantined().await? {
            let latch = self.blobs().latch(&digest).await;
            let stored = self.records().read(move |r| Ok::<_, Error>(r.stored_blob(&digest)?)).await?;
            if stored.is_some_and(|stored| stored.damage.is_some()) {
                continue;
            }
            if run.preview {
                report.quarantined_files.add(self.blobs().quarantined_size(&digest).await?);
            } else {
                run.pace().await;
                report.quarantined_files.add(self.blobs().release_quarantined(&latch).await?);
            }
        }
        Ok(())
    }

    /// Removes a file if it has no record; whoever is between file and record holds the latch.
    pub(crate) async fn remove_unrecorded(&self, digest: Digest, latch: &Latch) -> Result<bool, Error> {
        if self.records().read(move |r| r.has_blob(&digest)).await? {
            return Ok(false);
        }
        Ok(self.blobs().remove(latch, &digest).await?)
    }

    /// Pays what a crash left owing: files whose records are gone.
    async fn empty_trash(&self) -> Result<(), Error> {
        loop {
            let owed = self.records().read(|r| r.trash(PAGE)).await?;
            if owed.is_empty() {
                return Ok(());
            }
            for digest in owed {
                let latch = self.blobs().latch(&digest).await;
                // A push may have brought the blob back while the latch was free.
                if self.records().read(move |r| r.in_trash(&digest)).await? {
                    self.blobs().remove(&latch, &digest).await?;
                    self.records().write(move |w| w.forget_trash(&digest)).await?;
                }
            }
        }
    }
}

/// Adds what a batch removed.
fn removed(
    batch: Option<Result<Result<Vec<u64>, Error>, JoinError>>,
    report: &mut CollectReport,
) -> Result<(), Error> {
    let sizes = match batch {
        Some(Ok(sizes)) => sizes?,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Nobody aborts a batch whose run still waits for it.
        Some(Err(_)) | None => Vec::new(),
    };
    for size in sizes {
        report.unlinked_blobs.add(size);
    }
    Ok(())
}
