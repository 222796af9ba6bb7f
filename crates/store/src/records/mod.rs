//! The records: everything small and relational, in one SQLite database.
//!
//! Reads are closures over a [`Reader`] (one snapshot each, on a pool of read-only connections), writes are
//! closures over a [`Writer`] (one thread, group commit). A write's answer comes after its commit is on disk.
//! What may be asked or changed is written per aggregate, as `impl Reader` and `impl Writer` blocks in the
//! files beside this one; no other crate sees SQL.

// The engine.
mod cached;
mod columns;
mod engine;
mod epochs;
mod error;
mod group;
mod job;
mod log;
mod migrate;
mod open;
mod readers;
mod reserve;

// The aggregates, each with its typed functions.
pub mod announcements;
pub mod blobs;
pub mod collect;
pub mod jobs;
pub mod leases;
pub mod manifests;
pub mod projects;
pub mod repositories;
pub mod stamps;
pub mod tags;
pub mod tokens;
pub mod uploads;
pub mod users;

use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

pub use cached::Cached;
pub use epochs::{Topic, Watch};
pub use error::RecordError;

use crate::condition::StorageFault;
use crate::folder::DataFolder;
use cached::Weigh;
use engine::Engine;
use epochs::Epochs;
use log::Log;
use open::Opened;
use readers::Readers;

/// Sizes of the records engine.
#[derive(Debug, Clone, Copy)]
pub struct RecordsOptions {
    /// Read-only connections, hence reads at one time; at least 1.
    pub readers: usize,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Whether records of an earlier version may be brought to this one's schema; else they are refused.
    pub upgrade: bool,
}

impl Default for RecordsOptions {
    fn default() -> Self {
        Self { readers: 4, reader_cache_kib: 4096, writer_cache_kib: 16 * 1024, upgrade: true }
    }
}

/// How much the writer has done since the records were opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordsFigures {
    /// Write closures answered, whatever their outcome.
    pub writes: u64,
    /// Transactions committed; fewer than `writes` when groups formed.
    pub commits: u64,
    /// Time spent in commits, waiting for the disk included.
    pub commit_time: Duration,
    /// Writes waiting for the writer now.
    pub queued: u64,
}

/// The records of one store. A clone is another handle; the last one dropped stops the writer, after it has
/// finished what was queued (that wait blocks: prefer [`Records::close`]).
#[derive(Clone)]
pub struct Records {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped in this order: the writer finishes its queue before the readers go.
    engine: Engine,
    readers: Arc<Readers>,
    log: Log,
    epochs: Arc<Epochs>,
    #[expect(dead_code, reason = "keeps the folder locked while any handle on the records lives")]
    folder: DataFolder,
}

impl Records {
    /// Opens the records in a locked folder, creating them or bringing them to the current schema. Time does
    /// not depend on how much is recorded. Works on a full disk.
    pub fn open(folder: &DataFolder, options: RecordsOptions) -> Result<Self, RecordError> {
        let epochs = Arc::new(Epochs::new());
        let Opened { writer, log, readers } = open::all(folder, options)?;
        Ok(Self {
            inner: Arc::new(Inner {
                engine: Engine::start(writer, log.clone(), Arc::clone(&epochs))?,
                readers: Arc::new(Readers::new(readers)),
                log,
                epochs,
                folder: folder.clone(),
            }),
        })
    }

    /// Runs `work` on one snapshot of the records: all its statements see the same state, and every write
    /// answered before the call. Never waits for a writer. Runs to its end even if the future is dropped.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        self.inner.readers.read(work).await
    }

    /// Runs `work` in the writer's next transaction and answers once that is committed and on disk.
    ///
    /// If `work` returns an error or panics, everything it changed is undone and nothing else is. It shares
    /// the transaction with others, may be run twice, and must not have effects outside the records. It runs
    /// even if the future is dropped once queued.
    pub async fn write<T, E>(
        &self,
        work: impl FnMut(&mut Writer<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        self.inner.engine.write(work).await
    }

    /// A cache in front of reads that holds at most `capacity` answers and never disagrees with the records.
    pub fn cached<K, V>(&self, capacity: usize) -> Cached<K, V>
    where
        K: Hash + Eq + Clone,
        V: Clone,
    {
        Cached::new(self.clone(), Arc::clone(&self.inner.epochs), capacity, capacity as u64, |_| 1)
    }

    /// Like [`Records::cached`], bounded by the sum of `weigh` over its answers (bytes, say) rather than by
    /// their number. An answer heavier than the whole bound is not kept.
    pub fn cached_by_weight<K, V>(&self, bound: u64, weigh: Weigh<V>) -> Cached<K, V>
    where
        K: Hash + Eq + Clone,
        V: Clone,
    {
        Cached::new(self.clone(), Arc::clone(&self.inner.epochs), 1024, bound, weigh)
    }

    /// Watches a topic: tells when a write of this process that touches it has been committed. Others' writes it
    /// does not see, so whoever waits looks again now and then.
    pub fn watch(&self, topic: Topic) -> Watch {
        Watch::new(Arc::clone(&self.inner.epochs), topic)
    }

    /// How much the writer has done.
    pub fn figures(&self) -> RecordsFigures {
        self.inner.engine.figures()
    }

    /// What ails the disk, as far as writes have met it and none has worked since.
    pub fn faults(&self) -> Vec<StorageFault> {
        self.inner.log.faults()
    }

    /// Stops: what is queued is finished and answered, later calls get [`RecordError::Closed`], and the
    /// database file is left without a log beside it. Calling it again waits for nothing.
    pub async fn close(&self) {
        self.inner.readers.close().await;
        self.inner.engine.close().await;
    }
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

/// A snapshot of the records, inside a read or a write closure.
pub struct Reader<'a> {
    connection: &'a rusqlite::Connection,
}

impl<'a> Reader<'a> {
    /// Writes this snapshot, whole, into the empty file `to`. Writers go on meanwhile.
    pub(crate) fn copy_to(&self, to: &std::path::Path) -> Result<(), RecordError> {
        let mut copy = rusqlite::Connection::open(to)?;
        match rusqlite::backup::Backup::new(self.connection, &mut copy)?.step(-1)? {
            rusqlite::backup::StepResult::Done => {}
            _ => return Err(RecordError::Lost),
        }
        copy.close().map_err(|(_, error)| error.into())
    }

    /// The connection, for the typed functions of the aggregates. Use `prepare_cached`.
    pub(crate) fn conn(&self) -> &'a rusqlite::Connection {
        self.connection
    }
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reader")
    }
}

/// The records as one write closure may change them; reads through it see its own changes.
pub struct Writer<'a> {
    reader: Reader<'a>,
    touched: &'a mut epochs::Touched,
}

impl Writer<'_> {
    /// Says that answers cached under `topic` may no longer hold once this write is committed.
    pub fn touch(&mut self, topic: Topic) {
        self.touched.add(topic);
    }
}

impl<'a> Deref for Writer<'a> {
    type Target = Reader<'a>;

    fn deref(&self) -> &Reader<'a> {
        &self.reader
    }
}

impl std::fmt::Debug for Writer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}
