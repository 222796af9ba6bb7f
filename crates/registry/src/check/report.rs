//! What a check found, and what a repair did about it.

use hythe_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::collect::Tally;

/// Digests named in a report; further ones are only counted.
const NAMED: usize = 1_000;

/// Things with one kind of fault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// How many.
    pub count: u64,
    /// The first of them, at most 1,000.
    pub digests: Vec<String>,
}

impl Listed {
    pub(crate) fn add(&mut self, digest: &Digest) {
        self.count += 1;
        if self.digests.len() < NAMED {
            self.digests.push(digest.to_string());
        }
    }
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckReport {
    /// Whether only sizes were compared.
    pub quick: bool,
    /// Recorded blobs looked at.
    pub checked: Tally,
    /// Recorded, but not on the disk.
    pub missing: Listed,
    /// On the disk (or in quarantine) with wrong bytes or another size.
    pub corrupt: Listed,
    /// On the disk, but it cannot be read.
    pub unreadable: Listed,
    /// On the disk without a record: a push that a crash cut between file and record. They take room
    /// and harm nothing.
    pub orphaned: Listed,
    /// Staged bytes that belong to no upload session.
    pub leaked_uploads: Tally,
    /// What was done about it; absent where nothing was asked for.
    pub repairs: Option<Repairs>,
}

/// What a repair did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repairs {
    /// Whether it only said so.
    pub dry_run: bool,
    /// Corrupt blobs newly marked, their files moved aside.
    pub quarantined: u64,
    /// Missing and unreadable blobs newly marked.
    pub marked: u64,
    /// Intact blobs that were marked as damaged and are so no more.
    pub healed: u64,
    /// Intact blobs whose verification was noted.
    pub stamped: u64,
    /// Files without a record, removed.
    pub orphans_removed: u64,
    /// Staged bytes without a session, removed.
    pub uploads_removed: Tally,
}

impl CheckReport {
    /// How many acknowledged blobs cannot be sent.
    pub fn damaged(&self) -> u64 {
        self.missing.count + self.corrupt.count + self.unreadable.count
    }

    /// Whether nothing that was acknowledged is lost.
    pub fn is_sound(&self) -> bool {
        self.damaged() == 0
    }
}
