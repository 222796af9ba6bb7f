//! What the rules and their store count: plain numbers, for whoever shows them.

use std::time::Duration;

use hythe_store::records::RecordsFigures;
use hythe_store::{Disk, Timestamp};

use crate::check::Integrity;
use crate::collect::Tally;
use crate::{Error, Registry};

/// All numbers at one moment; counters since the start.
#[derive(Clone, Debug)]
pub struct Figures {
    /// The caches, in a fixed order.
    pub caches: Vec<CacheFigures>,
    /// The records' writer.
    pub records: RecordsFigures,
    /// Upload sessions that are open.
    pub uploads_open: u64,
    /// The disk of the data folder.
    pub disk: Disk,
    /// The collector's work.
    pub collection: CollectionFigures,
    /// The stored copies: how well verified, how many damaged.
    pub integrity: Integrity,
}

/// What one cache saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheFigures {
    /// What it holds: one of a fixed set of words.
    pub name: &'static str,
    /// Questions answered from memory.
    pub hits: u64,
    /// Questions that had to be read.
    pub misses: u64,
}

/// What the collector did since the start, dry runs left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CollectionFigures {
    /// Runs that came to their end.
    pub runs: u64,
    /// Runs that an error ended.
    pub aborted: u64,
    /// Blobs removed, and their bytes.
    pub removed: Tally,
    /// How long the last run took that came to its end.
    pub last_duration: Duration,
    /// When that was.
    pub last_done: Option<Timestamp>,
}

impl Registry {
    /// Reads all numbers. Asks the records and the disk, so not for every request.
    pub async fn figures(&self) -> Result<Figures, Error> {
        let now = self.now();
        Ok(Figures {
            caches: self.caches().figures(),
            records: self.records().figures(),
            uploads_open: self.records().read(move |r| r.open_uploads(now)).await?,
            disk: self.blobs().disk().await?,
            collection: self.collection_figures(),
            integrity: self.integrity_figures().await?,
        })
    }
}
