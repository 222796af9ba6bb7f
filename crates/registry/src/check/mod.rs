//! Checking what is kept: every recorded blob is on the disk, whole and of its size; every file on
//! the disk has a record. Reads only; pushes and pulls go on meanwhile.

use hythe_oci::{Algorithm, Digest};
use serde::{Deserialize, Serialize};

use crate::collect::Tally;
use crate::{Error, Registry};

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

/// Blobs with one kind of damage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// How many.
    pub count: u64,
    /// The first of them, at most 1,000.
    pub digests: Vec<String>,
}

impl Damage {
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
    pub missing: Damage,
    /// On the disk with wrong bytes or another size. Pushing the blob again heals it.
    pub corrupt: Damage,
    /// On the disk without a record: a push that a crash cut between file and record. They take room
    /// and harm nothing.
    pub orphaned: Damage,
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
            let page = self.records().read(move |r| r.blobs(last.as_ref(), PAGE)).await?;
            let Some((end, _)) = page.last() else {
                return Ok(());
            };
            last = Some(*end);
            for (digest, size) in page {
                report.checked.add(size);
                let sound = if options.quick {
                    self.blobs().open(&digest).await?.map(|file| file.size() == size)
                } else {
                    self.blobs().verify(&digest).await?.map(|found| found.intact && found.size == size)
                };
                if sound == Some(false) {
                    report.corrupt.add(&digest);
                }
                // The collector may have removed it since the page was read.
                if sound.is_none() && self.records().read(move |r| r.has_blob(&digest)).await? {
                    report.missing.add(&digest);
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
