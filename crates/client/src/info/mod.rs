//! What an image is, as a registry of any kind tells it: platforms, configuration, history, layers, and what refers
//! to it.
//!
//! Invariants: everything told is hostile text and is handed on as it came, so whoever shows it to a terminal escapes
//! it; what is fetched is bounded by [`MOST_MEASURED`] manifests and one configuration of 4 MiB.

mod configuration;
mod layers;
mod look;
mod referrers;

use std::collections::BTreeMap;

use hythe_oci::Digest;
use serde::Serialize;

/// The most platforms of an index whose size is asked for.
pub const MOST_MEASURED: usize = 100;

/// What an image is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImageInfo {
    /// The digest of its manifest or index.
    pub digest: Digest,
    /// The media type of that.
    pub media_type: String,
    /// The kind of artifact, if it says one: an image of a container does not.
    pub artifact_type: Option<String>,
    /// Annotations of the manifest or index.
    pub annotations: BTreeMap<String, String>,
    /// The entries of an index that run somewhere, in its order; one entry for an image of one platform.
    pub platforms: Vec<PlatformInfo>,
    /// The platform that is looked at closely; `None` where there is none, as in an index of artifacts.
    pub image: Option<PlatformImage>,
    /// What refers to the image or to the platform looked at: signatures, bills of materials, attestations.
    pub referrers: Vec<Referrer>,
}

/// One platform of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlatformInfo {
    /// `os/architecture[/variant]`; `None` when nobody said so.
    pub platform: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The bytes of its configuration and layers; `None` beyond the first [`MOST_MEASURED`] platforms.
    pub size: Option<u64>,
}

/// One platform's image, looked at closely.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlatformImage {
    /// `os/architecture[/variant]`, by its configuration, else by the index.
    pub platform: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The bytes of its configuration and layers.
    pub size: u64,
    /// The digest of its configuration: the ID under which docker and podman know the image.
    pub config_digest: Option<Digest>,
    /// What it was made to do; `None` for an artifact, whose configuration is not a container's.
    pub config: Option<Configuration>,
    /// How it was made, the lowest layer first; empty when it does not say.
    pub history: Vec<HistoryStep>,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerInfo>,
}

/// What an image was made to do (image specification, "Image Configuration"). Empty where nothing was said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Configuration {
    /// When it was made (RFC 3339).
    pub created: Option<String>,
    /// Who made it.
    pub author: Option<String>,
    /// As whom it runs.
    pub user: Option<String>,
    /// Where it runs.
    pub workdir: Option<String>,
    /// The program, and its first arguments.
    pub entrypoint: Vec<String>,
    /// The arguments that a person may replace.
    pub cmd: Vec<String>,
    /// The environment, as `NAME=value`.
    pub env: Vec<String>,
    /// Labels, by key.
    pub labels: BTreeMap<String, String>,
    /// Ports that it listens on, as `8080/tcp`.
    pub ports: Vec<String>,
    /// Folders that are meant for volumes.
    pub volumes: Vec<String>,
    /// The signal that ends it.
    pub stop_signal: Option<String>,
}

/// One step by which an image was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryStep {
    /// When (RFC 3339).
    pub created: Option<String>,
    /// The command or instruction.
    pub created_by: Option<String>,
    /// What its maker remarked.
    pub comment: Option<String>,
    /// Whether it made no layer, and changed the configuration alone.
    pub empty: bool,
    /// The layer it made; `None` for an empty step, or where steps and layers do not match.
    pub layer: Option<Digest>,
    /// The bytes of that layer as it is stored.
    pub size: Option<u64>,
}

/// One layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LayerInfo {
    /// The digest of the blob.
    pub digest: Digest,
    /// Its size in bytes, as it is stored.
    pub size: u64,
    /// How it is compressed.
    pub compression: LayerCompression,
    /// Its media type.
    pub media_type: String,
    /// The digest of its uncompressed content, by the configuration.
    pub diff_id: Option<Digest>,
}

/// How a layer is compressed, by its media type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum LayerCompression {
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// A tar archive as it is.
    None,
    /// No layer of a container: the file of an artifact, or a type that is not known.
    Unknown,
}

/// Something that refers to an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Referrer {
    /// What kind of artifact it is.
    pub artifact_type: Option<String>,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The size of its manifest in bytes; with [`FoundBy::Tag`] as the registry says it.
    pub size: u64,
    /// What it refers to: the image, or the platform looked at.
    pub subject: Digest,
    /// How it is known.
    pub found_by: FoundBy,
}

/// How a referrer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FoundBy {
    /// The registry's list of referrers, or the one that clients keep under a tag where it has none.
    Subject,
    /// A tag made of the digest, as cosign sets them: `sha256-….sig`.
    Tag,
    /// The index itself, where BuildKit puts attestations.
    Index,
}
