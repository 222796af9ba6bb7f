//! One lock per key, made when it is wanted and forgotten when nobody holds or awaits it.
//!
//! Keyed rather than striped: two keys never share a lock, so holding one says exactly which blob is held
//! (placing and removing check it), and nobody waits for a stranger's blob.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use hythe_oci::Digest;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

type Table<K> = Arc<Mutex<HashMap<K, Weak<AsyncMutex<()>>>>>;

fn open_table<K>(table: &Table<K>) -> MutexGuard<'_, HashMap<K, Weak<AsyncMutex<()>>>> {
    // Every critical section leaves the table whole, so a panic elsewhere cannot have spoilt it.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The locks of all keys of one kind.
pub(super) struct Latches<K: Hash + Eq>(Table<K>);

impl<K: Hash + Eq + Copy> Latches<K> {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(HashMap::new())))
    }

    /// Waits until nobody holds this key's lock, in order of asking, and takes it.
    pub(super) async fn acquire(&self, key: K) -> Held<K> {
        let ticket = self.ticket(key);
        let lock = ticket.lock.clone().expect("a ticket has its lock until it is dropped");
        let guard = lock.lock_owned().await;
        Held { guard, ticket }
    }

    /// Whether anybody holds or awaits this key's lock.
    pub(super) fn is_wanted(&self, key: &K) -> bool {
        open_table(&self.0).contains_key(key)
    }

    fn ticket(&self, key: K) -> Ticket<K> {
        let mut table = open_table(&self.0);
        let known = table.get(&key).and_then(Weak::upgrade);
        let lock = known.unwrap_or_else(|| {
            let made = Arc::new(AsyncMutex::new(()));
            table.insert(key, Arc::downgrade(&made));
            made
        });
        drop(table);
        Ticket { table: Arc::clone(&self.0), key, lock: Some(lock) }
    }

    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        open_table(&self.0).len()
    }
}

/// Interest in a key, from before the wait until after the release; the last one forgets the key.
struct Ticket<K: Hash + Eq> {
    table: Table<K>,
    key: K,
    /// `None` only while it is dropped.
    lock: Option<Arc<AsyncMutex<()>>>,
}

impl<K: Hash + Eq> Drop for Ticket<K> {
    fn drop(&mut self) {
        let mut table = open_table(&self.table);
        // Let go under the table's lock, as interest is taken: of two that end at once the later one sees none left.
        self.lock = None;
        if table.get(&self.key).is_some_and(|lock| lock.strong_count() == 0) {
            table.remove(&self.key);
        }
    }
}

/// A key's lock, held until this is dropped.
pub(super) struct Held<K: Hash + Eq> {
    // Dropped in this order: the lock is free before its key may be forgotten.
    #[expect(dead_code, reason = "held for its release on drop")]
    guard: OwnedMutexGuard<()>,
    ticket: Ticket<K>,
}

impl<K: Hash + Eq> Held<K> {
    pub(super) fn key(&self) -> &K {
        &self.ticket.key
    }

    /// How many keys of this kind are held or awaited just now, this one among them.
    pub(super) fn in_all(&self) -> usize {
        open_table(&self.ticket.table).len()
    }
}

/// The right to place or remove one blob, held until the last clone is dropped. Blocking work under way
/// keeps a clone, so the latch outlives a request that is dropped in the middle.
#[derive(Clone)]
pub struct Latch(pub(super) Arc<Held<Digest>>);

impl Latch {
    /// The blob this latch is of.
    pub fn digest(&self) -> &Digest {
        self.0.key()
    }
}

impl std::fmt::Debug for Latch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Latch").field(&self.digest().to_string()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn one_holder_at_a_time_and_nothing_is_left_behind() {
        let latches = Arc::new(Latches::new());
        let inside = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let mut tasks = Vec::new();
        for n in 0..200usize {
            let (latches, inside) = (Arc::clone(&latches), Arc::clone(&inside));
            tasks.push(tokio::spawn(async move {
                let key = n % 2;
                let held = latches.acquire(key).await;
                assert_eq!(inside[key].fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside[key].fetch_sub(1, Ordering::SeqCst);
                drop(held);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(latches.known(), 0);
    }

    #[test]
    fn those_that_end_at_once_forget_the_key() {
        let latches = Latches::new();
        for _ in 0..10_000 {
            let tickets = [latches.ticket(1), latches.ticket(1)];
            std::thread::scope(|scope| tickets.map(|ticket| drop(scope.spawn(move || drop(ticket)))));
            assert_eq!(latches.known(), 0);
        }
    }

    #[tokio::test]
    async fn another_key_does_not_wait() {
        let latches = Latches::new();
        let _one = latches.acquire(1).await;
        tokio::time::timeout(Duration::from_secs(5), latches.acquire(2)).await.unwrap();
    }

    #[tokio::test]
    async fn a_waiter_that_gives_up_leaves_nothing_behind() {
        let latches = Latches::new();
        let held = latches.acquire(1).await;
        let waiting = tokio::time::timeout(Duration::from_millis(20), latches.acquire(1)).await;
        assert!(waiting.is_err());
        assert_eq!(latches.known(), 1);
        drop(held);
        assert_eq!(latches.known(), 0);
    }
}
