//! What a run of the collector found, with bytes and reasons.

use serde::{Deserialize, Serialize};

/// A number of things and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many.
    pub count: u64,
    /// Their size together, in bytes.
    pub bytes: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes += bytes;
    }
}

/// The outcome of one run. In a dry run it is what would have gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectReport {
    /// Whether nothing was removed.
    pub dry_run: bool,
    /// Uploads whose time was over, and staged bytes that belong to no upload.
    pub abandoned_uploads: Tally,
    /// Manifests that lost their last tag longer ago than their project allows.
    pub untagged_manifests: Tally,
    /// Blobs that no manifest of their repository names any more (bytes are counted with the
    /// blob, once no repository holds it).
    pub unreferenced_links: u64,
    /// Blobs that no repository holds: condemned by this run or an earlier one, now removed.
    pub unlinked_blobs: Tally,
    /// Files of pushes that were cut between file and record.
    #[serde(default)]
    pub unrecorded_files: Tally,
    /// Damaged files kept aside whose blobs are healed or gone.
    #[serde(default)]
    pub quarantined_files: Tally,
    /// Blobs looked at.
    pub blobs_examined: u64,
    /// Links looked at.
    pub links_examined: u64,
}
