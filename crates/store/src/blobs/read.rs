//! Reading a blob: one window at a time, out of the page cache where it is there, else on the blocking pool.
//!
//! Invariants: one window in memory per reader, never a byte outside the asked range, and a file that ends
//! early is an error, never a short success. A slow reader holds a window, not a thread: with a thread per
//! reader a few hundred slow ones would stop every other file operation.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use futures_util::stream::Stream;
use hythe_oci::Digest;
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use tokio::task::JoinHandle;

use super::{FileState, Verification};

/// Bytes per read: larger ones gain little, smaller ones cost many calls.
const WINDOW: u64 = 256 << 10;

/// How much behind a window that is not in the page cache the kernel is asked to read meanwhile.
const AHEAD: u64 = 2 << 20;

/// An open blob. It stays readable after the blob is removed.
#[derive(Debug, Clone)]
pub struct BlobFile {
    file: Arc<File>,
    state: FileState,
}

impl BlobFile {
    pub(super) fn of(file: File, state: FileState) -> Self {
        Self { file: Arc::new(file), state }
    }

    /// Its length in bytes when it was opened.
    pub fn size(&self) -> u64 {
        self.state.size
    }

    /// What it looked like when it was opened.
    pub fn state(&self) -> FileState {
        self.state
    }

    /// Reads it from the beginning to the end and compares it with its digest on the way.
    pub fn verification(&self, digest: Digest) -> Verification {
        Verification::of(self.clone(), digest)
    }

    /// The open file, for a sender that needs no bytes in memory. It is opened for reading only.
    pub fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// The bytes of `range` in windows of at most 256 KiB. Nothing is read before the stream is polled, which
    /// must happen inside a tokio runtime. A range that reaches behind the end yields
    /// [`io::ErrorKind::UnexpectedEof`] there.
    pub fn read(&self, range: Range<u64>) -> BlobStream {
        BlobStream { file: Arc::clone(&self.file), left: range, last: Bytes::new(), reading: None }
    }
}

/// The bytes of a blob's range, in order. Stop at the first error.
#[derive(Debug)]
pub struct BlobStream {
    file: Arc<File>,
    left: Range<u64>,
    /// The window given out last: once it is sent, its memory takes the next one.
    last: Bytes,
    /// The read of the next window, when it has to wait for the disk.
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Stream for BlobStream {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let window = self.left.start..self.left.start.saturating_add(WINDOW).min(self.left.end);
        let bytes = if let Some(reading) = &mut self.reading {
            let read = ready!(Pin::new(reading).poll(context));
            self.reading = None;
            read.map_err(io::Error::other)??
        } else {
            let buffer = std::mem::take(&mut self.last).try_into_mut().unwrap_or_default();
            match read_window(&self.file, &window, buffer, ReadWriteFlags::NOWAIT) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let (file, end) = (Arc::clone(&self.file), self.left.end);
                    self.reading = Some(tokio::task::spawn_blocking(move || {
                        read_ahead(&file, &window, end);
                        read_window(&file, &window, BytesMut::new(), ReadWriteFlags::empty())
                    }));
                    return self.poll_next(context);
                }
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        };
        self.last = bytes.clone();
        self.left.start = window.end;
        Poll::Ready(Some(Ok(bytes)))
    }
}

/// Asks the kernel for what follows a window. Only a hint: without it the next windows take longer.
fn read_ahead(file: &File, window: &Range<u64>, end: u64) {
    let length = window.end.saturating_add(AHEAD).min(end) - window.start;
    let _ = rustix::fs::fadvise(file, window.start, NonZeroU64::new(length), Advice::WillNeed);
}

/// Reads all of a window. [`io::ErrorKind::WouldBlock`] if the flags forbid to wait for the disk and some of it
/// is not in memory, or the file system cannot tell.
pub(super) fn read_window(
    file: &File,
    window: &Range<u64>,
    mut bytes: BytesMut,
    flags: ReadWriteFlags,
) -> io::Result<Bytes> {
    let wanted = usize::try_from(window.end - window.start).map_err(io::Error::other)?;
    bytes.resize(wanted, 0);
    let mut filled = 0;
    while filled < wanted {
        let at = window.start + filled as u64;
        let rest = &mut bytes[filled..];
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(rest)], at, flags) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(Errno::INTR) => {}
            Err(Errno::OPNOTSUPP) => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(bytes.freeze())
}
