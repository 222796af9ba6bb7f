//! Trying again: one policy for everything that can be repeated, and word of it to whoever watches.
//!
//! Invariants: only what [`RemoteError::is_retryable`] calls transient is tried again; every wait is bounded
//! by the policy, whatever the registry asks for; and there is an end, unless bytes keep arriving.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use hythe_outbound::OutboundError;

use crate::RemoteError;

/// As long as a registry has never answered, its address may be a slip of the pen: nobody waits a minute to
/// be told so.
const FIRST_CONTACT_ATTEMPTS: u32 = 2;

/// How often and how long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a request is sent in all; 0 means 1. The count begins anew after a transfer has moved on.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles with each, and a random part of up to the same length
    /// is added, so that many clients do not return at once.
    pub first_wait: Duration,
    /// No single wait is longer, not even one that the registry asked for by `Retry-After`.
    pub longest_wait: Duration,
    /// No more than this is waited in all before a request is given up.
    pub patience: Duration,
}

impl RetryPolicy {
    /// Every request is sent once.
    pub const NEVER: Self = Self {
        attempts: 1,
        first_wait: Duration::ZERO,
        longest_wait: Duration::ZERO,
        patience: Duration::ZERO,
    };
}

/// Gives up after about a minute of waiting: eight attempts, the first again after 0.4 to 0.8 seconds.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 8,
            first_wait: Duration::from_millis(400),
            longest_wait: Duration::from_secs(20),
            patience: Duration::from_mins(1),
        }
    }
}

/// A request that is about to be sent again.
#[derive(Clone, Debug)]
pub struct Retry {
    /// What is being done, such as `pull blob sha256:…`.
    pub what: String,
    /// Why the last attempt failed, as a sentence.
    pub reason: String,
    /// How long is waited now.
    pub delay: Duration,
    /// The number of the attempt that failed, from 1.
    pub attempt: u32,
}

pub(crate) type Observer = Arc<dyn Fn(&Retry) + Send + Sync>;

/// The policy and the observer of one [`crate::Remote`].
#[derive(Clone)]
pub(crate) struct Retries {
    pub(crate) policy: RetryPolicy,
    pub(crate) observer: Option<Observer>,
    /// Whether the registry has ever answered; shared by all clones.
    pub(crate) answered: Arc<AtomicBool>,
}

impl Retries {
    pub(crate) fn new() -> Self {
        Self { policy: RetryPolicy::default(), observer: None, answered: Arc::default() }
    }

    /// The counter of attempts at `what`.
    pub(crate) fn attempts(&self, what: impl fmt::Display) -> Attempts {
        let (retries, what) = (self.clone(), what.to_string());
        Attempts { backoff: backoff(&self.policy), attempt: 1, waited: Duration::ZERO, retries, what }
    }
}

fn backoff(policy: &RetryPolicy) -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(policy.first_wait.min(policy.longest_wait))
        .with_max_delay(policy.longest_wait)
        .with_factor(2.0)
        // The attempts are counted here, because they begin anew.
        .without_max_times()
        .with_jitter()
        .build()
}

/// The attempts at one piece of work.
pub(crate) struct Attempts {
    retries: Retries,
    what: String,
    backoff: ExponentialBackoff,
    attempt: u32,
    waited: Duration,
}

impl Attempts {
    /// Whether the work has been tried before.
    pub(crate) fn is_repeated(&self) -> bool {
        self.attempt > 1
    }

    /// Waits until the work may be tried again.
    ///
    /// # Errors
    /// The error itself, when it will not pass or enough has been tried.
    pub(crate) async fn pause(&mut self, error: RemoteError) -> Result<(), RemoteError> {
        if !error.is_retryable() {
            return Err(error);
        }
        self.pause_anyway(error).await
    }

    /// As [`Attempts::pause`], for an error that the caller knows a way around.
    pub(crate) async fn pause_anyway(&mut self, error: RemoteError) -> Result<(), RemoteError> {
        let Some(delay) = self.next_delay(&error) else { return Err(error) };
        if let Some(observer) = &self.retries.observer {
            let (what, reason) = (self.what.clone(), error.to_string());
            observer(&Retry { what, reason, delay, attempt: self.attempt });
        }
        self.attempt += 1;
        self.waited = self.waited.saturating_add(delay);
        // The timer rounds up to a millisecond, which is too long for nothing.
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        Ok(())
    }

    /// The transfer has moved on, so what failed before says nothing about what comes.
    pub(crate) fn moved_on(&mut self) {
        self.backoff = backoff(&self.retries.policy);
        self.attempt = 1;
        self.waited = Duration::ZERO;
    }

    fn next_delay(&mut self, error: &RemoteError) -> Option<Duration> {
        let policy = &self.retries.policy;
        let never_met = !self.retries.answered.load(Ordering::Relaxed)
            && matches!(error, RemoteError::Outbound(OutboundError::Connect { .. }));
        let limit = if never_met { policy.attempts.min(FIRST_CONTACT_ATTEMPTS) } else { policy.attempts };
        if self.attempt >= limit {
            return None;
        }
        let own = self.backoff.next()?;
        let delay = match error.retry_after() {
            // All who were told the same second would return in it.
            Some(asked) => asked.saturating_add(part_of(policy.first_wait)),
            None => own,
        };
        let delay = delay.min(policy.longest_wait);
        (self.waited.saturating_add(delay) <= policy.patience).then_some(delay)
    }
}

/// A random part of `whole`.
fn part_of(whole: Duration) -> Duration {
    whole.mul_f32(fastrand::f32())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;

    fn refused(status: u16, retry_after: Option<u64>) -> RemoteError {
        RemoteError::Refused(Box::new(Refusal {
            origin: "http://r".to_owned(),
            status,
            errors: Vec::new(),
            request_id: None,
            retry_after: retry_after.map(Duration::from_secs),
        }))
    }

    fn delays(policy: RetryPolicy, error: &RemoteError) -> Vec<Duration> {
        let retries = Retries { policy, ..Retries::new() };
        let mut attempts = retries.attempts("test");
        let mut delays = Vec::new();
        while let Some(delay) = attempts.next_delay(error) {
            attempts.attempt += 1;
            attempts.waited += delay;
            delays.push(delay);
        }
        delays
    }

    #[test]
    fn the_default_ends_within_a_minute() {
        for error in [refused(503, None), refused(429, Some(0)), refused(429, Some(u64::MAX))] {
            let delays = delays(RetryPolicy::default(), &error);
            assert!(!delays.is_empty() && delays.len() < 8, "{delays:?}");
            assert!(delays.iter().sum::<Duration>() <= Duration::from_mins(1), "{delays:?}");
        }
        let delays = delays(RetryPolicy::default(), &refused(503, None));
        assert!(delays.iter().sum::<Duration>() >= Duration::from_secs(20), "{delays:?}");
    }

    #[test]
    fn waits_grow_and_a_registry_cannot_stretch_them() {
        let policy = RetryPolicy {
            attempts: 5,
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(3),
            patience: Duration::MAX,
        };
        let own = delays(policy, &refused(503, None));
        assert_eq!(own.len(), 4);
        assert!(own[0] >= Duration::from_secs(1) && own[0] <= Duration::from_secs(2), "{own:?}");
        assert!(own.iter().all(|delay| *delay <= Duration::from_secs(3)), "{own:?}");
        let asked = delays(policy, &refused(429, Some(2)));
        assert!(asked.iter().all(|delay| *delay >= Duration::from_secs(2)), "{asked:?}");
        assert_eq!(delays(policy, &refused(429, Some(3600))), [Duration::from_secs(3); 4]);
    }

    #[test]
    fn a_registry_that_never_answered_is_given_up_soon() {
        let error = RemoteError::Outbound(OutboundError::Connect {
            origin: "http://r".to_owned(),
            reason: "no such host".to_owned(),
        });
        assert_eq!(delays(RetryPolicy::default(), &error).len(), 1);
        assert!(delays(RetryPolicy::NEVER, &refused(503, None)).is_empty());
    }
}
