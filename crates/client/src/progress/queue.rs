//! The events that have been told and not yet read: the newest of each kind and layer.
//!
//! What is told again replaces what waits, at the end of the line, so that reading the whole line leads to
//! the state that reading every event would have led to. The line is therefore never longer than
//! there are kinds of events times layers, however slowly it is read.

use std::collections::{BTreeMap, HashMap};
use std::mem::{Discriminant, discriminant};

use super::event::{Event, LayerIndex};

type Key = (Option<LayerIndex>, Discriminant<Event>);

/// Events in line.
#[derive(Debug, Default)]
pub(super) struct Queue {
    next: u64,
    line: BTreeMap<u64, Event>,
    places: HashMap<Key, u64>,
}

impl Queue {
    pub(super) fn push(&mut self, event: Event) {
        let older = self.places.insert(key(&event), self.next).and_then(|place| self.line.remove(&place));
        let event = match (older, event) {
            // Descriptions add up, so that none of what the older one said is lost.
            (Some(Event::Layer(mut known)), Event::Layer(more)) => {
                known.learn(&more);
                Event::Layer(known)
            }
            (_, event) => event,
        };
        self.line.insert(self.next, event);
        self.next += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.line.is_empty()
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let (_, event) = self.line.pop_first()?;
        self.places.remove(&key(&event));
        Some(event)
    }
}

fn key(event: &Event) -> Key {
    (event.layer(), discriminant(event))
}

#[cfg(test)]
mod tests {
    use hythe_oci::{Algorithm, Digest};
    use proptest::prelude::*;

    use super::*;
    use crate::progress::{Board, ByteCount, Layer, Plan, TransferKind};

    fn event() -> impl Strategy<Value = Event> {
        let bytes =
            (0..100_u64).prop_map(|done| ByteCount { done, total: Some(100).filter(|_| done % 2 == 0) });
        let digest = || prop::option::of(Just(Digest::of(Algorithm::Sha256, b"x")));
        (0..4_u32, bytes, 0..12, digest(), digest()).prop_map(
            |(layer, bytes, kind, blob, content)| match kind {
                0 => {
                    Event::Layer(Layer::new(layer, blob, content, Some(bytes.done).filter(|done| *done > 50)))
                }
                1 => Event::Queued { layer },
                2 => Event::Hashing { layer, bytes },
                3 => Event::Compressing { layer, bytes },
                4 | 5 => Event::Uploading { layer, bytes },
                6 => Event::Downloading { layer, bytes },
                7 => Event::Exists { layer },
                8 => Event::Done { layer, digest: Digest::of(Algorithm::Sha256, b"x") },
                9 => Event::Retrying { layer: Some(layer), reason: "why".into(), delay_ms: 1, attempt: 1 },
                10 => Event::Retrying { layer: None, reason: "why".into(), delay_ms: bytes.done, attempt: 1 },
                _ => Event::Finalising,
            },
        )
    }

    proptest! {
        #[test]
        fn a_slow_reader_comes_to_the_same_end(
            events in prop::collection::vec(event(), 0..200),
            reads in prop::collection::vec(any::<bool>(), 200),
        ) {
            let plan = Event::Plan(Plan::new(TransferKind::Push, "a".into(), "b".into(), Vec::new()));
            let (mut every, mut newest, mut queue) = (Board::default(), Board::default(), Queue::default());
            for (event, read) in std::iter::once(plan).chain(events).zip(std::iter::once(false).chain(reads)) {
                every.apply(&event);
                queue.push(event);
                if read && let Some(event) = queue.pop() {
                    newest.apply(&event);
                }
            }
            prop_assert!(queue.line.len() <= 4 * 9 + 3, "{} wait", queue.line.len());
            prop_assert_eq!(queue.line.len(), queue.places.len());
            while let Some(event) = queue.pop() {
                newest.apply(&event);
            }
            prop_assert_eq!(newest, every);
        }
    }

    #[test]
    fn events_keep_their_order() {
        let mut queue = Queue::default();
        let uploading = |done| Event::Uploading { layer: 0, bytes: ByteCount { done, total: None } };
        for event in [Event::Queued { layer: 0 }, uploading(1), Event::Exists { layer: 1 }, uploading(2)] {
            queue.push(event);
        }
        let read: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(read, [Event::Queued { layer: 0 }, Event::Exists { layer: 1 }, uploading(2)]);
    }
}
