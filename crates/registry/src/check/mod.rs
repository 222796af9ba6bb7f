//! Checking what is kept: every recorded blob is on the disk, whole and of its size; every file on
//! the disk has a record. Reads only; pushes and pulls go on meanwhile.

mod examine;
mod integrity;
mod scrub;

use hythe_oci::{Algorithm, Digest};
use hythe_store::BlobError;
use hythe_store::blobs::Verdict;
use hythe_store::records::stamps::Damage;
use serde::{Deserialize, Serialize};

use crate::collect::Tally;
use crate::{Error, Registry};

pub(crate) use examine::Finding;
pub(crate) use integrity::Counters;
pub use integrity::Integrity;

/// Rows in one read.
const PAGE: u32 = 500;

/// Digests named in a report; further ones are only counted.
const NAMED: usize = 1_000;

/// How a check is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckOptions {
    /// Compare sizes only, without reading every byte.
    pub quick: bool,
}

/// Things with one kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// How many.
    pub count: u64,
    /// The first of them, at most 1,000.
    pub digests: Vec<String>,
}

impl Listed {
    fn add(&mut self, digest: &Digest) {
        self.count += 1;
        if self.digests.len() < NAMED {
            self.digests.push(digest.to_string());
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Whether only sizes were compared.
    pub quick: bool,
    /// Recorded blobs looked at.
    pub checked: Tally,
    /// Recorded, but not on the disk.
    pub missing: Listed,
    /// On the disk with wrong bytes or another size. Pushing the blob again heals it.
    pub corrupt: Listed,
    /// On the disk without a record: a push that a crash cut between file and record. They take room
    /// and harm nothing.
    pub orphaned: Listed,
}

impl CheckReport {
    /// Whether nothing that was acknowledged is lost.
    pub fn is_sound(&self) -> bool {
        self.missing.count == 0 && self.corrupt.count == 0
    }
}

impl Registry {
    /// Checks every blob.
    pub async fn check(&self, options: CheckOptions) -> Result<CheckReport, Error> {
        let mut report = CheckReport { quick: options.quick, ..CheckReport::default() };
        self.check_recorded(options, &mut report).await?;
        for algorithm in Algorithm::ALL {
            for first in 0..=u8::MAX {
                for digest in self.blobs().on_disk(algorithm, first).await? {
                    if self.is_orphan(digest).await? {
                        report.orphaned.add(&digest);
                    }
                }
            }
        }
        Ok(report)
    }

    async fn check_recorded(&self, options: CheckOptions, report: &mut CheckReport) -> Result<(), Error> {
        let mut last = None;
        loop {
            let page = self.records().read(move |r| r.stored_blobs(last.as_ref(), PAGE)).await?;
            let Some((end, _)) = page.last() else {
                return Ok(());
            };
            last = Some(*end);
            for (digest, stored) in page {
                report.checked.add(stored.size);
                let verdict = if options.quick {
                    match self.blobs().state(&digest).await {
                        Ok(Some(file)) if file.size == stored.size => Verdict::Intact(file),
                        Ok(Some(_)) => Verdict::Corrupt,
                        Ok(None) => Verdict::Missing,
                        Err(BlobError::Unreadable(_)) => Verdict::Unreadable,
                        Err(error) => return Err(error.into()),
                    }
                } else {
                    self.blobs().verify(&digest, stored.size).await?
                };
                match verdict {
                    Verdict::Intact(_) => {}
                    Verdict::Corrupt | Verdict::Unreadable => report.corrupt.add(&digest),
                    // The collector may have removed it since the page was read.
                    Verdict::Missing if !self.records().read(move |r| r.has_blob(&digest)).await? => {}
                    Verdict::Missing if stored.damage == Some(Damage::Corrupt) => report.corrupt.add(&digest),
                    Verdict::Missing => report.missing.add(&digest),
                }
            }
        }
    }

    /// Looked at under the latch, so that a push between file and record is not mistaken for one.
    async fn is_orphan(&self, digest: Digest) -> Result<bool, Error> {
        if self.records().read(move |r| r.has_blob(&digest)).await? {
            return Ok(false);
        }
        let _latch = self.blobs().latch(&digest).await;
        let recorded = self.records().read(move |r| r.has_blob(&digest)).await?;
        Ok(!recorded && self.blobs().open(&digest).await?.is_some())
    }
}
