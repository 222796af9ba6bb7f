//! Tagged images, and whether an image can be pulled.

use hythe_oci::{Digest, MediaType, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tag and the image it names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Image {
    /// The repository.
    #[schema(value_type = String, example = "lab/solver")]
    pub repository: RepositoryName,
    /// The tag.
    #[schema(value_type = String, example = "v1")]
    pub tag: Tag,
    /// The digest of the manifest or index that the tag names.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its media type.
    #[schema(value_type = String)]
    pub media_type: MediaType,
    /// The bytes of configuration and layers, those of all platforms, each blob counted once.
    pub size: u64,
    /// When the tag was last set (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub updated: String,
}

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Readiness {
    /// It is on its way, or a part of it is missing.
    Pending,
    /// It is complete and durable.
    Ready,
}

/// The status of one image, by digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImageStatus {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The digest this is about. Asked for a tag, the one that is being pushed for it, else the one it names.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Ready when it is ready in every place.
    pub status: Readiness,
    /// Everywhere that the image has to be; today the registry alone.
    pub places: Vec<PlaceStatus>,
}

/// How far an image is in one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceStatus {
    /// The place: `registry`.
    pub place: String,
    /// Whether it is complete there.
    pub status: Readiness,
    /// How much of it is there, rounded down; 100 only when it is ready.
    #[schema(minimum = 0, maximum = 100)]
    pub percent: u8,
    /// Bytes that are there, of the blobs and child manifests that the image needs.
    pub bytes_present: u64,
    /// Bytes of everything it is known to need.
    pub bytes_needed: u64,
    /// Why it is not ready; `null` when it is.
    pub reason: Option<String>,
}

/// Says that an image is going to be pushed, so that others can wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAnnouncement {
    /// The tag it will get; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub tag: Option<Tag>,
    /// Everything it needs beside its own manifest, at most 1000: blobs, and the children of an index.
    pub parts: Vec<Part>,
}

/// A blob or manifest by its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}
