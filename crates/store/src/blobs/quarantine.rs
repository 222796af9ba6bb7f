//! Damaged files, moved out of the way of a good copy and kept for the operator.
//!
//! Layout: `quarantine/<algorithm>/<hex>`. Invariant: at most one per digest, so what is kept is bounded by
//! what was stored; nothing is ever served from here.

use std::fs;
use std::io;
use std::path::PathBuf;

use hythe_oci::{Algorithm, Digest};

use super::BlobError;
use super::shelf::{Shelf, found};
use crate::durable;

impl Shelf {
    fn quarantine_path(&self, digest: &Digest) -> PathBuf {
        self.quarantine_dir().join(digest.algorithm().as_str()).join(digest.hex())
    }

    /// Moves whatever lies at a blob's place aside, durably; whether anything was there. An older one of
    /// the digest is replaced.
    pub(super) fn set_aside(&self, digest: &Digest) -> Result<bool, BlobError> {
        let (from, to) = (self.blob_path(digest), self.quarantine_path(digest));
        if found(fs::symlink_metadata(&from))?.is_none() {
            return Ok(false);
        }
        let (Some(source), Some(folder)) = (from.parent(), to.parent()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput).into());
        };
        durable::create_directories(folder)?;
        remove_anything(&to)?;
        fs::rename(&from, &to)?;
        durable::sync_directory(folder)?;
        durable::sync_directory(source)?;
        Ok(true)
    }

    /// The digests whose damaged files are kept.
    pub(super) fn list_quarantine(&self) -> io::Result<Vec<Digest>> {
        let mut digests = Vec::new();
        for algorithm in Algorithm::ALL {
            let folder = self.quarantine_dir().join(algorithm.as_str());
            for entry in found(fs::read_dir(folder))?.into_iter().flatten() {
                let name = entry?.file_name();
                let digest: Option<Digest> =
                    name.to_str().and_then(|hex| format!("{}:{hex}", algorithm.as_str()).parse().ok());
                digests.extend(digest);
            }
        }
        Ok(digests)
    }

    /// The size of a kept damaged file.
    pub(super) fn quarantined_size(&self, digest: &Digest) -> io::Result<u64> {
        Ok(found(fs::symlink_metadata(self.quarantine_path(digest)))?.map_or(0, |metadata| metadata.len()))
    }

    /// Removes a kept damaged file; its size.
    pub(super) fn release_quarantined(&self, digest: &Digest) -> io::Result<u64> {
        let size = self.quarantined_size(digest)?;
        remove_anything(&self.quarantine_path(digest))?;
        Ok(size)
    }
}

fn remove_anything(path: &std::path::Path) -> io::Result<()> {
    match found(fs::symlink_metadata(path))? {
        Some(metadata) if metadata.is_dir() => found(fs::remove_dir_all(path)).map(drop),
        Some(_) => found(fs::remove_file(path)).map(drop),
        None => Ok(()),
    }
}
