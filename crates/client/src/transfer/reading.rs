//! Files and pipes as streams: large pieces, read on threads that may wait; and streams that are checked as they go by.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Hasher};

use super::TransferError;
use crate::engine::Archive;
use crate::source::SourceError;
use crate::spare::{Spare, kept};

/// The pieces in which a file is read.
const PIECE: usize = 256 * 1024;

/// The archive in a file.
///
/// # Errors
/// It cannot be opened.
pub fn archive_in_file(path: &Path) -> Result<Archive, TransferError> {
    let file = File::open(path).map_err(|source| SourceError::File { path: path.to_owned(), source })?;
    Ok(archive_from(file))
}

/// The archive that a reader gives, such as standard input.
pub fn archive_from(reader: impl Read + Send + 'static) -> Archive {
    pieces(reader).boxed()
}

/// What a reader gives, in pieces.
pub(super) fn pieces<R: Read + Send + 'static>(reader: R) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((reader, Spare::new()), |(mut reader, spare)| async move {
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = spare.take().unwrap_or_else(|| Vec::with_capacity(PIECE));
            // Pipes give little at a time.
            reader.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
            Ok::<_, io::Error>((kept(piece, &spare), (reader, spare)))
        });
        let (piece, rest) = read.await.map_err(io::Error::other)??;
        Ok((!piece.is_empty()).then_some((piece, rest)))
    })
}

/// A blob from its beginning, whose end is the error that `wrong` makes of its digest unless that is the right one.
pub(super) fn checked<E: Send + 'static>(
    content: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
    digest: Digest,
    wrong: impl Fn(Digest) -> E + Send,
) -> impl Stream<Item = Result<Bytes, E>> + Send {
    let state = (content.boxed(), Hasher::new(digest.algorithm()), wrong);
    stream::try_unfold(state, move |(mut content, mut hasher, wrong)| async move {
        if let Some(piece) = content.try_next().await? {
            hasher.update(&piece);
            return Ok(Some((piece, (content, hasher, wrong))));
        }
        match hasher.finish() {
            received if received == digest => Ok(None),
            received => Err(wrong(received)),
        }
    })
}
