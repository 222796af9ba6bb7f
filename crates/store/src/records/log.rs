//! Writing the records' log back into the database.
//!
//! Invariant: a page leaves the log only after it is on the disk in the database. SQLite syncs the database only
//! when the whole log is written back, and the kernel reports a failed write once: if a sync fails after a
//! part was written back unsynced, a later one would succeed without that part, and the log with it would
//! be thrown away. So from then on the log is kept whole; the next start writes all of it back anew.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;

use super::RecordError;
use crate::condition::{Condition, StorageFault};

/// The log is written back to the database after this many pages (8 MiB) …
const CHECKPOINT_PAGES: i32 = 2048;
/// … and shrunk to this size, in bytes, if a burst made it longer.
const SIZE_LIMIT: u32 = 64 << 20;

/// The write-back of one database's log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    /// Whether the log is kept whole until the next start.
    held: Arc<AtomicBool>,
    condition: Arc<Condition>,
}

impl Log {
    /// Takes over the write-back of `connection`, the only one that writes. What an ended process left is
    /// written back first: nothing may be appended to frames that an earlier sync failed to put on the disk.
    pub(super) fn follow(
        connection: &mut Connection,
        condition: Arc<Condition>,
    ) -> Result<Self, RecordError> {
        connection.pragma_update(None, "journal_size_limit", SIZE_LIMIT)?;
        if let Err(error) = write_back(connection) {
            // The disk may be full, and who does not start does not even serve pulls.
            tracing::warn!(%error, "the records' log of an earlier run cannot be written back yet");
        }
        let log = Self { held: Arc::default(), condition };
        let hooked = log.clone();
        let mut parted = false;
        // Called after each commit that changed something, which is on the disk by then.
        connection.wal_hook(Some(move |wal: &mut Wal, pages| {
            hooked.condition.worked();
            if pages >= CHECKPOINT_PAGES && !hooked.is_held() {
                match wal.checkpoint_v2(CheckpointMode::PASSIVE) {
                    Ok((all, done)) => parted = done < all,
                    Err(error) => hooked.not_written_back(&error.into(), parted),
                }
            }
            // The commit stands, whatever became of the write-back.
            Ok(())
        }))?;
        Ok(log)
    }

    /// Notes why a commit failed, if it was the disk's doing.
    pub(super) fn failed(&self, error: &RecordError) {
        if let Some(fault) = error.storage_fault() {
            self.condition.failed(fault, error);
        }
    }

    fn not_written_back(&self, error: &RecordError, parted: bool) {
        if parted && error.storage_fault() == Some(StorageFault::Failing) {
            self.held.store(true, Ordering::Release);
        }
        tracing::error!(%error, held = self.is_held(), "the records' log cannot be written back");
    }

    /// Whether the log is kept whole until the next start.
    pub(super) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// What ails the records.
    pub(super) fn faults(&self) -> Vec<StorageFault> {
        let held = self.is_held().then_some(StorageFault::LogHeld);
        self.condition.fault().into_iter().chain(held).collect()
    }

    /// Keeps SQLite from writing back a log that is held when `connection`, the last one, closes.
    pub(super) fn before_close(&self, connection: &Connection) {
        if self.is_held()
            && let Err(error) = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        {
            tracing::error!(%error, "the records' log cannot be kept from being written back");
        }
    }
}

fn write_back(connection: &Connection) -> Result<(), RecordError> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(folder: &std::path::Path) -> (Connection, Log) {
        let mut connection = Connection::open(folder.join("db")).unwrap();
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(())).unwrap();
        let log = Log::follow(&mut connection, Arc::new(Condition::of("records"))).unwrap();
        (connection, log)
    }

    fn length(folder: &std::path::Path) -> u64 {
        std::fs::metadata(folder.join("db-wal")).map_or(0, |log| log.len())
    }

    #[test]
    fn the_log_is_written_back_when_it_is_long() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, _log) = opened(folder.path());
        connection.execute_batch("CREATE TABLE t (n BLOB)").unwrap();
        let page = i64::from(CHECKPOINT_PAGES) * 4096;
        for _ in 0..5 {
            connection.execute("INSERT INTO t VALUES (zeroblob(?1))", [page]).unwrap();
        }
        // Written back in between, it begins anew instead of growing five times as long.
        assert!(length(folder.path()) < 3 * u64::try_from(page).unwrap());
    }

    #[test]
    fn only_a_failure_after_a_part_holds_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let (_connection, log) = opened(folder.path());
        let failed = RecordError::Lost;
        log.not_written_back(&failed, false);
        log.not_written_back(&RecordError::NoSpace, true);
        assert!(!log.is_held());
        log.not_written_back(&failed, true);
        assert_eq!(log.faults(), [StorageFault::LogHeld]);
    }

    #[test]
    fn a_held_log_outlives_its_process_and_the_next_one_writes_it_back() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, log) = opened(folder.path());
        connection.execute_batch("CREATE TABLE t (n BLOB); INSERT INTO t VALUES (1)").unwrap();
        log.not_written_back(&RecordError::Lost, true);
        log.before_close(&connection);
        drop(connection);
        assert!(length(folder.path()) > 0);
        let (connection, _log) = opened(folder.path());
        assert_eq!(length(folder.path()), 0);
        assert_eq!(connection.query_row("SELECT n FROM t", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    }

    #[test]
    fn a_commit_ends_a_fault_and_an_empty_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let (connection, log) = opened(folder.path());
        log.failed(&RecordError::NoSpace);
        connection.execute_batch("BEGIN; COMMIT").unwrap();
        assert_eq!(log.faults(), [StorageFault::Full]);
        connection.execute_batch("CREATE TABLE t (n BLOB)").unwrap();
        assert_eq!(log.faults(), []);
    }
}
