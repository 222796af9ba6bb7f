//! Checking what is kept: every recorded blob is on the disk, whole and of its size; every file on
//! the disk has a record; all staged bytes have a session. Pushes and pulls go on meanwhile.
//!
//! Invariant: without `repair` nothing is changed. With it, nothing that can be read is lost: what is corrupt
//! is moved aside, and only what no record names is removed.

mod examine;
mod integrity;
mod report;
mod scrub;

use hythe_oci::{Algorithm, Digest};
use hythe_store::BlobError;
use hythe_store::blobs::Verdict;
use hythe_store::records::stamps::{Damage, Stamp, StoredBlob};
use serde::{Deserialize, Serialize};

use crate::progress::Reporter;
use crate::{Error, Registry};

pub(crate) use examine::Finding;
pub(crate) use integrity::Counters;
pub use integrity::Integrity;
pub use report::{CheckReport, Listed, Repairs};

/// Rows in one read.
const PAGE: u32 = 500;

/// How a check is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// Compare sizes only, without reading every byte.
    pub quick: bool,
    /// Do about it what can be done: see [`Repairs`].
    pub repair: bool,
    /// Only say what a repair would do.
    pub dry_run: bool,
}

/// A check under way.
struct Check<'a> {
    registry: &'a Registry,
    options: CheckOptions,
    report: CheckReport,
}

impl Registry {
    /// Checks every blob, and repairs what it can if that is asked for.
    pub async fn check(&self, options: CheckOptions, progress: &Reporter) -> Result<CheckReport, Error> {
        let repairs = options.repair.then(|| Repairs { dry_run: options.dry_run, ..Repairs::default() });
        let report = CheckReport { quick: options.quick, repairs, ..CheckReport::default() };
        let mut check = Check { registry: self, options, report };
        progress.expect(self.records().read(|r| Ok::<_, Error>(r.blob_bytes()?)).await?);
        check.recorded(progress).await?;
        check.orphans().await?;
        check.uploads().await?;
        Ok(check.report)
    }
}

impl Check<'_> {
    /// Whether something is to be done, and where that is counted.
    fn repairs(&mut self) -> Option<(&mut Repairs, bool)> {
        self.report.repairs.as_mut().map(|repairs| (repairs, !self.options.dry_run))
    }

    async fn recorded(&mut self, progress: &Reporter) -> Result<(), Error> {
        let mut last = None;
        loop {
            let page = self.registry.records().read(move |r| r.stored_blobs(last.as_ref(), PAGE)).await?;
            let Some((end, _)) = page.last() else {
                return Ok(());
            };
            last = Some(*end);
            for (digest, stored) in page {
                self.blob(digest, stored).await?;
                progress.done(stored.size);
            }
        }
    }

    async fn blob(&mut self, digest: Digest, stored: StoredBlob) -> Result<(), Error> {
        let registry = self.registry;
        self.report.checked.add(stored.size);
        let started = registry.now();
        let verdict = if self.options.quick {
            match registry.blobs().state(&digest).await {
                Ok(Some(file)) if file.size == stored.size => Verdict::Intact(file),
                Ok(Some(_)) => Verdict::Corrupt,
                Ok(None) => Verdict::Missing,
                Err(BlobError::Unreadable(_)) => Verdict::Unreadable,
                Err(error) => return Err(error.into()),
            }
        } else {
            registry.blobs().verify(&digest, stored.size).await?
        };
        let damage = match verdict {
            Verdict::Intact(_) if self.options.quick => return Ok(()),
            Verdict::Intact(file) => {
                return self.intact(digest, stored, Stamp { file, verified: started }).await;
            }
            // The collector may have removed it since the page was read.
            Verdict::Missing if !registry.records().read(move |r| r.has_blob(&digest)).await? => {
                return Ok(());
            }
            Verdict::Missing if stored.damage == Some(Damage::Corrupt) => Damage::Corrupt,
            Verdict::Missing => Damage::Missing,
            Verdict::Corrupt => Damage::Corrupt,
            Verdict::Unreadable => Damage::Unreadable,
        };
        match damage {
            Damage::Missing => self.report.missing.add(&digest),
            Damage::Corrupt => self.report.corrupt.add(&digest),
            Damage::Unreadable => self.report.unreadable.add(&digest),
        }
        if let Some((repairs, really)) = self.repairs() {
            if stored.damage != Some(damage) {
                let counted =
                    if damage == Damage::Corrupt { &mut repairs.quarantined } else { &mut repairs.marked };
                *counted += 1;
            }
            if really {
                registry.examine(digest).await?;
            }
        }
        Ok(())
    }

    async fn intact(&mut self, digest: Digest, stored: StoredBlob, stamp: Stamp) -> Result<(), Error> {
        let registry = self.registry;
        let Some((repairs, really)) = self.repairs() else {
            return Ok(());
        };
        // Refused where a push has replaced the file since, which stamped it as well.
        let noted =
            !really || registry.records().write(move |w| w.stamp_blob(&digest, &stored, stamp)).await?;
        let counted = if stored.damage.is_some() { &mut repairs.healed } else { &mut repairs.stamped };
        *counted += u64::from(noted);
        Ok(())
    }

    async fn orphans(&mut self) -> Result<(), Error> {
        for algorithm in Algorithm::ALL {
            for first in 0..=u8::MAX {
                for digest in self.registry.blobs().on_disk(algorithm, first).await? {
                    self.orphan(digest).await?;
                }
            }
        }
        Ok(())
    }

    /// Looked at under the latch, so that a push between file and record is not mistaken for an orphan.
    async fn orphan(&mut self, digest: Digest) -> Result<(), Error> {
        let registry = self.registry;
        if registry.records().read(move |r| r.has_blob(&digest)).await? {
            return Ok(());
        }
        let latch = registry.blobs().latch(&digest).await;
        let recorded = registry.records().read(move |r| r.has_blob(&digest)).await?;
        let there = !matches!(registry.blobs().state(&digest).await, Ok(None));
        if recorded || !there {
            return Ok(());
        }
        self.report.orphaned.add(&digest);
        if let Some((repairs, really)) = self.repairs() {
            let gone = !really || registry.remove_unrecorded(digest, &latch).await?;
            repairs.orphans_removed += u64::from(gone);
        }
        Ok(())
    }

    /// A session without staged bytes is no fault: nothing was sent to it yet.
    async fn uploads(&mut self) -> Result<(), Error> {
        let registry = self.registry;
        for id in registry.blobs().staged().await? {
            if !registry.is_ownerless(id).await? {
                continue;
            }
            let size = registry.blobs().staged_size(id).await?.unwrap_or(0);
            self.report.leaked_uploads.add(size);
            if let Some((repairs, really)) = self.repairs() {
                if really {
                    registry.blobs().discard(id).await?;
                }
                repairs.uploads_removed.add(size);
            }
        }
        Ok(())
    }
}
