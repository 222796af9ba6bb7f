//! Blobs in a second place: as further names of the same files, or as copies that were compared with their digests
//! on the way.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use hythe_oci::{Digest, UploadId};

use super::shelf::{Shelf, found};
use super::{BlobError, Blobs, FileState, blocking};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// What became of blobs that were to be linked.
#[derive(Debug, Default)]
pub struct Linked {
    /// Those whose files are missing, or are no files.
    pub missing: Vec<Digest>,
    /// The places are on two file systems, or on one that knows no hard links: nothing was linked.
    pub impossible: bool,
}

impl Blobs {
    /// Gives the files of `from` a name here as well, in place of whatever has it. Durable when it answers.
    pub async fn link_all(&self, from: &Blobs, digests: Vec<Digest>) -> Result<Linked, BlobError> {
        let (to, from) = (Arc::clone(&self.shelf), Arc::clone(&from.shelf));
        blocking::run(move || link_all(&to, &from, &digests)).await
    }

    /// Copies a blob of `from`, and compares it with its digest; `None` if it is missing or damaged there.
    pub async fn copy(&self, from: &Blobs, digest: Digest) -> Result<Option<FileState>, BlobError> {
        self.copy_file(from.shelf.blob_path(&digest), digest).await
    }

    /// The same from any file.
    pub(crate) async fn copy_file(
        &self,
        path: PathBuf,
        digest: Digest,
    ) -> Result<Option<FileState>, BlobError> {
        let open = move || Ok(found(File::open(path)).map_err(BlobError::reading)?.map(Arc::new));
        let Some(file) = blocking::run(open).await? else { return Ok(None) };
        let id = own_id(&digest);
        self.discard(id).await?;
        let mut upload = self.begin(id, digest.algorithm()).await?;
        loop {
            let source = Arc::clone(&file);
            let piece = blocking::run(move || {
                let mut piece = Vec::new();
                source.take(PIECE as u64).read_to_end(&mut piece).map_err(BlobError::reading)?;
                Ok(Bytes::from(piece))
            });
            let piece = match piece.await {
                Ok(piece) if piece.is_empty() => break,
                Ok(piece) => piece,
                Err(BlobError::Unreadable(_)) => {
                    drop(upload);
                    self.discard(id).await?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            upload.append(piece).await?;
        }
        let staged = upload.finish().await?;
        if staged.digest() != digest {
            staged.discard().await?;
            return Ok(None);
        }
        let latch = self.latch(&digest).await;
        staged.place(&latch).await.map(Some)
    }
}

/// One copy of a blob is made at a time, under an id of the digest's.
fn own_id(digest: &Digest) -> UploadId {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
        *to = *from;
    }
    UploadId::from_bytes(bytes)
}

fn link_all(to: &Shelf, from: &Shelf, digests: &[Digest]) -> Result<Linked, BlobError> {
    let mut linked = Linked::default();
    let mut changed = BTreeSet::new();
    for digest in digests {
        let source = from.blob_path(digest);
        // A link to whatever else may lie there would be no copy of the blob.
        if !found(fs::symlink_metadata(&source))?.is_some_and(|metadata| metadata.is_file()) {
            linked.missing.push(*digest);
            continue;
        }
        let directory = to.make_directory_of(digest)?;
        match link(to, &source, digest) {
            Ok(()) => {
                changed.insert(directory);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => linked.missing.push(*digest),
            Err(error) if cannot_link(&error) && changed.is_empty() => {
                return Ok(Linked { missing: Vec::new(), impossible: true });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Shelf::sync_all(changed.into_iter())?;
    Ok(linked)
}

/// Links a file to the place of a blob. One that is there already is replaced at once, never missing.
fn link(to: &Shelf, source: &Path, digest: &Digest) -> io::Result<()> {
    let place = to.blob_path(digest);
    match fs::hard_link(source, &place) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        linked => return linked,
    }
    let beside = to.staged_path(&own_id(digest));
    found(fs::remove_file(&beside))?;
    fs::hard_link(source, &beside)?;
    fs::rename(&beside, &place)?;
    // Both names of one file stay where one would take the other's place.
    found(fs::remove_file(&beside)).map(drop)
}

fn cannot_link(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::CrossesDevices
            | ErrorKind::Unsupported
            | ErrorKind::PermissionDenied
            | ErrorKind::TooManyLinks
    )
}
