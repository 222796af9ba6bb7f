//! How an upload is taken up again: a small file beside the staged one tells how far it got and the state of
//! its hash.
//!
//! Invariant: the hash handed back covers exactly the bytes of the staged file up to the offset. The side
//! file is not synced and need not be: it counts only under the boot that wrote it, when the kernel still has
//! every write; after a reboot the staged bytes are read back, whatever became of them, and a blob made of
//! damaged ones fails its digest.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

use hythe_oci::{Algorithm, Hasher, UploadId};
use serde::{Deserialize, Serialize};

use super::BlobError;
use super::shelf::Shelf;

const VERSION: u32 = 1;
const READ_BYTES: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct Checkpoint {
    version: u32,
    /// Of the kernel that took the writes.
    boot: String,
    algorithm: Algorithm,
    offset: u64,
    hash: Vec<u8>,
}

/// Writes the checkpoint of an upload, replacing the one before it at once.
pub(super) fn write(shelf: &Shelf, id: &UploadId, hasher: &Hasher, offset: u64) -> Result<(), BlobError> {
    let checkpoint = Checkpoint {
        version: VERSION,
        boot: shelf.boot().to_owned(),
        algorithm: hasher.algorithm(),
        offset,
        hash: hasher.export(),
    };
    let text = serde_json::to_vec(&checkpoint).map_err(io::Error::from)?;
    let draft = shelf.state_draft_path(id);
    fs::write(&draft, text)?;
    fail::fail_point!("checkpoint-before-rename", |kind| Err(super::injected(kind)));
    fs::rename(&draft, shelf.state_path(id))?;
    fail::fail_point!("checkpoint-after-rename", |kind| Err(super::injected(kind)));
    Ok(())
}

/// Opens a staged file with its hash and its length, cut back to the checkpoint if there is a good one;
/// `None` if nothing is staged.
pub(super) fn take_up(shelf: &Shelf, id: &UploadId) -> Result<Option<(File, Hasher, u64)>, BlobError> {
    let Some(file) = shelf.open_staged(id)? else {
        return Ok(None);
    };
    let length = file.metadata()?.len();
    let checkpoint = read(shelf, id);
    let algorithm = checkpoint.as_ref().map_or(Algorithm::Sha256, |known| known.algorithm);
    let trusted = checkpoint
        .filter(|known| known.boot == shelf.boot() && known.offset <= length)
        .and_then(|known| Some((Hasher::restore(known.algorithm, &known.hash).ok()?, known.offset)));
    if let Some((hasher, offset)) = trusted {
        file.set_len(offset)?;
        return Ok(Some((file, hasher, offset)));
    }
    let hasher = hash_file(&file, algorithm, length)?;
    Ok(Some((file, hasher, length)))
}

/// Where the checkpoint stands, else how much is staged.
pub(super) fn progress(shelf: &Shelf, id: &UploadId) -> Result<u64, BlobError> {
    let length = shelf.staged_size(id)?.unwrap_or(0);
    let checkpoint = read(shelf, id).filter(|known| known.boot == shelf.boot() && known.offset <= length);
    Ok(checkpoint.map_or(length, |known| known.offset))
}

/// The checkpoint, if there is one that can be read; anything else only costs reading the staged file back.
fn read(shelf: &Shelf, id: &UploadId) -> Option<Checkpoint> {
    let text = fs::read(shelf.state_path(id)).ok()?;
    serde_json::from_slice(&text).ok().filter(|known: &Checkpoint| known.version == VERSION)
}

/// Hashes the first `length` bytes of a file. A shorter file is an error.
pub(super) fn hash_file(file: &File, algorithm: Algorithm, length: u64) -> Result<Hasher, BlobError> {
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; READ_BYTES.min(usize::try_from(length).unwrap_or(READ_BYTES))];
    let mut offset = 0;
    while offset < length {
        let left = usize::try_from(length - offset).unwrap_or(usize::MAX);
        let window = buffer.len().min(left);
        file.read_exact_at(&mut buffer[..window], offset).map_err(BlobError::reading)?;
        hasher.update(&buffer[..window]);
        offset += window as u64;
    }
    Ok(hasher)
}
