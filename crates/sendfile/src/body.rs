//! A file's range as a stream of placeholders.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::JoinHandle;

use crate::lane::{Lane, WINDOW};
use crate::residency::{Residency, look, warm};

/// What is brought into the page cache before it is sent: the client has its first bytes sooner than with a whole
/// [`WINDOW`].
const WARMED: u64 = 1 << 20;

/// The bytes of a file's range for one connection, a window at a time. Stop at the first error.
///
/// Polled inside a tokio runtime, and only when the window before is on its way, as an HTTP server does.
#[derive(Debug)]
pub struct FileBody {
    lane: Lane,
    file: Arc<File>,
    left: Range<u64>,
    /// What the window before was.
    before: Residency,
    /// The read that brings the next window into the page cache.
    warming: Option<JoinHandle<io::Result<()>>>,
}

impl FileBody {
    pub(crate) fn new(lane: Lane, file: Arc<File>, range: Range<u64>) -> Self {
        Self { lane, file, left: range, before: Residency::Cold, warming: None }
    }

    fn window(&self) -> Range<u64> {
        let most = match self.before {
            Residency::Hot => WINDOW as u64,
            Residency::Cold => WARMED,
        };
        self.left.start..self.left.start.saturating_add(most).min(self.left.end)
    }
}

impl Stream for FileBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let window = self.window();
        if let Some(warming) = &mut self.warming {
            let warmed = ready!(Pin::new(warming).poll(context)).map_err(io::Error::other)?;
            self.warming = None;
            // Under a lack of memory it may be gone again; then sending waits for the disk once.
            warmed?;
        } else if look(&self.file, &window, self.before)? == Residency::Cold {
            self.before = Residency::Cold;
            let (file, part, end) = (Arc::clone(&self.file), self.window(), self.left.end);
            self.warming = Some(tokio::task::spawn_blocking(move || warm(&file, &part, end)));
            return self.poll_next(context);
        } else {
            self.before = Residency::Hot;
        }
        let length = usize::try_from(window.end - window.start).map_err(io::Error::other)?;
        self.left.start = window.end;
        Poll::Ready(Some(Ok(self.lane.enqueue(Arc::clone(&self.file), window.start, length))))
    }
}
