//! When a request is sent again, how often, and after which pause.
//!
//! Invariant: only what may pass by itself is repeated (a connection that broke, a server that is busy or ill for the
//! moment). A refusal, wrong bytes, a certificate that does not verify and a breach of the protocol are final.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use hythe_outbound::{OutboundError, Response, StatusCode, header};
use jiff::fmt::rfc2822;
use jiff::{Timestamp, Zoned};

use crate::RemoteError;

/// How patient a [`Remote`](crate::Remote) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent again at most.
    pub retries: usize,
    /// The first pause; each further one is twice as long, and each is stretched by chance by up to its own length.
    pub first: Duration,
    /// The longest pause, also of those that a registry asks for with `Retry-After`; what asks for more is given up.
    pub longest: Duration,
}

impl RetryPolicy {
    /// Nothing is sent again.
    pub const NONE: Self = Self { retries: 0, first: Duration::ZERO, longest: Duration::ZERO };

    fn pauses(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_jitter()
            .with_min_delay(self.first)
            .with_max_delay(self.longest)
            .with_max_times(self.retries)
            .build()
    }
}

/// Six retries within about a minute.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self { retries: 6, first: Duration::from_millis(300), longest: Duration::from_secs(30) }
    }
}

/// A request that is about to be sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Why, as a sentence.
    pub reason: String,
    /// The pause before it.
    pub delay: Duration,
    /// Which retry of this request it is, from 1.
    pub attempt: usize,
}

/// Hears of every retry.
pub type RetryObserver = Arc<dyn Fn(&Retry) + Send + Sync>;

/// A policy and who hears of it.
#[derive(Clone, Default)]
pub(crate) struct Retries {
    pub(crate) policy: RetryPolicy,
    pub(crate) observer: Option<RetryObserver>,
}

impl Retries {
    /// A fresh count, for one request.
    pub(crate) fn begin(&self) -> Patience<'_> {
        Patience { retries: self, pauses: self.policy.pauses(), attempt: 0 }
    }
}

impl fmt::Debug for Retries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.policy.fmt(f)
    }
}

/// What is left of the patience with one request.
pub(crate) struct Patience<'a> {
    retries: &'a Retries,
    pauses: ExponentialBackoff,
    attempt: usize,
}

impl Patience<'_> {
    /// Waits before the next try, as long as the registry asked for if it did; false when there shall be none.
    pub(crate) async fn wait(&mut self, reason: &str, asked: Option<Duration>) -> bool {
        let Some(own) = self.pauses.next() else { return false };
        let delay = asked.map_or(own, |asked| asked.max(own));
        // Sooner than asked for would only be refused again.
        if asked.is_some_and(|asked| asked > self.retries.policy.longest) {
            return false;
        }
        self.attempt += 1;
        if let Some(observer) = &self.retries.observer {
            observer(&Retry { reason: reason.to_owned(), delay, attempt: self.attempt });
        }
        tokio::time::sleep(delay).await;
        true
    }

    /// Starts over, because something was achieved.
    pub(crate) fn renew(&mut self) {
        *self = self.retries.begin();
    }
}

/// Why this answer or failure may be different next time, and how long the registry asks to wait; `None` if not.
pub(crate) fn passing(outcome: &Result<Response, RemoteError>) -> Option<(String, Option<Duration>)> {
    match outcome {
        Ok(response) if is_passing(response.status()) => {
            let reason = format!("{} answered {}", response.origin(), response.status());
            Some((reason, response.header(&header::RETRY_AFTER).and_then(retry_after)))
        }
        Ok(_) => None,
        Err(error) => is_passing_error(error).then(|| (error.to_string(), None)),
    }
}

/// Whether an exchange that failed so may succeed another time.
pub(crate) fn is_passing_error(error: &RemoteError) -> bool {
    match error {
        RemoteError::Outbound(error) => matches!(
            error,
            OutboundError::Connect { .. } | OutboundError::Timeout { .. } | OutboundError::Broken { .. }
        ),
        RemoteError::Refused(refusal) => StatusCode::from_u16(refusal.status).is_ok_and(is_passing),
        _ => false,
    }
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    // The preferred form of an HTTP date is one of RFC 2822 with the zone GMT.
    let date: Zoned = rfc2822::DateTimeParser::new().parse_zoned(text.trim()).ok()?;
    let left = date.timestamp().duration_since(Timestamp::now());
    Some(left.try_into().unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_may_ask_for_seconds_or_a_date() {
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        let future = retry_after("Fri, 01 Jan 2500 00:00:00 GMT").unwrap();
        assert!(future > Duration::from_hours(24 * 365));
        assert_eq!(retry_after("soon"), None);
        assert_eq!(retry_after("-1"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_and_what_asks_for_too_long_is_given_up() {
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let observer: RetryObserver = Arc::new(move |retry| log.lock().unwrap().push(retry.clone()));
        let retries = Retries { policy: RetryPolicy::default(), observer: Some(observer) };
        let mut patience = retries.begin();
        while patience.wait("it is busy", None).await {}
        let delays: Vec<_> = heard.lock().unwrap().iter().map(|retry| retry.delay).collect();
        assert_eq!(delays.len(), 6);
        assert!(delays.iter().zip(1..).all(|(delay, _)| *delay >= Duration::from_millis(300)));
        assert!(delays.iter().sum::<Duration>() < Duration::from_secs(60), "{delays:?}");
        let mut patience = retries.begin();
        assert!(patience.wait("busy", Some(Duration::from_secs(5))).await);
        assert_eq!(heard.lock().unwrap().last().unwrap().delay, Duration::from_secs(5));
        assert!(!patience.wait("busy", Some(Duration::from_secs(31))).await);
    }
}
