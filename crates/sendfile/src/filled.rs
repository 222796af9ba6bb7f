//! Placeholders turned into the bytes they stand for, for a connection that cannot send files.

use std::fs::File;
use std::io;

use bytes::{Buf as _, Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::lane::Lane;

/// What is read at once: it stays in the processor's cache until it is sent.
const PIECE: usize = 256 << 10;

impl Lane {
    /// The same stream, with the bytes themselves in place of this lane's placeholders; other bytes go through. One
    /// piece is in memory at a time. Polled inside a tokio runtime.
    pub fn filled(
        &self,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let state = (Box::pin(content), self.clone(), Bytes::new());
        stream::try_unfold(state, |(mut content, lane, mut left)| async move {
            if left.is_empty() {
                match content.next().await.transpose()? {
                    Some(next) => left = next,
                    None => return Ok(None),
                }
            }
            let length = left.len().min(PIECE);
            let Some(part) = lane.part_of(&left[..length]) else {
                return Ok(Some((std::mem::take(&mut left), (content, lane, left))));
            };
            let (file, offset) = part?;
            let read = tokio::task::spawn_blocking(move || piece_of(&file, offset, length));
            let piece = read.await.map_err(io::Error::other)??;
            lane.sent(length);
            left.advance(length);
            Ok(Some((piece, (content, lane, left))))
        })
    }
}

/// So many bytes of a file, exactly.
fn piece_of(file: &File, offset: u64, length: usize) -> io::Result<Bytes> {
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let at = offset + piece.len() as u64;
        match rustix::io::pread(file, spare_capacity(&mut piece), at) {
            Ok(0) => {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a file ended before its part did"));
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // More may have fitted in.
    piece.truncate(length);
    Ok(piece.into())
}
