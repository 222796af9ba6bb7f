//! What was learnt about layers, so that a second push need not read them: which blob a layer became, which layer lies
//! under which path of a docker archive, and what an image's configuration is.
//!
//! A convenience: whatever is missing or unreadable is found out again. Every entry is a file of its own, replaced as a
//! whole, so any number of processes may use one memory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest};
use serde::{Deserialize, Serialize};

use crate::pack::{Compression, Packed};

/// The most bytes of an entry.
const LONGEST: u64 = 4 * 1024 * 1024;

/// A folder of remembered facts. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Memory {
    folder: PathBuf,
}

/// The blob that a layer became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KnownBlob {
    pub(super) digest: Digest,
    pub(super) size: u64,
}

impl Memory {
    /// A memory in this folder, which is made when there is something to remember.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The person's own, below `XDG_CACHE_HOME` or `~/.cache`; `None` where neither is set.
    pub fn of_person() -> Option<Self> {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
        Some(Self::at(cache.join("hythe").join("layers")))
    }

    /// The blob that the layer `diff_id` becomes when it is compressed so.
    pub(super) fn blob(&self, diff_id: &Digest, compression: Compression) -> Option<KnownBlob> {
        serde_json::from_slice(&self.read(&blob_key(diff_id, compression))?).ok()
    }

    pub(super) fn note_blob(&self, packed: &Packed, compression: Compression) {
        let blob = KnownBlob { digest: packed.digest, size: packed.size };
        if let Ok(text) = serde_json::to_vec(&blob) {
            self.write(&blob_key(&packed.diff_id, compression), &text);
        }
    }

    /// The layer that lies under this path of docker archives: docker names the path after everything that is in it.
    pub(super) fn layer_at(&self, path: &str) -> Option<Digest> {
        std::str::from_utf8(&self.read(&path_key(path)?)?).ok()?.parse().ok()
    }

    pub(super) fn note_path(&self, path: &str, diff_id: &Digest) {
        if let Some(key) = path_key(path) {
            self.write(&key, diff_id.to_string().as_bytes());
        }
    }

    /// The configuration of this digest.
    pub(super) fn config(&self, digest: &Digest) -> Option<Bytes> {
        let bytes = self.read(&config_key(digest))?;
        (Digest::of(digest.algorithm(), &bytes) == *digest).then(|| bytes.into())
    }

    pub(super) fn note_config(&self, config: &[u8]) {
        self.write(&config_key(&Digest::of(Algorithm::Sha256, config)), config);
    }

    fn read(&self, key: &str) -> Option<Vec<u8>> {
        let path = self.folder.join(key);
        (fs::metadata(&path).ok()?.len() <= LONGEST).then(|| fs::read(path).ok()).flatten()
    }

    fn write(&self, key: &str, text: &[u8]) {
        if let Err(error) = replace(&self.folder.join(key), text) {
            tracing::debug!(%error, "something learnt about a layer is not remembered");
        }
    }
}

fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("{}.{:x}", std::process::id(), fastrand::u32(..)));
    let placed = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // The first error is the one that counts.
        drop(fs::remove_file(&beside));
    }
    placed
}

fn blob_key(diff_id: &Digest, compression: Compression) -> String {
    // The recipe is part of the key: another one makes other bytes.
    format!("blobs/{}-{}-2", diff_id.hex(), compression.name())
}

fn config_key(digest: &Digest) -> String {
    format!("configs/{}", digest.hex())
}

/// Of the paths that docker names after their content alone.
fn path_key(path: &str) -> Option<String> {
    let id = path.strip_suffix("/layer.tar")?;
    let named = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    named.then(|| format!("paths/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_is_known_and_what_was_spoilt_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let memory = Memory::at(folder.path().join("memory"));
        let (diff_id, digest) = (Digest::of(Algorithm::Sha256, b"a"), Digest::of(Algorithm::Sha256, b"b"));
        assert_eq!(memory.blob(&diff_id, Compression::Gzip), None);
        memory.note_blob(&Packed { diff_id, unpacked: 9, digest, size: 3 }, Compression::Gzip);
        assert_eq!(memory.blob(&diff_id, Compression::Gzip), Some(KnownBlob { digest, size: 3 }));
        assert_eq!(memory.blob(&diff_id, Compression::Zstd), None);
        let path = format!("{}/layer.tar", digest.hex());
        memory.note_path(&path, &diff_id);
        memory.note_path("any/layer.tar", &diff_id);
        assert_eq!((memory.layer_at(&path), memory.layer_at("any/layer.tar")), (Some(diff_id), None));
        memory.note_config(b"{}");
        let config = Digest::of(Algorithm::Sha256, b"{}");
        assert_eq!(memory.config(&config).as_deref(), Some(&b"{}"[..]));
        fs::write(folder.path().join("memory").join(config_key(&config)), "spoilt").unwrap();
        assert_eq!(memory.config(&config), None);
    }
}
