//! The events.
//!
//! Their serde form is the documented schema of [`ndjson`](super::ndjson), so names and fields here are
//! never renamed and new ones are only added.

use hythe_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};

/// How many digits of a digest a label has.
const LABEL_DIGITS: usize = 12;

/// The number of a layer in one transfer, from 0. It stays the same from the plan to the end.
pub type LayerIndex = u32;

/// What kind of transfer it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TransferKind {
    /// From this machine to a registry.
    Push,
    /// From a registry to this machine.
    Pull,
    /// From registry to registry.
    Copy,
    /// A running container becomes an image in a registry.
    Save,
}

/// One blob that a transfer moves: a layer or a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Its number in this transfer.
    pub layer: LayerIndex,
    /// What a person sees: twelve digits of a digest, or a word such as `config`.
    pub label: String,
    /// The digest of the blob as the registry has it, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The digest of the layer's uncompressed content, when it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<Digest>,
    /// The bytes of the blob as the registry has it, when they are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

impl Layer {
    /// A layer that is labelled by the digits of its diff-id, else of its digest, else by its number.
    pub fn new(
        layer: LayerIndex,
        digest: Option<Digest>,
        diff_id: Option<Digest>,
        bytes: Option<u64>,
    ) -> Self {
        let label = match diff_id.or(digest) {
            Some(digest) => {
                let mut hex = digest.hex();
                hex.truncate(LABEL_DIGITS);
                hex
            }
            None => numbered(layer),
        };
        Self { layer, label, digest, diff_id, bytes }
    }

    /// Adds what another description of the same layer says. What was known and is not said again stays known; the
    /// label stays the one that was shown first, unless that was a number for want of anything better.
    pub(super) fn learn(&mut self, more: &Self) {
        if self.label == numbered(self.layer) {
            self.label.clone_from(&more.label);
        }
        self.digest = more.digest.or(self.digest);
        self.diff_id = more.diff_id.or(self.diff_id);
        self.bytes = more.bytes.or(self.bytes);
    }

    /// The same under another label.
    pub fn labelled(self, label: &str) -> Self {
        Self { label: super::reporter::plain(label), ..self }
    }
}

fn numbered(layer: LayerIndex) -> String {
    format!("layer-{layer}")
}

/// What a transfer is going to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// What kind it is.
    pub kind: TransferKind,
    /// Where the image comes from, as a person would write it.
    pub source: String,
    /// Where it goes, as a person would write it.
    pub destination: String,
    /// Every blob known now; later ones come by [`Event::Layer`].
    pub layers: Vec<Layer>,
    /// The sum of the layers' bytes; `None` as long as one is not known.
    pub total: Option<u64>,
}

impl Plan {
    /// A plan with its total.
    pub fn new(kind: TransferKind, source: String, destination: String, layers: Vec<Layer>) -> Self {
        let total = layers.iter().try_fold(0_u64, |sum, layer| sum.checked_add(layer.bytes?));
        Self { kind, source, destination, layers, total }
    }
}

/// How far a step of a layer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ByteCount {
    /// Bytes that are through. They may fall when a part is sent again.
    pub done: u64,
    /// Bytes in all; `None` when nobody knows yet.
    pub total: Option<u64>,
}

/// Something that happened in a transfer.
///
/// Per layer: `Queued`, then `Hashing`, `Compressing`, `Uploading` and `Downloading` as needed, in any order and
/// side by side, and one of `Mounted`, `Exists` and `Done` at last. Per transfer: `Plan` first,
/// `Finalising`, and one of `Finished` and `Failed` at last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// What will be done.
    Plan(Plan),
    /// A layer that the plan did not have, or more about one that it has.
    Layer(Layer),
    /// The layer waits for its turn.
    Queued {
        /// Which layer.
        layer: LayerIndex,
    },
    /// Its digest is being computed.
    Hashing {
        /// Which layer.
        layer: LayerIndex,
        /// Of the content that is hashed.
        #[serde(flatten)]
        bytes: ByteCount,
    },
    /// It is being compressed.
    Compressing {
        /// Which layer.
        layer: LayerIndex,
        /// Of the content before compression.
        #[serde(flatten)]
        bytes: ByteCount,
    },
    /// It is being sent.
    Uploading {
        /// Which layer.
        layer: LayerIndex,
        /// Of the blob.
        #[serde(flatten)]
        bytes: ByteCount,
    },
    /// It is being received.
    Downloading {
        /// Which layer.
        layer: LayerIndex,
        /// Of the blob.
        #[serde(flatten)]
        bytes: ByteCount,
    },
    /// The registry took it from another repository; nothing was sent.
    Mounted {
        /// Which layer.
        layer: LayerIndex,
        /// The repository it was taken from; `None` when the registry found one by itself.
        from: Option<RepositoryName>,
    },
    /// It is there already; nothing was moved.
    Exists {
        /// Which layer.
        layer: LayerIndex,
    },
    /// It is there now.
    Done {
        /// Which layer.
        layer: LayerIndex,
        /// The digest of the blob.
        digest: Digest,
    },
    /// Something failed and will be tried again.
    Retrying {
        /// Which layer; `None` when it was none of them.
        layer: Option<LayerIndex>,
        /// What happened, in words; without control characters.
        reason: String,
        /// The pause before the next attempt, in milliseconds.
        delay_ms: u64,
        /// How many attempts have failed, from 1.
        attempt: u32,
    },
    /// All layers are there; the manifest is being written or the engine is loading.
    Finalising,
    /// A container is being made an image.
    CommitStarted {
        /// The container.
        container: String,
        /// The image's name.
        image: String,
    },
    /// The container has become an image.
    CommitFinished {
        /// The image's name.
        image: String,
    },
    /// All is done.
    Finished {
        /// The digest of the image's manifest or index.
        digest: Digest,
    },
    /// The transfer has been given up.
    Failed {
        /// Why, in words; without control characters.
        reason: String,
    },
}

impl Event {
    /// The layer it is about, if it is about one.
    pub const fn layer(&self) -> Option<LayerIndex> {
        match self {
            Self::Layer(Layer { layer, .. })
            | Self::Queued { layer }
            | Self::Hashing { layer, .. }
            | Self::Compressing { layer, .. }
            | Self::Uploading { layer, .. }
            | Self::Downloading { layer, .. }
            | Self::Mounted { layer, .. }
            | Self::Exists { layer }
            | Self::Done { layer, .. } => Some(*layer),
            Self::Retrying { layer, .. } => *layer,
            Self::Plan(_)
            | Self::Finalising
            | Self::CommitStarted { .. }
            | Self::CommitFinished { .. }
            | Self::Finished { .. }
            | Self::Failed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    #[test]
    fn a_label_is_short_and_says_which_layer() {
        let (blob, content) = (Digest::of(Algorithm::Sha256, b"a"), Digest::of(Algorithm::Sha256, b"b"));
        assert_eq!(Layer::new(0, Some(blob), Some(content), None).label, content.hex()[..12]);
        assert_eq!(Layer::new(0, Some(blob), None, None).label, blob.hex()[..12]);
        assert_eq!(Layer::new(7, None, None, None).label, "layer-7");
        assert_eq!(Layer::new(7, None, None, None).labelled("con\u{1b}fig").label, "con fig");
    }

    #[test]
    fn a_total_is_known_when_every_layer_is() {
        let plan = |sizes: &[Option<u64>]| {
            let layers =
                sizes.iter().zip(0..).map(|(bytes, at)| Layer::new(at, None, None, *bytes)).collect();
            Plan::new(TransferKind::Push, "app".into(), "a.example/app".into(), layers).total
        };
        assert_eq!(plan(&[]), Some(0));
        assert_eq!(plan(&[Some(3), Some(4)]), Some(7));
        assert_eq!(plan(&[Some(3), None]), None);
        assert_eq!(plan(&[Some(u64::MAX), Some(1)]), None);
    }
}
