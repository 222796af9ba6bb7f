//! How caches learn of commits: a sequence lock per topic slot.
//!
//! Invariant: an epoch is odd exactly while a commit that touches its slot is under way, and each such
//! commit raises it by two. So an answer whose slots' epochs were even before its read began, and are the
//! same now, cannot have been overtaken by any acknowledged write.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

const SLOTS: usize = 4096;

/// What a cached answer depends on, like "tags of repository 7". Two topics may share a slot; that costs a
/// needless miss, never a stale answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Topic(u64);

impl Topic {
    /// The topic of one thing of one kind.
    pub fn new(kind: &'static str, key: &impl Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        key.hash(&mut hasher);
        Self(hasher.finish())
    }

    fn slot(self) -> u16 {
        u16::try_from(self.0 % SLOTS as u64).expect("there are fewer than 65,536 slots")
    }
}

/// The epochs of all slots.
pub(crate) struct Epochs(Box<[Slot]>);

#[derive(Default)]
struct Slot {
    epoch: AtomicU64,
    /// Wakes who watches a topic of the slot.
    settled: Notify,
}

impl Epochs {
    pub(crate) fn new() -> Self {
        Self((0..SLOTS).map(|_| Slot::default()).collect())
    }

    fn slot(&self, slot: u16) -> &Slot {
        &self.0[usize::from(slot)]
    }

    fn of(&self, slot: u16) -> &AtomicU64 {
        &self.slot(slot).epoch
    }

    /// The epochs of these topics now, to be taken before a read; `None` while one is being changed.
    pub(crate) fn observe(&self, topics: &[Topic]) -> Option<Seen> {
        let mut seen = Vec::with_capacity(topics.len());
        for slot in topics.iter().map(|topic| topic.slot()) {
            let epoch = self.of(slot).load(Ordering::SeqCst);
            if epoch % 2 == 1 {
                return None;
            }
            seen.push((slot, epoch));
        }
        Some(Seen(seen.into_boxed_slice()))
    }

    /// Whether nothing observed has changed since, or is changing now.
    pub(crate) fn unchanged(&self, seen: &Seen) -> bool {
        seen.0.iter().all(|(slot, epoch)| self.of(*slot).load(Ordering::SeqCst) == *epoch)
    }

    /// Marks the slots as changing. Only the writer's thread calls this, once before each commit.
    pub(crate) fn begin(&self, touched: Touched) -> Changing<'_> {
        let mut slots = touched.0;
        slots.sort_unstable();
        slots.dedup();
        for slot in &slots {
            self.of(*slot).fetch_add(1, Ordering::SeqCst);
        }
        Changing { epochs: self, slots }
    }
}

/// Epochs as they were before a read.
#[derive(Clone)]
pub(crate) struct Seen(Box<[(u16, u64)]>);

/// The slots touched by the jobs of one transaction so far.
#[derive(Default)]
pub(crate) struct Touched(Vec<u16>);

impl Touched {
    pub(crate) fn add(&mut self, topic: Topic) {
        self.0.push(topic.slot());
    }

    /// Where the next job's topics begin.
    pub(crate) fn mark(&self) -> usize {
        self.0.len()
    }

    /// Forgets the topics of a job that was undone.
    pub(crate) fn forget_since(&mut self, mark: usize) {
        self.0.truncate(mark);
    }
}

/// A commit under way; when it is dropped, committed or not, the slots settle on a new even epoch.
pub(crate) struct Changing<'a> {
    epochs: &'a Epochs,
    slots: Vec<u16>,
}

impl Drop for Changing<'_> {
    fn drop(&mut self) {
        for slot in &self.slots {
            self.epochs.of(*slot).fetch_add(1, Ordering::SeqCst);
            self.epochs.slot(*slot).settled.notify_waiters();
        }
    }
}

/// Tells when a topic has changed. Holds what it last saw, so that no change between a read and a wait is missed.
pub struct Watch {
    epochs: Arc<Epochs>,
    slot: u16,
    seen: u64,
}

impl Watch {
    pub(crate) fn new(epochs: Arc<Epochs>, topic: Topic) -> Self {
        let slot = topic.slot();
        let seen = epochs.of(slot).load(Ordering::SeqCst);
        Self { epochs, slot, seen }
    }

    /// Returns once the topic may have changed since the watch was made or this last returned. Being wrong about it
    /// is possible, missing a change is not.
    pub async fn changed(&mut self) {
        let slot = self.epochs.slot(self.slot);
        loop {
            let settled = slot.settled.notified();
            let mut settled = std::pin::pin!(settled);
            // Before the epoch is looked at: a change from here on wakes.
            settled.as_mut().enable();
            let epoch = slot.epoch.load(Ordering::SeqCst);
            if epoch != self.seen && epoch.is_multiple_of(2) {
                self.seen = epoch;
                return;
            }
            settled.await;
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(topics: &[Topic]) -> Touched {
        let mut touched = Touched::default();
        for topic in topics {
            touched.add(*topic);
        }
        touched
    }

    #[test]
    fn a_commit_makes_what_was_seen_before_it_stale() {
        let epochs = Epochs::new();
        let (a, b) = (Topic::new("tags", &1), Topic::new("tags", &2));
        assert_ne!(a.slot(), b.slot());
        let seen_a = epochs.observe(&[a]).unwrap();
        let seen_b = epochs.observe(&[b]).unwrap();
        // Twice the same topic counts once: an even number of steps would leave the slot looking settled.
        let changing = epochs.begin(touched(&[a, a]));
        assert!(epochs.observe(&[a]).is_none());
        assert!(!epochs.unchanged(&seen_a));
        drop(changing);
        assert!(!epochs.unchanged(&seen_a));
        assert!(epochs.unchanged(&seen_b));
        assert!(epochs.observe(&[a]).is_some());
    }

    #[test]
    fn an_undone_job_touches_nothing() {
        let (a, b) = (Topic::new("tags", &1), Topic::new("tags", &2));
        let mut touched = touched(&[a]);
        let mark = touched.mark();
        touched.add(b);
        touched.forget_since(mark);
        let epochs = Epochs::new();
        let seen = epochs.observe(&[b]).unwrap();
        drop(epochs.begin(touched));
        assert!(epochs.unchanged(&seen));
    }

    #[test]
    fn topics_of_different_kinds_differ() {
        assert_ne!(Topic::new("tags", &1), Topic::new("blobs", &1));
        assert_eq!(Topic::new("tags", &1), Topic::new("tags", &1));
    }
}
