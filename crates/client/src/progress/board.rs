//! The state of a transfer, as its events add up: what a terminal draws and a test looks at.
//!
//! A pure fold: nothing here reads a clock or writes anything, so bars are a view of a [`Board`] and no more.

use std::collections::BTreeMap;

use hythe_oci::limits::DESCRIPTORS;
use hythe_oci::{Digest, RepositoryName};

use super::event::{ByteCount, Event, Layer, LayerIndex, TransferKind};

/// Most layers that are kept: as many as an index of large images has. Events of any further are passed over.
const MOST_LAYERS: usize = 10 * DESCRIPTORS;

/// How far a layer is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Named in the plan, and nothing has been done yet.
    Planned,
    /// Waits for its turn.
    Queued,
    /// Its digest is being computed.
    Hashing(ByteCount),
    /// Being compressed.
    Compressing(ByteCount),
    /// Being sent.
    Uploading(ByteCount),
    /// Being received.
    Downloading(ByteCount),
    /// Taken from another repository.
    Mounted(Option<RepositoryName>),
    /// Was there already.
    Exists,
    /// Is there now.
    Done,
}

impl Phase {
    /// Whether nothing more will happen to the layer.
    pub const fn is_settled(&self) -> bool {
        matches!(self, Self::Mounted(_) | Self::Exists | Self::Done)
    }
}

/// A pause before another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// What happened.
    pub reason: String,
    /// The pause, in milliseconds.
    pub delay_ms: u64,
    /// How many attempts have failed.
    pub attempt: u32,
}

/// A layer and how far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerState {
    /// What is known of it.
    pub layer: Layer,
    /// How far it is. A layer that is sent while it is compressed counts as being compressed: of that alone the end is known.
    pub phase: Phase,
    /// Bytes of it that were sent, when last told.
    pub sent: u64,
    /// What it waits for before it is tried again; `None` once it moves again.
    pub retry: Option<Retry>,
}

impl LayerState {
    /// Bytes of the blob that need not be moved any more; `total` is `None` when nobody knows.
    pub fn bytes(&self) -> ByteCount {
        let total = match self.phase {
            Phase::Uploading(bytes) | Phase::Downloading(bytes) => self.layer.bytes.or(bytes.total),
            _ => self.layer.bytes,
        };
        let done = match self.phase {
            Phase::Uploading(bytes) | Phase::Downloading(bytes) => {
                total.map_or(bytes.done, |total| bytes.done.min(total))
            }
            Phase::Mounted(_) | Phase::Exists | Phase::Done => total.unwrap_or_default(),
            Phase::Compressing(_) => self.sent,
            Phase::Planned | Phase::Queued | Phase::Hashing(_) => 0,
        };
        ByteCount { done, total }
    }
}

/// How far the transfer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Nothing has been heard.
    #[default]
    Waiting,
    /// A container is being made an image.
    Committing,
    /// Layers are being moved.
    Moving,
    /// All layers are there; the rest is being done.
    Finalising,
    /// All is done; this is the image's digest.
    Finished(Digest),
    /// It was given up, for this reason.
    Failed(String),
}

/// What a transfer comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Layers in all.
    pub layers: usize,
    /// Layers that are done, mounted or were there.
    pub settled: usize,
    /// Layers that did not have to be moved.
    pub skipped: usize,
    /// Bytes of all layers that are settled or through; `total` is `None` as long as one layer's is.
    pub bytes: ByteCount,
    /// Of these, the bytes of layers that did not have to be moved.
    pub skipped_bytes: u64,
}

/// The state of one transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Board {
    kind: Option<TransferKind>,
    source: String,
    destination: String,
    layers: BTreeMap<LayerIndex, LayerState>,
    stage: Stage,
    retry: Option<Retry>,
}

impl Board {
    /// Adds what an event says.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Plan(plan) => {
                self.kind = Some(plan.kind);
                self.source.clone_from(&plan.source);
                self.destination.clone_from(&plan.destination);
                self.stage = Stage::Moving;
                for layer in &plan.layers {
                    self.learn(layer);
                }
            }
            Event::Layer(layer) => self.learn(layer),
            Event::Queued { layer } => self.enter(*layer, Phase::Queued),
            Event::Hashing { layer, bytes } => self.enter(*layer, Phase::Hashing(*bytes)),
            Event::Compressing { layer, bytes } => self.enter(*layer, Phase::Compressing(*bytes)),
            Event::Uploading { layer, bytes } => self.enter(*layer, Phase::Uploading(*bytes)),
            Event::Downloading { layer, bytes } => self.enter(*layer, Phase::Downloading(*bytes)),
            Event::Mounted { layer, from } => self.enter(*layer, Phase::Mounted(from.clone())),
            Event::Exists { layer } => self.enter(*layer, Phase::Exists),
            Event::Done { layer, digest } => {
                self.enter(*layer, Phase::Done);
                if let Some(state) = self.layers.get_mut(layer) {
                    state.layer.digest = Some(*digest);
                }
            }
            Event::Retrying { layer, reason, delay_ms, attempt } => {
                let retry = Retry { reason: reason.clone(), delay_ms: *delay_ms, attempt: *attempt };
                match layer {
                    None => self.retry = Some(retry),
                    Some(layer) => {
                        if let Some(state) = self.state(*layer) {
                            state.retry = Some(retry);
                        }
                    }
                }
            }
            Event::Finalising => self.reach(Stage::Finalising),
            Event::CommitStarted { .. } => self.reach(Stage::Committing),
            Event::CommitFinished { .. } => self.reach(Stage::Moving),
            Event::Finished { digest } => self.reach(Stage::Finished(*digest)),
            Event::Failed { reason } => self.reach(Stage::Failed(reason.clone())),
        }
    }

    fn reach(&mut self, stage: Stage) {
        self.stage = stage;
        self.retry = None;
    }

    fn state(&mut self, layer: LayerIndex) -> Option<&mut LayerState> {
        if self.layers.len() >= MOST_LAYERS && !self.layers.contains_key(&layer) {
            return None;
        }
        let new = || LayerState {
            layer: Layer::new(layer, None, None, None),
            phase: Phase::Planned,
            sent: 0,
            retry: None,
        };
        Some(self.layers.entry(layer).or_insert_with(new))
    }

    fn enter(&mut self, layer: LayerIndex, phase: Phase) {
        if let Some(state) = self.state(layer) {
            state.retry = None;
            let mut meanwhile = false;
            if let Phase::Uploading(bytes) = &phase {
                state.sent = bytes.done;
                meanwhile = matches!(state.phase, Phase::Compressing(_));
            }
            if !meanwhile {
                state.phase = phase;
            }
        }
    }

    fn learn(&mut self, layer: &Layer) {
        if let Some(state) = self.state(layer.layer) {
            state.layer.learn(layer);
        }
    }

    /// What kind of transfer it is, once the plan is known.
    pub const fn kind(&self) -> Option<TransferKind> {
        self.kind
    }

    /// Where the image comes from; empty until the plan is known.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Where the image goes; empty until the plan is known.
    pub fn destination(&self) -> &str {
        &self.destination
    }

    /// Every layer, in the order of their numbers.
    pub fn layers(&self) -> impl ExactSizeIterator<Item = &LayerState> {
        self.layers.values()
    }

    /// The layer of that number.
    pub fn layer(&self, layer: LayerIndex) -> Option<&LayerState> {
        self.layers.get(&layer)
    }

    /// How far the transfer is.
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// What the transfer waits for before something that is about no layer is tried again.
    pub const fn retry(&self) -> Option<&Retry> {
        self.retry.as_ref()
    }

    /// Whether nothing more will happen.
    pub const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Finished(_) | Stage::Failed(_))
    }

    /// The sums over all layers.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { bytes: ByteCount { done: 0, total: Some(0) }, ..Totals::default() };
        for state in self.layers.values() {
            let bytes = state.bytes();
            totals.layers += 1;
            totals.bytes.done = totals.bytes.done.saturating_add(bytes.done);
            totals.bytes.total =
                totals.bytes.total.zip(bytes.total).map(|(sum, more)| sum.saturating_add(more));
            totals.settled += usize::from(state.phase.is_settled());
            if matches!(state.phase, Phase::Mounted(_) | Phase::Exists) {
                totals.skipped += 1;
                totals.skipped_bytes = totals.skipped_bytes.saturating_add(bytes.done);
            }
        }
        totals
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;
    use crate::progress::Plan;

    fn board(events: &[Event]) -> Board {
        let mut board = Board::default();
        for event in events {
            board.apply(event);
        }
        board
    }

    fn plan(sizes: &[Option<u64>]) -> Event {
        let layers = sizes.iter().zip(0..).map(|(bytes, at)| Layer::new(at, None, None, *bytes)).collect();
        Event::Plan(Plan::new(TransferKind::Push, "app".into(), "a.example/app".into(), layers))
    }

    #[test]
    fn a_layer_that_is_sent_while_it_is_compressed_is_both() {
        let count = |done, total| ByteCount { done, total };
        let mut board = board(&[
            plan(&[None]),
            Event::Compressing { layer: 0, bytes: count(10, Some(100)) },
            Event::Uploading { layer: 0, bytes: count(3, None) },
            Event::Compressing { layer: 0, bytes: count(20, Some(100)) },
        ]);
        let state = board.layer(0).unwrap();
        assert_eq!((&state.phase, state.sent), (&Phase::Compressing(count(20, Some(100))), 3));
        assert_eq!(board.totals().bytes, count(3, None));
        board.apply(&Event::Done { layer: 0, digest: Digest::of(Algorithm::Sha256, b"x") });
        assert!(board.layer(0).unwrap().phase.is_settled());
    }

    #[test]
    fn sums_follow_the_layers() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let count = |done, total| ByteCount { done, total };
        let mut board = board(&[
            plan(&[Some(100), Some(200), Some(300), None]),
            Event::Exists { layer: 0 },
            Event::Mounted { layer: 1, from: None },
            Event::Uploading { layer: 2, bytes: count(150, Some(300)) },
            Event::Hashing { layer: 3, bytes: count(70, Some(80)) },
        ]);
        assert_eq!(
            board.totals(),
            Totals { layers: 4, settled: 2, skipped: 2, bytes: count(450, None), skipped_bytes: 300 }
        );
        board.apply(&Event::Layer(Layer::new(3, Some(digest), None, Some(50))));
        assert_eq!(board.totals().bytes, count(450, Some(650)));
        board.apply(&Event::Done { layer: 3, digest });
        board.apply(&Event::Done { layer: 2, digest });
        assert_eq!((board.totals().bytes, board.totals().settled), (count(650, Some(650)), 4));
        board.apply(&Event::Finalising);
        assert!(!board.is_over());
        board.apply(&Event::Finished { digest });
        assert_eq!(board.stage(), &Stage::Finished(digest));
        assert!(board.is_over());
    }

    #[test]
    fn a_pause_is_shown_until_the_layer_moves_again() {
        let retry = Event::Retrying { layer: Some(0), reason: "cut".into(), delay_ms: 500, attempt: 2 };
        let bytes = ByteCount { done: 5, total: Some(9) };
        let mut board = board(&[plan(&[Some(9)]), Event::Uploading { layer: 0, bytes }, retry]);
        let state = board.layer(0).unwrap();
        assert_eq!(state.retry.as_ref().map(|retry| (retry.delay_ms, retry.attempt)), Some((500, 2)));
        assert_eq!(state.bytes().done, 5);
        board.apply(&Event::Uploading { layer: 0, bytes: ByteCount { done: 3, total: Some(9) } });
        assert_eq!(board.layer(0).unwrap().retry, None);
        assert_eq!(board.totals().bytes.done, 3);
    }

    #[test]
    fn a_bar_never_runs_over_its_end() {
        let bytes = ByteCount { done: 12, total: Some(12) };
        let board = board(&[plan(&[Some(9)]), Event::Uploading { layer: 0, bytes }]);
        assert_eq!(board.totals().bytes, ByteCount { done: 9, total: Some(9) });
    }

    #[test]
    fn what_was_known_stays_known() {
        let (blob, content) = (Digest::of(Algorithm::Sha256, b"a"), Digest::of(Algorithm::Sha256, b"b"));
        let board = board(&[
            Event::Layer(Layer::new(0, None, Some(content), None)),
            Event::Layer(Layer::new(0, Some(blob), None, Some(4))),
        ]);
        let layer = &board.layer(0).unwrap().layer;
        assert_eq!((layer.digest, layer.diff_id, layer.bytes), (Some(blob), Some(content), Some(4)));
        assert_eq!(layer.label, content.hex()[..12]);
    }
}
