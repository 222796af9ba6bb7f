//! A small real image, made in memory, to try a registry with.
//!
//! The same program makes the same bytes every time, so a second push finds everything there. The
//! image is complete by the OCI image specification 1.1: two compressed layers, a configuration
//! whose `diff_ids` name the uncompressed archives, a manifest.

mod layer;

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, MediaType, MediaTypeError, media_type};
use serde_json::{Value, json};
use thiserror::Error;

use layer::Layer;

/// The second layer is as large as a small real one and does not compress, so that a transfer takes
/// long enough to be seen.
const NOISE_BYTES: usize = 4 * 1024 * 1024;

/// The date of everything in the image: a date of today would change its digest every day.
const CREATED: &str = "2026-01-01T00:00:00Z";

const HELLO: &str = "Hello from Hythe: this file came out of your own registry.\n";

/// A part of an image as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Bytes,
}

/// An image in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The compressed layers, lowest first.
    pub layers: Vec<Part>,
    /// The configuration.
    pub config: Part,
    /// The manifest that names the others.
    pub manifest: Part,
}

/// The sample could not be made.
#[derive(Debug, Error)]
pub enum SampleError {
    /// A layer could not be packed.
    #[error("the sample image cannot be packed: {0}")]
    Packing(#[from] std::io::Error),
    /// The configuration or manifest could not be written.
    #[error("the sample image cannot be described: {0}")]
    Describing(#[from] serde_json::Error),
    /// A media type is not one.
    #[error(transparent)]
    MediaType(#[from] MediaTypeError),
}

/// Makes the sample image for Linux on this machine's architecture.
///
/// # Errors
/// [`SampleError`]; never on a machine that has some megabytes of memory.
pub fn image() -> Result<Image, SampleError> {
    let greeting = Layer::pack(&[("hello.txt", HELLO.as_bytes())])?;
    let noise = Layer::pack(&[("usr/share/hythe/noise", &noise(NOISE_BYTES))])?;
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "created": CREATED,
        "config": { "Labels": { "org.opencontainers.image.title": "hello" } },
        "rootfs": { "type": "layers", "diff_ids": [greeting.diff_id, noise.diff_id] },
        "history": [
            { "created": CREATED, "created_by": "hythe quickstart: a greeting" },
            { "created": CREATED, "created_by": "hythe quickstart: some noise to watch on its way" },
        ],
    });
    let config = Part::new(media_type::OCI_CONFIG, serde_json::to_vec(&config)?)?;
    let layers = vec![
        Part::new(media_type::OCI_LAYER_GZIP, greeting.compressed)?,
        Part::new(media_type::OCI_LAYER_GZIP, noise.compressed)?,
    ];
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_MANIFEST,
        "config": config.descriptor(),
        "layers": layers.iter().map(Part::descriptor).collect::<Vec<_>>(),
    });
    let manifest = Part::new(media_type::OCI_MANIFEST, serde_json::to_vec_pretty(&manifest)?)?;
    Ok(Image { layers, config, manifest })
}

impl Part {
    fn new(media_type: &str, bytes: Vec<u8>) -> Result<Self, MediaTypeError> {
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        Ok(Self { media_type: MediaType::parse(media_type)?, digest, bytes: Bytes::from(bytes) })
    }

    /// The size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type.as_str(), "digest": self.digest, "size": self.size() })
    }
}

/// This machine's architecture by the name Go gives it, as image configurations want it.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Bytes that look random and are always the same (the splitmix64 generator).
fn noise(size: usize) -> Vec<u8> {
    let mut state: u64 = 0;
    let mut word = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    std::iter::repeat_with(&mut word).flatten().take(size).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hythe_oci::Manifest;
    use std::io::Read;

    #[test]
    fn the_same_bytes_every_time() {
        assert_eq!(image().unwrap(), image().unwrap());
    }

    #[test]
    fn the_manifest_names_all_parts() {
        let image = image().unwrap();
        let manifest = Manifest::parse(Some(&image.manifest.media_type), &image.manifest.bytes).unwrap();
        let config = manifest.config.unwrap();
        assert_eq!((config.digest, config.size), (image.config.digest, image.config.size()));
        let named: Vec<_> = manifest.layers.iter().map(|layer| (layer.digest, layer.size)).collect();
        let made: Vec<_> = image.layers.iter().map(|layer| (layer.digest, layer.size())).collect();
        assert_eq!(named, made);
    }

    #[test]
    fn the_configuration_names_the_archives_inside_the_layers() {
        let image = image().unwrap();
        let config: Value = serde_json::from_slice(&image.config.bytes).unwrap();
        let mut found = Vec::new();
        for layer in &image.layers {
            let mut archive = Vec::new();
            flate2::read::GzDecoder::new(&*layer.bytes).read_to_end(&mut archive).unwrap();
            found.push(Digest::of(Algorithm::Sha256, &archive).to_string());
        }
        assert_eq!(config["rootfs"]["diff_ids"], json!(found));
        assert_eq!(config["history"].as_array().unwrap().len(), found.len());
    }

    #[test]
    fn the_greeting_can_be_unpacked() {
        let image = image().unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*image.layers[0].bytes));
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("hello.txt"));
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        assert_eq!(text, HELLO);
    }
}
