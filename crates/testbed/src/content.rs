//! Makers of real image content: configurations, tar layers, manifests, indexes and artifacts.
//!
//! Invariant: what is made is deterministic in its `seed` and valid for real engines (layers unpack, the
//! configuration's `diff_ids` are those of the unpacked layers), and different seeds share no blob.

use std::io::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

/// A blob or manifest: its bytes and the type it goes by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The media type.
    pub media_type: String,
    /// The exact bytes.
    pub bytes: Vec<u8>,
}

/// The two-byte empty configuration of artifacts.
pub const EMPTY: &[u8] = b"{}";

const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

impl Content {
    /// JSON content.
    pub fn json(media_type: &str, value: &Value) -> Self {
        Self { media_type: media_type.to_owned(), bytes: value.to_string().into_bytes() }
    }

    /// The sha256 digest.
    pub fn digest(&self) -> String {
        digest(&self.bytes)
    }

    /// The sha512 digest.
    pub fn sha512(&self) -> String {
        let hash: [u8; 64] = Sha512::digest(&self.bytes).into();
        format!("sha512:{}", hex(&hash))
    }

    /// The sha256 descriptor.
    pub fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.bytes.len()})
    }
}

/// The sha256 digest of bytes, as written on the wire.
pub fn digest(bytes: &[u8]) -> String {
    let hash: [u8; 32] = Sha256::digest(bytes).into();
    format!("sha256:{}", hex(&hash))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `length` bytes that do not compress, the same for the same `seed`.
pub fn noise(seed: &str, length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 32);
    let mut block: [u8; 32] = Sha256::digest(seed.as_bytes()).into();
    while bytes.len() < length {
        bytes.extend_from_slice(&block);
        block = Sha256::digest(block).into();
    }
    bytes.truncate(length);
    bytes
}

/// Whose media types an image uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `application/vnd.oci.image.…`
    Oci,
    /// `application/vnd.docker.…`
    Docker,
}

impl Family {
    fn manifest(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.manifest.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    fn index(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.index.v1+json",
            Self::Docker => "application/vnd.docker.distribution.manifest.list.v2+json",
        }
    }

    fn config(self) -> &'static str {
        match self {
            Self::Oci => "application/vnd.oci.image.config.v1+json",
            Self::Docker => "application/vnd.docker.container.image.v1+json",
        }
    }
}

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Plain tar.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
}

impl Packing {
    fn layer_type(self, family: Family) -> &'static str {
        match (family, self) {
            (Family::Oci, Self::Plain) => "application/vnd.oci.image.layer.v1.tar",
            (Family::Oci, Self::Gzip) => "application/vnd.oci.image.layer.v1.tar+gzip",
            (Family::Oci, Self::Zstd) => "application/vnd.oci.image.layer.v1.tar+zstd",
            (Family::Docker, Self::Plain) => "application/vnd.docker.image.rootfs.diff.tar",
            (Family::Docker, Self::Gzip) => "application/vnd.docker.image.rootfs.diff.tar.gzip",
            (Family::Docker, Self::Zstd) => "application/vnd.docker.image.rootfs.diff.tar.zstd",
        }
    }

    fn pack(self, tar: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain => tar.to_vec(),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                encoder.write_all(tar).expect("writing to memory succeeds");
                encoder.finish().expect("writing to memory succeeds")
            }
            Self::Zstd => zstd::encode_all(tar, 1).expect("writing to memory succeeds"),
        }
    }
}

/// An image or artifact with everything its manifest names.
#[derive(Clone, Debug)]
pub struct Image {
    /// The manifest.
    pub manifest: Content,
    /// Configuration first, then the layers in order.
    pub blobs: Vec<Content>,
    architecture: String,
}

/// A multi-platform index with its images.
#[derive(Clone, Debug)]
pub struct Index {
    /// The index.
    pub manifest: Content,
    /// The images it lists.
    pub images: Vec<Image>,
}

/// A two-layer image for linux on `architecture`: a small root file system, then one file on top.
pub fn image(family: Family, packing: Packing, seed: &str, architecture: &str) -> Image {
    let seed = format!("{seed}-{architecture}");
    Image::of_layers(family, packing, vec![base_layer(&seed), top_layer(&seed)], &seed, architecture)
}

impl Image {
    /// An image of these layers, each a tar; `seed` makes its configuration its own.
    pub fn of_layers(
        family: Family,
        packing: Packing,
        tars: Vec<Vec<u8>>,
        seed: &str,
        architecture: &str,
    ) -> Self {
        let diff_ids = tars.iter().map(|tar| digest(tar)).collect();
        let media_type = packing.layer_type(family);
        let layers = tars
            .iter()
            .map(|tar| Content { media_type: media_type.to_owned(), bytes: packing.pack(tar) })
            .collect();
        Self::put_together(family, diff_ids, layers, seed, architecture)
    }

    /// An image of layers that are what they are: nobody unpacks it.
    pub fn of_blobs(family: Family, layers: Vec<Content>, architecture: &str) -> Self {
        let diff_ids = layers.iter().map(Content::digest).collect();
        Self::put_together(family, diff_ids, layers, "blobs", architecture)
    }

    fn put_together(
        family: Family,
        diff_ids: Vec<String>,
        layers: Vec<Content>,
        seed: &str,
        architecture: &str,
    ) -> Self {
        let history: Vec<Value> = diff_ids
            .iter()
            .zip(["base", "top"].iter().cycle())
            .map(|(_, made_by)| json!({"created": "2024-01-01T00:00:00Z", "created_by": made_by}))
            .collect();
        let config = json!({
            "architecture": architecture,
            "os": "linux",
            "created": "2024-01-01T00:00:00Z",
            "config": {"Env": ["PATH=/usr/bin:/bin"], "Cmd": ["/bin/hello"], "Labels": {"seed": seed}},
            "rootfs": {"type": "layers", "diff_ids": diff_ids},
            "history": history,
        });
        let mut blobs = vec![Content::json(family.config(), &config)];
        blobs.extend(layers);
        let layers: Vec<Value> = blobs.iter().skip(1).map(Content::descriptor).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": family.manifest(),
            "config": blobs[0].descriptor(),
            "layers": layers,
        });
        let manifest = Content::json(family.manifest(), &manifest);
        Self { manifest, blobs, architecture: architecture.to_owned() }
    }
}

/// An index over `images`.
pub fn index(family: Family, images: Vec<Image>) -> Index {
    let entries: Vec<Value> = images
        .iter()
        .map(|image| {
            let mut descriptor = image.manifest.descriptor();
            descriptor["platform"] = json!({"os": "linux", "architecture": image.architecture});
            descriptor
        })
        .collect();
    let manifest = json!({"schemaVersion": 2, "mediaType": family.index(), "manifests": entries});
    Index { manifest: Content::json(family.index(), &manifest), images }
}

/// An artifact with one layer of text, pointing at `subject` when one is given.
pub fn artifact(artifact_type: &str, subject: Option<&Content>, text: &str) -> Image {
    let config = Content { media_type: EMPTY_TYPE.to_owned(), bytes: EMPTY.to_vec() };
    let layer = Content { media_type: "text/plain".to_owned(), bytes: text.as_bytes().to_vec() };
    let mut manifest = json!({
        "schemaVersion": 2,
        "mediaType": Family::Oci.manifest(),
        "artifactType": artifact_type,
        "config": config.descriptor(),
        "layers": [layer.descriptor()],
        "annotations": {"org.example.note": text},
    });
    if let Some(subject) = subject {
        manifest["subject"] = subject.descriptor();
    }
    Image {
        manifest: Content::json(Family::Oci.manifest(), &manifest),
        blobs: vec![config, layer],
        architecture: String::new(),
    }
}

fn base_layer(seed: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "usr/bin", "var"] {
        add(&mut tar, &format!("{folder}/"), &[], 0o755);
    }
    add(&mut tar, "bin/hello", b"#!/bin/sh\necho hello\n", 0o755);
    add(&mut tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", 0o644);
    add(&mut tar, "usr/noise", &noise(seed, 96 * 1024), 0o644);
    tar.into_inner().expect("writing to memory succeeds")
}

fn top_layer(seed: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    add(&mut tar, "etc/", &[], 0o755);
    add(&mut tar, "etc/seed", seed.as_bytes(), 0o644);
    tar.into_inner().expect("writing to memory succeeds")
}

fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, bytes: &[u8], mode: u32) {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(if path.ends_with('/') {
        tar::EntryType::Directory
    } else {
        tar::EntryType::Regular
    });
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    header.set_mtime(1_704_067_200);
    tar.append_data(&mut header, path, bytes).expect("writing to memory succeeds");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_same_for_a_seed_and_shares_nothing_between_seeds() {
        let one = image(Family::Oci, Packing::Gzip, "a", "amd64");
        assert_eq!(one.manifest, image(Family::Oci, Packing::Gzip, "a", "amd64").manifest);
        let other = image(Family::Oci, Packing::Gzip, "b", "amd64");
        assert!(one.blobs.iter().all(|blob| !other.blobs.contains(blob)));
    }

    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(digest(EMPTY), "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    }
}
