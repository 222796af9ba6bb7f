//! A file's range as a stream of placeholders.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::Stream;
use tokio::task::JoinHandle;

use crate::lane::{Lane, WINDOW};
use crate::residency::{Residency, look, warm};

/// How much is handed out first, and brought into the page cache at once where it is not there: the other side has its first
/// bytes sooner than with a whole [`WINDOW`].
const FIRST: usize = 1 << 20;

/// The least that is handed out at once, on however slow a line: whoever counts what is taken sees it move.
const LEAST: usize = 256 << 10;

/// About how long a window should take. A longer one costs fewer trips through the server or client; who asks for it counts
/// it as sent.
const BEAT: Duration = Duration::from_millis(50);

/// The bytes of a file's range for one connection, a window at a time. Stop at the first error.
///
/// Polled inside a tokio runtime, and only when the window before is on its way, as an HTTP server does.
#[derive(Debug)]
pub struct FileBody {
    lane: Lane,
    file: Arc<File>,
    left: Range<u64>,
    /// How large the next window may be.
    most: usize,
    /// When the last one was handed out.
    handed: Option<Instant>,
    /// What the window before was.
    before: Residency,
    /// The read that brings the next window into the page cache.
    warming: Option<JoinHandle<io::Result<()>>>,
}

impl FileBody {
    pub(crate) fn new(lane: Lane, file: Arc<File>, range: Range<u64>) -> Self {
        Self { lane, file, left: range, most: FIRST, handed: None, before: Residency::Cold, warming: None }
    }

    fn window(&self) -> Range<u64> {
        let most = match self.before {
            Residency::Hot => self.most,
            Residency::Cold => self.most.min(FIRST),
        };
        self.left.start..self.left.start.saturating_add(most as u64).min(self.left.end)
    }
}

impl Stream for FileBody {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if let Some(handed) = self.handed.take() {
            self.most = at_pace(self.most, handed.elapsed());
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
        self.handed = Some(Instant::now());
        Poll::Ready(Some(Ok(self.lane.enqueue(Arc::clone(&self.file), window.start, length))))
    }
}

/// How large a window may be behind one that might have been so large and took so long.
fn at_pace(before: usize, took: Duration) -> usize {
    let next = if took < BEAT {
        before * 4
    } else if took > 4 * BEAT {
        before / 4
    } else {
        before
    };
    next.clamp(LEAST, WINDOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the windows come to on a line of so many bytes a second.
    fn on_a_line_of(speed: f64) -> usize {
        #[expect(clippy::cast_precision_loss, reason = "a window has less than 2^53 bytes")]
        let took = |window: usize| Duration::from_secs_f64(window as f64 / speed);
        (0..20).fold(FIRST, |window, _| at_pace(window, took(window)))
    }

    #[test]
    fn windows_are_as_large_as_the_line_is_fast() {
        assert_eq!(on_a_line_of(1e3), LEAST);
        assert_eq!(on_a_line_of(1e6), LEAST);
        assert_eq!(on_a_line_of(1e7), 1 << 20);
        assert_eq!(on_a_line_of(5e7), 4 << 20);
        assert_eq!(on_a_line_of(1e10), WINDOW);
    }
}
