//! Backups: the records as they are at one moment, then every blob they name.
//!
//! Invariants: while a backup runs nothing is collected, so that what its records name is still there when its turn
//! comes; a backup is called complete only once all of it is on the disk, and until then the one before it in the
//! same folder holds. Uploads under way are no part of it.

mod description;
mod restore;

pub use description::{BackupError, BackupReport, RestoreReport};
pub use restore::restore;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hythe_oci::{Algorithm, Digest};
use hythe_store::records::jobs::Job;
use hythe_store::records::stamps::StoredBlob;
use hythe_store::{BackupFolder, RecordsPlace, Store};
use serde::{Deserialize, Serialize};

use crate::progress::Reporter;
use crate::seeded::defect;
use crate::{Error, Registry};
use description::{Description, Records};

/// Blobs that are looked at together.
const PAGE: u32 = 500;

/// How long a backup waits for a collection or another backup, and how often it looks.
const PATIENCE: Duration = Duration::from_mins(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Blobs that one run removes; what is left over goes with the next.
const REMOVED_AT_ONCE: usize = 1 << 20;

/// How a backup is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupOptions {
    /// The folder it goes to: a new one, an empty one, or one with an earlier backup, of which what is still needed
    /// is kept.
    pub to: PathBuf,
    /// Copy files that could be linked.
    #[serde(default)]
    pub copy: bool,
}

/// A backup under way.
struct Backup<'a> {
    registry: &'a Registry,
    store: Store,
    copy: bool,
    report: BackupReport,
}

impl Registry {
    /// Makes a backup, or brings an earlier one up to date. Pushes and pulls go on meanwhile. Waits for a collection
    /// or another backup that is under way, but not for ever.
    pub async fn backup(
        &self,
        options: BackupOptions,
        progress: &Reporter,
    ) -> Result<BackupReport, BackupError> {
        let begin = Instant::now();
        loop {
            if defect("defect-backup-unheld") {
                return self.backup_held(&options, progress).await;
            }
            let work = async |_| Ok(self.backup_held(&options, progress).await);
            if let Some(made) = self.holding(Job::Collect, work).await? {
                return made;
            }
            if begin.elapsed() > PATIENCE {
                return Err(BackupError::Taken);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn backup_held(
        &self,
        options: &BackupOptions,
        progress: &Reporter,
    ) -> Result<BackupReport, BackupError> {
        let folder =
            BackupFolder::take(&options.to).map_err(|error| BackupError::folder(&options.to, error))?;
        // What is no description of ours is nobody's to replace.
        let before = match BackupFolder::description(&options.to)? {
            Some(text) => Description::place(&text, &options.to)?,
            None => None,
        };
        let place = before.map_or(RecordsPlace::A, RecordsPlace::other);
        if before.is_none() {
            folder.describe(&Description::begun().json()?)?;
        }
        let report = BackupReport { made: self.now().rfc3339(), ..BackupReport::default() };
        folder.take_records(self.records(), place).await?;
        let store = folder.store(place, self.inner.store.clock.clone())?;
        store.records.write(|w| Ok::<_, BackupError>(w.forget_uploads_and_trash()?)).await?;
        let mut backup = Backup { registry: self, store, copy: options.copy, report };
        backup.blobs(progress).await?;
        let unneeded = backup.unneeded().await?;
        backup.store.records.close().await;
        let records = Records { place, digest: folder.records_digest(place)? };
        folder.describe(&Description::complete(&backup.report, records).json()?)?;
        // Only now does nothing need what the backup before this one held.
        folder.drop_records(place.other())?;
        backup.prune(unneeded).await?;
        Ok(backup.report)
    }
}

impl Backup<'_> {
    async fn blobs(&mut self, progress: &Reporter) -> Result<(), BackupError> {
        progress.expect(self.store.records.read(|r| Ok::<_, BackupError>(r.blob_bytes()?)).await?);
        let mut last = None;
        loop {
            let page = self.store.records.read(move |r| r.stored_blobs(last.as_ref(), PAGE)).await?;
            let Some((end, _)) = page.last() else {
                return Ok(());
            };
            last = Some(*end);
            self.page(&page).await?;
            for (_, stored) in &page {
                progress.done(stored.size);
            }
        }
    }

    async fn page(&mut self, page: &[(Digest, StoredBlob)]) -> Result<(), BackupError> {
        let mut wanted = Vec::new();
        for (digest, stored) in page {
            if self.holds(digest, stored).await? {
                self.report.kept.add(stored.size);
            } else if stored.damage.is_some() {
                self.report.damaged.add(digest);
            } else {
                wanted.push((*digest, stored.size));
            }
        }
        if !self.copy {
            let digests = wanted.iter().map(|(digest, _)| *digest).collect();
            let linked = self.store.blobs.link_all(self.registry.blobs(), digests).await?;
            if !linked.impossible {
                for (digest, size) in &wanted {
                    if linked.missing.contains(digest) {
                        self.report.damaged.add(digest);
                    } else {
                        self.report.linked.add(*size);
                    }
                }
                return Ok(());
            }
            self.copy = true;
        }
        for (digest, size) in wanted {
            match self.store.blobs.copy(self.registry.blobs(), digest).await? {
                Some(_) => self.report.copied.add(size),
                None => self.report.damaged.add(&digest),
            }
        }
        Ok(())
    }

    /// Whether the folder's own copy of a blob is good enough to keep.
    ///
    /// Not if the registry's is younger and is as its verification left it: it was pushed again, and that heals a copy
    /// that was damaged. Otherwise any of the right size, even if the registry's own is damaged by now: a restore compares it
    /// with its digest.
    async fn holds(&self, digest: &Digest, stored: &StoredBlob) -> Result<bool, BackupError> {
        let Some(kept) = self.store.blobs.state(digest).await?.filter(|file| file.size == stored.size) else {
            return Ok(false);
        };
        let Some(stamp) =
            stored.stamp.filter(|stamp| stored.damage.is_none() && stamp.file.modified > kept.modified)
        else {
            return Ok(true);
        };
        Ok(self.registry.blobs().state(digest).await? != Some(stamp.file))
    }

    /// What earlier backups held and this one does not name.
    async fn unneeded(&self) -> Result<Vec<Digest>, BackupError> {
        let mut unneeded = Vec::new();
        for algorithm in Algorithm::ALL {
            for first in 0..=u8::MAX {
                let on_disk = self.store.blobs.on_disk(algorithm, first).await?;
                let unnamed = self.store.records.read(move |r| Ok::<_, BackupError>(r.unrecorded(on_disk)?));
                unneeded.extend(unnamed.await?);
                if unneeded.len() > REMOVED_AT_ONCE {
                    unneeded.truncate(REMOVED_AT_ONCE);
                    return Ok(unneeded);
                }
            }
        }
        Ok(unneeded)
    }

    /// Removes blobs, and what an interrupted run had staged.
    async fn prune(&mut self, unneeded: Vec<Digest>) -> Result<(), BackupError> {
        for page in unneeded.chunks(PAGE as usize) {
            let mut latches = Vec::with_capacity(page.len());
            for digest in page {
                latches.push(self.store.blobs.latch(digest).await);
            }
            self.store.blobs.remove_all(&latches).await?;
            self.report.removed += page.len() as u64;
        }
        for id in self.store.blobs.staged().await? {
            self.store.blobs.discard(id).await?;
        }
        Ok(())
    }
}

impl From<Error> for BackupError {
    fn from(error: Error) -> Self {
        match error {
            Error::JobTaken => Self::Taken,
            other => Self::Registry(Box::new(other)),
        }
    }
}
