//! Byte counts, put together so that a fast transfer does not tell of every buffer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::event::{ByteCount, Event, LayerIndex};
use super::reporter::Reporter;

/// Fewest bytes between two events of one count.
const LEAST_STEP: u64 = 64 * 1024;

/// Most bytes between two events of one count, and the step when the total is not known.
const MOST_STEP: u64 = 4 * 1024 * 1024;

/// How many events a count of known total has at most, apart from the least and the most step.
const STEPS: u64 = 256;

/// Counts the bytes of one step of one layer. It may be shared by the threads that move parts of it.
///
/// An event is told at the start, at each 256th of the total (but at no less than 64 KiB and no more than
/// 4 MiB), and at the end, which is when the meter is dropped. The counts that are told rise, except
/// after [`Meter::set`].
pub struct Meter {
    reporter: Reporter,
    layer: LayerIndex,
    event: fn(LayerIndex, ByteCount) -> Event,
    total: Option<u64>,
    step: u64,
    done: AtomicU64,
    /// The count from which on the next event is due.
    due: AtomicU64,
    /// The count told last. Whoever finds it locked leaves telling to the one who holds it.
    told: Mutex<u64>,
}

impl Meter {
    pub(super) fn start(
        reporter: Reporter,
        layer: LayerIndex,
        event: fn(LayerIndex, ByteCount) -> Event,
        done: u64,
        total: Option<u64>,
    ) -> Self {
        let step = total.map_or(MOST_STEP, |total| (total / STEPS).clamp(LEAST_STEP, MOST_STEP));
        reporter.tell(|| event(layer, ByteCount { done, total }));
        let due = AtomicU64::new(done.saturating_add(step));
        Self { reporter, layer, event, total, step, done: AtomicU64::new(done), due, told: Mutex::new(done) }
    }

    /// Counts `bytes` more.
    pub fn add(&self, bytes: u64) {
        if self.reporter.is_silent() {
            return;
        }
        let done = self.done.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
        if done >= self.due.load(Ordering::Relaxed)
            && let Ok(mut told) = self.told.try_lock()
        {
            self.tell(&mut told);
        }
    }

    /// Sets the count, as when the registry has less than was sent.
    pub fn set(&self, done: u64) {
        self.done.store(done, Ordering::Relaxed);
        self.tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, told: &mut u64) {
        // Read under the lock, so that the counts are told in order.
        let done = self.done.load(Ordering::Relaxed);
        if *told != done {
            *told = done;
            self.due.store(done.saturating_add(self.step), Ordering::Relaxed);
            self.reporter.tell(|| (self.event)(self.layer, ByteCount { done, total: self.total }));
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.tell(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = self.done.load(Ordering::Relaxed);
        f.debug_struct("Meter").field("layer", &self.layer).field("done", &done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn counts(work: impl FnOnce(&Reporter)) -> Vec<u64> {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        let reporter = Reporter::to(Arc::new(move |event: &Event| {
            let Event::Uploading { layer: 0, bytes } = event else { panic!("{event:?}") };
            hears.lock().unwrap().push(bytes.done);
        }));
        work(&reporter);
        heard.lock().unwrap().clone()
    }

    #[test]
    fn small_buffers_are_put_together() {
        let total = 512 * 1024 * 1024;
        let counts = counts(|reporter| {
            let meter = reporter.layer(0).uploading(0, Some(total));
            for _ in 0..total / 8192 {
                meter.add(8192);
            }
        });
        assert_eq!((counts.first(), counts.last()), (Some(&0), Some(&total)));
        assert_eq!(counts.len(), 257);
        assert!(counts.is_sorted());
    }

    #[test]
    fn the_end_is_told_even_of_little() {
        assert_eq!(counts(|reporter| reporter.layer(0).uploading(0, Some(100)).add(70)), [0, 70]);
        assert_eq!(counts(|reporter| drop(reporter.layer(0).uploading(40, None))), [40]);
    }

    #[test]
    fn what_is_sent_again_counts_once() {
        let counts = counts(|reporter| {
            let meter = reporter.layer(0).uploading(0, Some(1000));
            meter.add(600);
            meter.set(500);
            meter.add(500);
        });
        assert_eq!(counts, [0, 500, 1000]);
    }

    #[test]
    fn many_threads_count_in_order() {
        let counts = counts(|reporter| {
            let meter = reporter.layer(0).uploading(0, None);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..1000).for_each(|_| meter.add(MOST_STEP / 4)));
                }
            });
        });
        assert_eq!(counts.last(), Some(&(MOST_STEP * 1000)));
        assert!(counts.is_sorted(), "a count fell");
    }
}
