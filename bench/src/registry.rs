//! What a registry is asked by its clients, against any of them.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::http::{Connection, Take};
use crate::load::Outcome;

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// Bytes that do not repeat, from a seed.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = (seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    digest_of(Sha256::new_with_prefix(bytes))
}

pub(crate) fn digest_of(hasher: Sha256) -> String {
    let hex: Vec<String> = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{}", hex.concat())
}

/// How a blob's bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// POST, then one PUT with the bytes.
    Monolithic,
    /// POST, PATCH with the bytes, PUT without: docker's way.
    Patch,
}

/// Pushes one blob.
pub(crate) fn push_blob(
    connection: &mut Connection,
    repository: &str,
    digest: &str,
    bytes: &[u8],
    way: Way,
) -> Outcome {
    const OCTETS: &str = "Content-Type: application/octet-stream\r\n";
    let opened =
        connection.ask("POST", &format!("/v2/{repository}/blobs/uploads/"), "", &[], Take::Nothing)?;
    let mut location = path(opened.location)?;
    let mut rest = bytes;
    if way == Way::Patch {
        let patched = connection.ask("PATCH", &location, OCTETS, bytes, Take::Nothing)?;
        location = path(patched.location)?;
        rest = &[];
    }
    let separator = if location.contains('?') { '&' } else { '?' };
    let close = format!("{location}{separator}digest={digest}");
    let closed = connection.ask("PUT", &close, OCTETS, rest, Take::Nothing)?;
    Ok((closed.status, bytes.len() as u64))
}

/// Pushes a manifest under a tag or a digest.
pub(crate) fn put_manifest(
    connection: &mut Connection,
    repository: &str,
    reference: &str,
    media_type: &str,
    bytes: &[u8],
) -> Outcome {
    let header = format!("Content-Type: {media_type}\r\n");
    let path = format!("/v2/{repository}/manifests/{reference}");
    Ok((connection.ask("PUT", &path, &header, bytes, Take::Nothing)?.status, 0))
}

/// An image of a config and one small layer; `label` makes it differ from others. Its blobs are pushed.
pub(crate) fn image(connection: &mut Connection, repository: &str, label: &str) -> io::Result<Vec<u8>> {
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","author":"{label}","rootfs":{{"type":"layers","diff_ids":[]}}}}"#
    );
    let layer = noise(label.len() as u64, 1024);
    for blob in [config.as_bytes(), &layer] {
        let (status, _) = push_blob(connection, repository, &digest(blob), blob, Way::Monolithic)?;
        if status != 201 {
            return Err(io::Error::other(format!("a blob was answered with {status}")));
        }
    }
    Ok(manifest(&config, &[(digest(&layer), layer.len())]))
}

/// An image of layers that are there already, by digest and size; its config is pushed.
pub(crate) fn image_of(
    connection: &mut Connection,
    repository: &str,
    layers: &[(String, usize)],
) -> io::Result<Vec<u8>> {
    let config = "{}";
    push_blob(connection, repository, &digest(config.as_bytes()), config.as_bytes(), Way::Monolithic)?;
    Ok(manifest(config, layers))
}

fn manifest(config: &str, layers: &[(String, usize)]) -> Vec<u8> {
    let layers: Vec<String> = layers
        .iter()
        .map(|(digest, size)| {
            format!(
                r#"{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{digest}","size":{size}}}"#
            )
        })
        .collect();
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{}]}}"#,
        digest(config.as_bytes()),
        config.len(),
        layers.join(",")
    )
    .into_bytes()
}

/// An index without children: the smallest manifest there is.
pub(crate) fn empty_index(label: &str) -> Vec<u8> {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[],"annotations":{{"label":"{label}"}}}}"#
    )
    .into_bytes()
}

/// Fetches a blob and insists on its digest.
pub(crate) fn check_blob(connection: &mut Connection, path: &str, digest: &str) -> io::Result<()> {
    let mut hasher = Sha256::new();
    let answer = connection.ask("GET", path, "", &[], Take::Hash(&mut hasher))?;
    let found = digest_of(hasher);
    if answer.status != 200 || found != digest {
        return Err(io::Error::other(format!("{path}: {} with the digest {found}", answer.status)));
    }
    Ok(())
}

fn path(location: Option<String>) -> io::Result<String> {
    let location = location.ok_or_else(|| io::Error::other("an upload without a Location"))?;
    Ok(match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or_else(|| "/".to_owned(), |slash| rest[slash..].to_owned()),
        None => location,
    })
}
