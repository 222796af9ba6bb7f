//! Reading a blob and comparing it with its digest on the way.
//!
//! Invariant: the last window, which completes the blob, comes only together with the verdict on the whole, and
//! it is at least 64 KiB (or all of a smaller blob): whoever keeps it back from a corrupt blob has
//! passed on nothing that can be taken for the whole.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hythe_oci::{Digest, Hasher};
use rustix::io::ReadWriteFlags;

use super::read::read_window;
use super::{BlobError, BlobFile, FileState, blocking};

/// Bytes per read.
const WINDOW: u64 = 256 << 10;
/// The last window is at least this long, unless the blob is shorter.
const LEAST_LAST: u64 = 64 << 10;

/// What reading a whole blob back showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The bytes hash to the digest; this is what the file looked like before they were read.
    Intact(FileState),
    /// They do not, or the file has not the recorded size.
    Corrupt,
    /// There is no such file.
    Missing,
    /// Something is there that cannot be opened or read as a file.
    Unreadable,
}

/// One step of a [`Verification`].
#[derive(Debug)]
pub enum Window {
    /// More follow.
    Middle(Bytes),
    /// The end of the blob, and whether all of it hashes to its digest.
    Last(Bytes, bool),
}

/// A blob being read from its beginning to its end.
#[derive(Debug)]
pub struct Verification {
    file: BlobFile,
    digest: Digest,
    progress: Option<(Hasher, u64)>,
    keep_cached: bool,
}

impl Verification {
    pub(super) fn of(file: BlobFile, digest: Digest) -> Self {
        let hasher = Hasher::new(digest.algorithm());
        Self { file, digest, progress: Some((hasher, 0)), keep_cached: true }
    }

    /// Tells the kernel to forget what was read: for reading everything without driving out what
    /// is in use.
    #[must_use]
    pub fn passing_by(mut self) -> Self {
        self.keep_cached = false;
        self
    }

    /// What the file looked like when it was opened.
    pub fn state(&self) -> FileState {
        self.file.state()
    }

    /// Reads and hashes the next window off the async threads. After the last one, or an error, there is none.
    pub async fn next(&mut self) -> Result<Option<Window>, BlobError> {
        let Some((mut hasher, start)) = self.progress.take() else {
            return Ok(None);
        };
        let (file, size, keep_cached) = (Arc::clone(self.file.file()), self.file.size(), self.keep_cached);
        let end = start + window(size - start);
        let (hasher, bytes) = blocking::run(move || {
            let bytes = read_window(&file, &(start..end), BytesMut::new(), ReadWriteFlags::empty())
                .map_err(BlobError::reading)?;
            hasher.update(&bytes);
            if let Some(read) = std::num::NonZeroU64::new(end - start).filter(|_| !keep_cached) {
                // Advice: where it is not taken, the cache fills, and nothing else happens.
                let _ = rustix::fs::fadvise(&*file, start, Some(read), rustix::fs::Advice::DontNeed);
            }
            Ok((hasher, bytes))
        })
        .await?;
        // A seeded defect: the window that should be held back goes out before the verdict.
        fail::fail_point!("defect-last-block-sent", end == size && start < end, |_| {
            self.progress = Some((hasher.clone(), end));
            Ok(Some(Window::Middle(bytes.clone())))
        });
        if end < size {
            self.progress = Some((hasher, end));
            return Ok(Some(Window::Middle(bytes)));
        }
        Ok(Some(Window::Last(bytes, hasher.finish() == self.digest)))
    }
}

/// How long the next window is when so much is left.
fn window(left: u64) -> u64 {
    if left < WINDOW + LEAST_LAST { left } else { WINDOW }
}

#[cfg(test)]
mod tests {
    use super::{LEAST_LAST, WINDOW, window};

    #[test]
    fn the_last_window_is_never_small() {
        for size in [0, 1, LEAST_LAST, WINDOW - 1, WINDOW, WINDOW + 1, WINDOW + LEAST_LAST, 3 * WINDOW + 1] {
            let (mut left, mut last) = (size, 0);
            while left > 0 {
                last = window(left);
                left -= last;
            }
            assert!(last >= LEAST_LAST.min(size), "{size} ends with {last}");
        }
    }
}
