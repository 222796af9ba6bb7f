//! The stream of events: told without waiting, read when there is time.

use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

use super::event::Event;
use super::queue::Queue;
use super::reporter::Progress;

/// The two ends of a stream.
pub(super) fn channel() -> (Sender, Events) {
    let shared = Arc::new(Shared::default());
    (Sender { shared: Arc::clone(&shared) }, Events { shared })
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    told: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: Queue,
    /// Nothing more will be told.
    ended: bool,
    /// Nobody will read any more.
    abandoned: bool,
    reader: Option<Waker>,
}

impl Shared {
    /// Held for a few steps in memory only, so that telling does not wait for reading.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transfer's end.
#[derive(Debug)]
pub(super) struct Sender {
    shared: Arc<Shared>,
}

impl Sender {
    fn change(&self, change: impl FnOnce(&mut State)) {
        let reader = {
            let mut state = self.shared.state();
            change(&mut state);
            state.reader.take()
        };
        self.shared.told.notify_one();
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}

impl Progress for Sender {
    fn event(&self, event: &Event) {
        self.change(|state| {
            if !state.abandoned && !state.ended {
                state.queue.push(event.clone());
            }
            // What a part that was given up tells later is of no interest to anybody.
            state.ended |= matches!(event, Event::Finished { .. } | Event::Failed { .. });
        });
    }

    fn end(&self) {
        self.change(|state| state.ended = true);
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.end();
    }
}

/// The events of a transfer, as a stream that ends with it; see [`Reporter::stream`](super::Reporter::stream).
///
/// A reader that falls behind finds the newest event of each kind and layer, so it may miss steps in between
/// but no layer's end and not the end of all.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

impl Events {
    /// The next event, for code without an async runtime; `None` at the end. The thread sleeps until then.
    pub fn blocking_next(&mut self) -> Option<Event> {
        let waiting = |state: &mut State| !state.ended && state.queue.is_empty();
        let state = self.shared.told.wait_while(self.shared.state(), waiting);
        state.unwrap_or_else(PoisonError::into_inner).queue.pop()
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = self.shared.state();
        match state.queue.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.abandoned = true;
        state.queue = Queue::default();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;
    use crate::progress::Reporter;

    #[tokio::test]
    async fn a_stream_ends_with_its_reporters() {
        let (reporter, mut events) = Reporter::stream();
        let transfer = tokio::spawn(async move {
            reporter.layer(0).queued();
            tokio::task::yield_now().await;
            let clone = reporter.clone();
            drop(reporter);
            clone.layer(1).exists();
        });
        assert_eq!(events.next().await, Some(Event::Queued { layer: 0 }));
        assert_eq!(events.next().await, Some(Event::Exists { layer: 1 }));
        assert_eq!(events.next().await, None);
        transfer.await.unwrap();
    }

    /// A body that is under way holds its meter for as long as its connection stands.
    #[test]
    fn a_stream_ends_with_its_transfer_whoever_holds_a_reporter() {
        let (reporter, mut events) = Reporter::stream();
        let held = reporter.layer(0).uploading(0, None);
        reporter.failed("no");
        held.set(7);
        let told: Vec<_> = std::iter::from_fn(|| events.blocking_next()).collect();
        assert_eq!(told.last(), Some(&Event::Failed { reason: "no".into() }), "{told:?}");
        let (reporter, mut events) = Reporter::stream();
        let held = reporter.clone();
        reporter.layer(0).exists();
        reporter.end();
        held.layer(1).exists();
        let told: Vec<_> = std::iter::from_fn(|| events.blocking_next()).collect();
        assert_eq!(told, [Event::Exists { layer: 0 }]);
    }

    #[test]
    fn a_thread_reads_to_the_end() {
        let (reporter, mut events) = Reporter::stream();
        let reader = std::thread::spawn(move || std::iter::from_fn(|| events.blocking_next()).last());
        for layer in 0..100 {
            reporter.layer(layer).exists();
        }
        drop(reporter);
        assert_eq!(reader.join().unwrap(), Some(Event::Exists { layer: 99 }));
    }

    #[test]
    fn a_reader_that_never_reads_costs_one_event_per_kind_and_layer() {
        let (reporter, mut events) = Reporter::stream();
        let meter = reporter.layer(0).uploading(0, None);
        for done in 1..10_000 {
            meter.set(done);
        }
        reporter.layer(1).exists();
        drop((meter, reporter));
        let kept: Vec<_> = std::iter::from_fn(|| events.blocking_next()).collect();
        assert_eq!(kept.len(), 2, "{kept:?}");
    }

    #[test]
    fn nothing_is_kept_for_a_reader_that_is_gone() {
        let (reporter, events) = Reporter::stream();
        let shared = Arc::clone(&events.shared);
        reporter.layer(0).exists();
        drop(events);
        reporter.layer(1).exists();
        assert_eq!(shared.state().queue.pop(), None);
    }
}
