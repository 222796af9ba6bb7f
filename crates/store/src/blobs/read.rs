//! Reading a blob: windows read ahead on the blocking pool, a bounded number of them.
//!
//! Invariants: never more than three windows in memory per reader, never a byte outside the asked range, and
//! a file that ends early is an error, never a short success. A slow reader holds windows, not threads: with
//! a thread per reader a few hundred slow ones would stop every other file operation.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{BoxStream, Stream, StreamExt};

/// Bytes per read: larger ones gain little, smaller ones cost many trips to the pool.
const WINDOW: u64 = 256 << 10;
/// Windows being read while one is sent.
const AHEAD: usize = 2;

/// An open blob. It stays readable after the blob is removed.
#[derive(Debug, Clone)]
pub struct BlobFile {
    file: Arc<File>,
    size: u64,
}

impl BlobFile {
    pub(super) fn of(file: File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), size })
    }

    /// Its length in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes of `range` in windows of at most 256 KiB. Nothing is read before the stream is polled.
    /// A range that reaches behind the end yields [`io::ErrorKind::UnexpectedEof`] there.
    pub fn read(&self, range: Range<u64>) -> BlobStream {
        let file = Arc::clone(&self.file);
        let windows = windows(range).map(move |window| {
            let file = Arc::clone(&file);
            let read = tokio::task::spawn_blocking(move || read_window(&file, window));
            async move { read.await.map_err(io::Error::other)? }
        });
        BlobStream(futures_util::stream::iter(windows).buffered(AHEAD).boxed())
    }
}

/// The bytes of a blob's range, in order. Stop at the first error.
pub struct BlobStream(BoxStream<'static, io::Result<Bytes>>);

impl Stream for BlobStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
    }
}

impl std::fmt::Debug for BlobStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BlobStream")
    }
}

fn windows(range: Range<u64>) -> impl Iterator<Item = Range<u64>> + Send {
    let mut next = range.start;
    std::iter::from_fn(move || {
        let start = next;
        next = start.saturating_add(WINDOW).min(range.end);
        (start < range.end).then_some(start..next)
    })
}

fn read_window(file: &File, window: Range<u64>) -> io::Result<Bytes> {
    let wanted = usize::try_from(window.end - window.start).map_err(io::Error::other)?;
    // Into spare capacity: zeroing first would cost as much as the copy.
    let mut bytes = Vec::with_capacity(wanted);
    while bytes.len() < wanted {
        let at = window.start + bytes.len() as u64;
        // The allocator may give more room than asked for; what is read behind the window is cut off below.
        match rustix::io::pread(file, rustix::buffer::spare_capacity(&mut bytes), at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bytes.truncate(wanted);
    Ok(Bytes::from(bytes))
}
