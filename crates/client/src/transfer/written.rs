//! The manifest of an image whose layers were packed here.

use hythe_oci::{Algorithm, Digest, MediaType, media_type};
use serde_json::json;

use super::TransferError;
use super::memory::KnownBlob;
use crate::source::Document;

/// A layer as the manifest names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedLayer {
    pub(super) media_type: &'static str,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl NamedLayer {
    pub(super) fn of(media_type: &'static str, blob: KnownBlob) -> Self {
        Self { media_type, digest: blob.digest, size: blob.size }
    }
}

/// An OCI manifest of a configuration and its layers, the same bytes every time.
pub(super) fn manifest(config: &[u8], layers: &[NamedLayer]) -> Result<Document, TransferError> {
    let layers: Vec<_> = layers
        .iter()
        .map(|layer| json!({ "mediaType": layer.media_type, "digest": layer.digest, "size": layer.size }))
        .collect();
    let config = json!({
        "mediaType": media_type::OCI_CONFIG,
        "digest": Digest::of(Algorithm::Sha256, config),
        "size": config.len(),
    });
    let kind = media_type::OCI_MANIFEST;
    let manifest = json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": layers });
    let failed = |error: String| TransferError::Invalid(format!("The manifest cannot be written: {error}"));
    let bytes = serde_json::to_vec(&manifest).map_err(|error| failed(error.to_string()))?;
    Ok(Document {
        digest: Digest::of(Algorithm::Sha256, &bytes),
        media_type: MediaType::parse(kind).map_err(|error| failed(error.to_string()))?,
        bytes: bytes.into(),
    })
}
