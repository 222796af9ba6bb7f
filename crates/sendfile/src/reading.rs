//! A file's range as the bytes themselves, for a connection that cannot send files.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;

/// What is read at once: it stays in the processor's cache until it is sent.
const PIECE: u64 = 256 << 10;

/// The bytes of a file's range, read a piece at a time on the blocking pool; a file that ends early is an error. Stop at the
/// first one. Polled inside a tokio runtime.
pub fn read(file: Arc<File>, range: Range<u64>) -> BoxStream<'static, io::Result<Bytes>> {
    let pieces = stream::try_unfold((file, range), |(file, left)| async move {
        if left.is_empty() {
            return Ok(None);
        }
        let end = left.end.min(left.start + PIECE);
        let (from, part) = (Arc::clone(&file), left.start..end);
        let read = tokio::task::spawn_blocking(move || piece_of(&from, &part));
        let piece = read.await.map_err(io::Error::other)??;
        Ok(Some((piece, (file, end..left.end))))
    });
    pieces.boxed()
}

/// This part of a file, exactly.
fn piece_of(file: &File, part: &Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
    let mut piece = Vec::with_capacity(length);
    while piece.len() < length {
        let at = part.start + piece.len() as u64;
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
