//! Standard error, written a batch of lines at a time.
//!
//! A busy server logs tens of thousands of requests a second, and a system call for each is a good part of
//! what it does for a small one. Lines are gathered for [`PAUSE`] and then written by a thread of the sink's.
//! A warning or an error, and everything before it, is written before the call that logs it returns; so is a
//! batch of [`BATCH_BYTES`], so that a log nobody reads holds the server up rather than fill its memory.
//! A killed process loses the informational lines of its last moment.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line may wait for others.
const PAUSE: Duration = Duration::from_millis(50);

/// The size of a batch that waits no longer, in bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// Gathers whole lines for `W`.
#[derive(Debug)]
pub(super) struct Sink<W>(Arc<Shared<W>>);

#[derive(Debug)]
struct Shared<W> {
    gathered: Mutex<Vec<u8>>,
    some_gathered: Condvar,
    /// Locked before `gathered` is taken from, so that batches leave in the order of their lines.
    out: Mutex<Out<W>>,
}

#[derive(Debug)]
struct Out<W> {
    to: W,
    /// The batch that is being written; kept for its memory.
    batch: Vec<u8>,
}

/// Writes what is gathered when it is dropped: held to the end of the program.
#[must_use]
pub(crate) struct LogEnd(Box<dyn Fn()>);

/// The writer of one line.
#[derive(Debug)]
pub(super) struct Line<'a, W: Write> {
    shared: &'a Shared<W>,
    urgent: bool,
}

impl<W: Write + Send + 'static> Sink<W> {
    /// A sink into `to` and its thread.
    pub(super) fn start(to: W) -> io::Result<(Self, LogEnd)> {
        let shared = Arc::new(Shared {
            gathered: Mutex::default(),
            some_gathered: Condvar::new(),
            out: Mutex::new(Out { to, batch: Vec::new() }),
        });
        let (writer, end) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || {
            loop {
                writer.wait_for_lines();
                thread::sleep(PAUSE);
                writer.flush();
            }
        })?;
        Ok((Self(shared), LogEnd(Box::new(move || end.flush()))))
    }
}

impl<W: Write> Shared<W> {
    fn wait_for_lines(&self) {
        let mut gathered = locked(&self.gathered);
        while gathered.is_empty() {
            gathered = self.some_gathered.wait(gathered).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(&self, line: &[u8], urgent: bool) {
        let mut gathered = locked(&self.gathered);
        let first = gathered.is_empty();
        gathered.extend_from_slice(line);
        let full = gathered.len() >= BATCH_BYTES;
        drop(gathered);
        if urgent || full {
            self.flush();
        } else if first {
            self.some_gathered.notify_one();
        }
    }

    fn flush(&self) {
        let mut out = locked(&self.out);
        let Out { to, batch } = &mut *out;
        mem::swap(&mut *locked(&self.gathered), batch);
        // A log that cannot be written has nowhere to be complained about.
        drop(to.write_all(batch));
        batch.clear();
    }
}

/// A thread that panicked in between left whole lines behind.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<'a, W: Write + 'a> MakeWriter<'a> for Sink<W> {
    type Writer = Line<'a, W>;

    fn make_writer(&'a self) -> Line<'a, W> {
        Line { shared: &self.0, urgent: true }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Line<'a, W> {
        Line { shared: &self.0, urgent: *metadata.level() <= Level::WARN }
    }
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.shared.add(line, self.urgent);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogEnd {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers what it was given, a call at a time.
    #[derive(Clone, Default)]
    struct Given(Arc<Mutex<Vec<String>>>);

    impl Write for Given {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !bytes.is_empty() {
                locked(&self.0).push(String::from_utf8_lossy(bytes).into_owned());
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Given {
        fn calls(&self) -> Vec<String> {
            locked(&self.0).clone()
        }
    }

    #[test]
    fn an_urgent_line_takes_those_before_it_along() {
        let given = Given::default();
        let (sink, _end) = Sink::start(given.clone()).unwrap();
        sink.0.add(b"one\n", false);
        sink.0.add(b"two\n", true);
        assert_eq!(given.calls().concat(), "one\ntwo\n", "written before the call returned");
    }

    #[test]
    fn the_end_writes_what_is_left() {
        let given = Given::default();
        let (sink, end) = Sink::start(given.clone()).unwrap();
        sink.0.add(b"last\n", false);
        drop(end);
        assert_eq!(given.calls().concat(), "last\n");
    }

    #[test]
    fn a_line_alone_is_written_by_the_thread() {
        let given = Given::default();
        let (sink, _end) = Sink::start(given.clone()).unwrap();
        sink.0.add(b"alone\n", false);
        while given.calls().is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(given.calls(), ["alone\n"]);
    }

    #[test]
    fn memory_is_bounded_by_a_batch_and_a_line() {
        let given = Given::default();
        let (sink, end) = Sink::start(given.clone()).unwrap();
        let line = [b'x'; 1000];
        for _ in 0..1000 {
            sink.0.add(&line, false);
            assert!(locked(&sink.0.gathered).len() < BATCH_BYTES);
        }
        drop(end);
        assert_eq!(given.calls().concat().len(), 1_000_000);
    }

    #[test]
    fn the_order_of_lines_survives_many_threads() {
        let given = Given::default();
        let (sink, end) = Sink::start(given.clone()).unwrap();
        thread::scope(|scope| {
            for thread in 0..4 {
                let sink = &sink;
                scope.spawn(move || {
                    for number in 0..2_000 {
                        sink.0.add(format!("{thread} {number}\n").as_bytes(), number % 97 == 0);
                    }
                });
            }
        });
        drop(end);
        let text = given.calls().concat();
        for thread in 0..4 {
            let prefix = format!("{thread} ");
            let numbers: Vec<u32> =
                text.lines().filter_map(|line| line.strip_prefix(&prefix)?.parse().ok()).collect();
            assert_eq!(numbers, (0..2_000).collect::<Vec<_>>());
        }
    }
}
