//! The store from outside: what was acknowledged is there, whatever happened in between.

#![expect(clippy::unwrap_used, reason = "support code outside `#[test]` functions; a panic is the report")]

mod blobs;
mod records;

use std::sync::Arc;

use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};

/// A store on a temporary folder.
pub(crate) struct Bench {
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { store: open(&folder), folder }
    }

    /// Closes the store and opens it again, as a restart does.
    pub(crate) async fn restart(self) -> Self {
        let Self { store, folder } = self;
        let Store { blobs, records, clock } = store;
        drop((blobs, clock));
        records.close().await;
        drop(records);
        Self { store: open(&folder), folder }
    }
}

fn open(folder: &tempfile::TempDir) -> Store {
    let lock = DataFolder::lock(folder.path()).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
    Store::open(&lock, clock, StoreOptions::default()).unwrap()
}
