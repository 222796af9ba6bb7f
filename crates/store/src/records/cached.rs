//! Answers of reads kept in memory, each with the epochs it depends on.
//!
//! Invariant: an answer is given from memory only if no acknowledged write has touched its topics since
//! before it was read.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::epochs::{Epochs, Seen, Topic};
use super::{Reader, RecordError, Records};

/// How heavy an answer is, in the unit of the cache's bound.
pub(super) type Weigh<V> = fn(&V) -> u64;

#[derive(Clone)]
struct Answer<V> {
    seen: Seen,
    value: V,
}

#[derive(Clone)]
struct ByWeight<V>(Weigh<V>);

impl<K, V> Weighter<K, Answer<V>> for ByWeight<V> {
    fn weight(&self, _: &K, answer: &Answer<V>) -> u64 {
        (self.0)(&answer.value)
    }
}

/// A bounded cache in front of one kind of read. A clone shares it. Keep `V` cheap to clone (an `Arc`).
pub struct Cached<K, V> {
    records: Records,
    epochs: Arc<Epochs>,
    answers: Arc<Cache<K, Answer<V>, ByWeight<V>>>,
    counts: Arc<Counts>,
}

/// How often memory had the answer.
#[derive(Default)]
struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl<K, V> Clone for Cached<K, V> {
    fn clone(&self) -> Self {
        Self {
            records: self.records.clone(),
            epochs: Arc::clone(&self.epochs),
            answers: Arc::clone(&self.answers),
            counts: Arc::clone(&self.counts),
        }
    }
}

impl<K, V> std::fmt::Debug for Cached<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cached")
    }
}

impl<K, V> Cached<K, V>
where
    K: Hash + Eq + Clone,
    V: Clone,
{
    pub(super) fn new(
        records: Records,
        epochs: Arc<Epochs>,
        expected: usize,
        bound: u64,
        weigh: Weigh<V>,
    ) -> Self {
        let answers = Arc::new(Cache::with_weighter(expected, bound, ByWeight(weigh)));
        Self { records, epochs, answers, counts: Arc::default() }
    }

    /// The answer for `key` if it is in memory and still holds. Never waits.
    pub fn get_if_fresh(&self, key: &K) -> Option<V> {
        let answer = self.answers.get(key)?;
        if !self.epochs.unchanged(&answer.seen) {
            return None;
        }
        self.counts.hits.fetch_add(1, Ordering::Relaxed);
        Some(answer.value)
    }

    /// How many questions were answered from memory, and how many had to be read.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.counts.hits.load(Ordering::Relaxed), self.counts.misses.load(Ordering::Relaxed))
    }

    /// The answer for `key`, from memory if it still holds, else by `read` (kept if it succeeds).
    ///
    /// `topics` must name everything the answer depends on; the writes that change any of it
    /// [`touch`](super::Writer::touch) the same topics.
    pub async fn get<E>(
        &self,
        key: &K,
        topics: &[Topic],
        read: impl FnOnce(&Reader<'_>) -> Result<V, E> + Send + 'static,
    ) -> Result<V, E>
    where
        V: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        if let Some(value) = self.get_if_fresh(key) {
            return Ok(value);
        }
        self.counts.misses.fetch_add(1, Ordering::Relaxed);
        // Before the read begins: a commit that overtakes the read then shows as a changed epoch.
        let seen = self.epochs.observe(topics);
        let value = self.records.read(read).await?;
        if let Some(seen) = seen
            && self.epochs.unchanged(&seen)
        {
            self.answers.insert(key.clone(), Answer { seen, value: value.clone() });
        }
        Ok(value)
    }
}
