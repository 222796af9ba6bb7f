//! One archive that every engine loads: an OCI layout and docker's `manifest.json` in one tar, as docker writes it since
//! version 25. Layers go in as they are stored, for every loader unpacks gzip.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::stream::{BoxStream, StreamExt as _};
use futures_util::{TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Manifest, media_type};
use serde_json::json;

use crate::source::{Document, blob_path};

/// tar's unit.
const BLOCK: usize = 512;

/// A layer and where its bytes come from.
pub(crate) struct Part {
    pub(crate) layer: Descriptor,
    pub(crate) content: BoxStream<'static, io::Result<Bytes>>,
}

/// The archive of one image. `name` is what it shall be called, such as `lab/app:v1`. The bytes are the same every time.
pub(crate) fn archive(
    document: &Document,
    manifest: &Manifest,
    config: Bytes,
    layers: Vec<Part>,
    name: Option<&str>,
) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
    let config_path = manifest.config.as_ref().map(|config| blob_path(&config.digest)).unwrap_or_default();
    let paths: Vec<_> = manifest.layers.iter().map(|layer| blob_path(&layer.digest)).collect();
    let names: Vec<_> = name.into_iter().collect();
    let docker = json!([{ "Config": config_path, "RepoTags": names, "Layers": paths }]);
    let mut entry = json!({
        "mediaType": document.media_type.as_str(), "digest": document.digest, "size": document.bytes.len(),
    });
    if let Some(name) = name {
        let tag = name.rsplit_once(':').map_or(name, |(_, tag)| tag);
        entry["annotations"] =
            json!({ "io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag });
    }
    let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": [entry] });
    let mut head = BytesMut::new();
    for (path, content) in [
        ("oci-layout".to_owned(), br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()),
        ("index.json".to_owned(), serde_json::to_vec(&index)?),
        ("manifest.json".to_owned(), serde_json::to_vec(&docker)?),
        (blob_path(&document.digest), document.bytes.to_vec()),
        (config_path, config.to_vec()),
    ] {
        head.extend_from_slice(&header(&path, content.len() as u64)?);
        head.extend_from_slice(&content);
        head.extend_from_slice(&padding(content.len() as u64));
    }
    let layers = stream::iter(layers.into_iter().map(|Part { layer, content }| {
        let head = header(&blob_path(&layer.digest), layer.size)?;
        let tail = padding(layer.size);
        Ok::<_, io::Error>(once(head.into()).chain(content).chain(once(tail.into())))
    }));
    let end = once(archive_end());
    Ok(once(head.freeze()).chain(layers.try_flatten()).chain(end).boxed())
}

/// What stands before and behind a file of an archive.
pub(crate) fn archive_file(path: &str, size: u64) -> io::Result<(Bytes, Bytes)> {
    Ok((header(path, size)?.into(), padding(size).into()))
}

/// A name for another file of an archive, both seen from its root.
pub(crate) fn archive_link(path: &str, target: &str) -> io::Result<Bytes> {
    let up = "../".repeat(path.matches('/').count());
    let mut header = tar::Header::from_byte_slice(&header(path, 0)?).clone();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_link_name(format!("{up}{target}"))?;
    header.set_cksum();
    Ok(Bytes::copy_from_slice(header.as_bytes()))
}

/// The end of an archive.
pub(crate) fn archive_end() -> Bytes {
    Bytes::from(vec![0; 2 * BLOCK])
}

fn once(bytes: Bytes) -> BoxStream<'static, io::Result<Bytes>> {
    stream::iter((!bytes.is_empty()).then_some(Ok(bytes))).boxed()
}

fn header(path: &str, size: u64) -> io::Result<Vec<u8>> {
    let mut header = tar::Header::new_gnu();
    header.set_path(path)?;
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// Fills a file's last block up.
fn padding(size: u64) -> Vec<u8> {
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    vec![0; (BLOCK - rest) % BLOCK]
}
