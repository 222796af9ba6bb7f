//! The pace of one connection: no client may hold it by sending nothing, or by reading nothing.
//!
//! hyper has one timer for both the wait between requests and the head of a request; here they differ
//! (a kept-alive connection may rest for long, a head that drips in may not), and a client that stops
//! reading its answer is cut too, as is one that takes next to nothing. A wrapped stream ([`Paced`]) and the service report what happens to
//! a shared [`Pace`]; [`Pace::broken`] resolves when a limit is passed. Waiting for a body is timed
//! where the body is read, because only there it is known that the server wants bytes.
//!
//! An HTTP/2 client also sends frames that begin no request (pings, window updates), so on such a
//! connection bytes do not start the clock of a head; the keep-alive time bounds it alone.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use crate::limits::ListenLimits;

/// How an HTTP/2 connection begins (RFC 9113, 3.4); no method of HTTP/1.1 is called so.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// What the peer of a connection is doing, and since when.
#[derive(Debug)]
pub(crate) struct Pace {
    keep_alive: Duration,
    head_time: Duration,
    write_stall: Duration,
    write_rate: u64,
    born: Instant,
    state: Mutex<State>,
    requests: AtomicUsize,
    http2: AtomicBool,
    /// Milliseconds after `born` at which a write first found the peer not reading, plus one; 0 = it reads.
    write_waits_since: AtomicU64,
    /// What the peer has taken since it last had nothing to take, and the milliseconds that were waited for it.
    taken: AtomicU64,
    waited: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing of the next request has come.
    Resting(Instant),
    /// The head of a request has begun to come.
    Head(Instant),
    /// A request is being answered.
    Answering,
}

/// Which limit a client passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// No request came within the keep-alive time: end it politely.
    Idle,
    /// The head of a request did not arrive in time: cut it.
    SlowHead,
    /// The client did not take a byte of its answer in time, or too few over all: cut it.
    SlowReader,
}

/// A request being answered; the connection rests again when the last one is dropped.
#[derive(Debug)]
pub(crate) struct Answering(Arc<Pace>);

impl Pace {
    /// A connection that has just been accepted: its first head is due in the head time.
    pub(crate) fn new(limits: &ListenLimits) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            keep_alive: limits.keep_alive,
            head_time: limits.head_time,
            write_stall: limits.write_stall,
            write_rate: limits.write_rate.max(1),
            born: now,
            state: Mutex::new(State::Head(now)),
            requests: AtomicUsize::new(0),
            http2: AtomicBool::new(false),
            write_waits_since: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            waited: AtomicU64::new(0),
        })
    }

    /// Says that a request has been read and is being answered.
    pub(crate) fn answer(self: &Arc<Self>) -> Answering {
        self.requests.fetch_add(1, Ordering::AcqRel);
        self.set(State::Answering);
        Answering(Arc::clone(self))
    }

    /// Resolves when the client has passed one of its limits.
    pub(crate) async fn broken(&self) -> Broken {
        let shortest =
            self.keep_alive.min(self.head_time).min(self.write_stall).max(Duration::from_millis(1));
        loop {
            let now = Instant::now();
            let limit = self.running_limit();
            if let Some((deadline, broken)) = limit
                && deadline <= now
            {
                return broken;
            }
            // Whatever limit begins to run after this look ends no sooner than the shortest one, so
            // that the next look comes in time.
            let next_look = now + shortest;
            tokio::time::sleep_until(limit.map_or(next_look, |(deadline, _)| deadline.min(next_look))).await;
        }
    }

    /// The limit that is running now and when it ends, if the client is bound by one.
    fn running_limit(&self) -> Option<(Instant, Broken)> {
        let waits_since = self.write_waits_since.load(Ordering::Acquire);
        if waits_since > 0 {
            let since = self.born + Duration::from_millis(waits_since - 1);
            return Some((since + self.write_stall.min(self.patience()), Broken::SlowReader));
        }
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Resting(since) => Some((since + self.keep_alive, Broken::Idle)),
            State::Head(since) => Some((since + self.head_time, Broken::SlowHead)),
            State::Answering => None,
        }
    }

    /// How long this wait may last for a peer that takes next to nothing: the time of a stall, and what the bytes
    /// taken so far would need at the least rate, less what was waited before.
    fn patience(&self) -> Duration {
        let due = Duration::from_secs(self.taken.load(Ordering::Acquire) / self.write_rate);
        (self.write_stall + due).saturating_sub(Duration::from_millis(self.waited.load(Ordering::Acquire)))
    }

    fn set(&self, state: State) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn bytes_came(&self, bytes: &[u8]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            State::Head(_) if bytes.starts_with(HTTP2_PREFACE) => {
                self.http2.store(true, Ordering::Relaxed);
                *state = State::Resting(Instant::now());
            }
            State::Resting(_) if !self.http2.load(Ordering::Relaxed) => *state = State::Head(Instant::now()),
            State::Resting(_) | State::Head(_) | State::Answering => {}
        }
    }

    fn write_waits(&self) {
        let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1;
        // Only the first wait counts: the clock runs until a byte is taken.
        let _ = self.write_waits_since.compare_exchange(0, now, Ordering::AcqRel, Ordering::Acquire);
    }

    fn bytes_went(&self, bytes: usize) {
        self.taken.fetch_add(bytes as u64, Ordering::AcqRel);
        let since = self.write_waits_since.swap(0, Ordering::AcqRel);
        if since > 0 {
            let now = u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.waited.fetch_add(now.saturating_sub(since - 1), Ordering::AcqRel);
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if self.0.requests.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.taken.store(0, Ordering::Release);
            self.0.waited.store(0, Ordering::Release);
            self.0.set(State::Resting(Instant::now()));
        }
    }
}

/// A stream that reports its reads and writes to a [`Pace`].
#[derive(Debug)]
pub(crate) struct Paced<S> {
    stream: S,
    pace: Arc<Pace>,
}

impl<S> Paced<S> {
    /// Watches `stream` for `pace`.
    pub(crate) fn new(stream: S, pace: Arc<Pace>) -> Self {
        Self { stream, pace }
    }

    fn wrote(&self, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &outcome {
            Poll::Pending => self.pace.write_waits(),
            Poll::Ready(written) => self.pace.bytes_went(written.as_ref().map_or(0, |bytes| *bytes)),
        }
        outcome
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if let Some(fresh @ [_, ..]) = buffer.filled().get(before..) {
            self.pace.bytes_came(fresh);
        }
        outcome
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.wrote(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.wrote(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ListenLimits {
        ListenLimits {
            keep_alive: Duration::from_secs(60),
            head_time: Duration::from_secs(15),
            write_stall: Duration::from_secs(30),
            write_rate: 100,
            ..ListenLimits::default()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_first_head_that_never_comes_is_slow() {
        let pace = Pace::new(&limits());
        let start = Instant::now();
        assert_eq!(pace.broken().await, Broken::SlowHead);
        assert_eq!(start.elapsed(), Duration::from_secs(15));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answered_connection_may_rest_for_the_keep_alive_time() {
        let pace = Pace::new(&limits());
        drop(pace.answer());
        let start = Instant::now();
        assert_eq!(pace.broken().await, Broken::Idle);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_drips_in_is_timed_from_its_first_byte() {
        let pace = Pace::new(&limits());
        drop(pace.answer());
        let start = Instant::now();
        // The watch runs all the while, as it does on a connection.
        let drip = async {
            tokio::time::sleep(Duration::from_secs(20)).await;
            loop {
                pace.bytes_came(b"E");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::select! {
            broken = pace.broken() => assert_eq!(broken, Broken::SlowHead),
            () = drip => unreachable!("the drip has no end"),
        }
        assert_eq!(start.elapsed().as_secs(), 35);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_of_an_http_2_connection_begin_no_head() {
        let pace = Pace::new(&limits());
        pace.bytes_came(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        drop(pace.answer());
        pace.bytes_came(b"a window update");
        let start = Instant::now();
        assert_eq!(pace.broken().await, Broken::Idle);
        assert_eq!(start.elapsed(), Duration::from_secs(60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_answer_is_not_idle() {
        let pace = Pace::new(&limits());
        let answering = pace.answer();
        assert!(tokio::time::timeout(Duration::from_secs(600), pace.broken()).await.is_err());
        drop(answering);
        assert_eq!(pace.broken().await, Broken::Idle);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_reads_nothing_is_cut() {
        let pace = Pace::new(&limits());
        let start = Instant::now();
        let answer = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let answering = pace.answer();
            pace.write_waits();
            std::future::pending::<()>().await;
            drop(answering);
        };
        tokio::select! {
            broken = pace.broken() => assert_eq!(broken, Broken::SlowReader),
            () = answer => unreachable!("the answer has no end"),
        }
        assert_eq!(start.elapsed().as_secs(), 31);

        let _answering = pace.answer();
        pace.bytes_went(1);
        assert!(tokio::time::timeout(Duration::from_secs(600), pace.broken()).await.is_err());
    }

    /// Takes so many bytes every ten seconds, and waits in between.
    async fn takes(pace: &Arc<Pace>, bytes: usize) {
        let _answering = pace.answer();
        loop {
            pace.write_waits();
            tokio::time::sleep(Duration::from_secs(10)).await;
            pace.bytes_went(bytes);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_drip_is_cut_though_it_never_stands_still_for_long() {
        let pace = Pace::new(&limits());
        let start = Instant::now();
        tokio::select! {
            broken = pace.broken() => assert_eq!(broken, Broken::SlowReader),
            () = takes(&pace, 10) => unreachable!("the answer has no end"),
        }
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_within_the_rate_may_take_for_ever() {
        let pace = Pace::new(&limits());
        let day = Duration::from_hours(24);
        let both = futures_util::future::select(Box::pin(pace.broken()), Box::pin(takes(&pace, 1_001)));
        assert!(tokio::time::timeout(day, both).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_of_one_answer_buys_nothing_for_the_next() {
        let pace = Pace::new(&limits());
        drop(pace.answer());
        pace.bytes_went(1_000_000);
        drop(pace.answer());
        let start = Instant::now();
        tokio::select! {
            broken = pace.broken() => assert_eq!(broken, Broken::SlowReader),
            () = takes(&pace, 10) => unreachable!("the answer has no end"),
        }
        assert_eq!(start.elapsed().as_secs(), 30);
    }
}
