//! Remembers for a few minutes that a password was right, so that ten thousand Basic requests cost one computation.
//!
//! Invariant: the caller's key holds the stored hash of the user's row as it is now. A changed password changes the
//! hash and a deleted user has none to ask with, so neither can meet a remembered answer. A wrong password is
//! remembered for seconds only, so that a client that repeats one costs nothing; an unknown user's as well as a known
//! one's. Equal checks of a right password at the same time run once.

use std::time::Duration;

use hythe_store::Timestamp;
use quick_cache::sync::Cache;

use crate::fingerprint::Fingerprint;

/// Remembered passwords at most; one takes less than 100 bytes.
const CAPACITY: usize = 16_384;

/// How long a wrong password is known to be wrong: as long as repeating it is not charged again.
const WRONG_LIFETIME: Duration = crate::throttle::SAME_SECRET;

/// How far a request may be behind one that overtook it after both read the clock; beyond that the clock was set back.
const OVERTAKEN: Duration = Duration::from_secs(1);

/// The fingerprints of passwords that were right, each with the time of its computation.
pub(crate) struct VerifyCache {
    right: Cache<Fingerprint, Timestamp>,
    wrong: Cache<Fingerprint, Timestamp>,
    lifetime: Duration,
}

/// Why a computation put nothing into the cache.
enum NotRight<E> {
    Wrong,
    Failed(E),
}

impl VerifyCache {
    /// An empty cache whose entries live for `lifetime`.
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self { right: Cache::new(CAPACITY), wrong: Cache::new(CAPACITY), lifetime }
    }

    /// Whether the password behind `key` is right: remembered, or computed by `verify` at the time `now`.
    pub(crate) async fn check<E>(
        &self,
        key: Fingerprint,
        now: Timestamp,
        verify: impl Future<Output = Result<bool, E>>,
    ) -> Result<bool, E> {
        if self
            .wrong
            .get(&key)
            .is_some_and(|checked| checked <= now.plus(OVERTAKEN) && now < checked.plus(WRONG_LIFETIME))
        {
            return Ok(false);
        }
        self.right.remove_if(&key, |checked| !self.is_fresh(*checked, now));
        let entry = self.right.get_or_insert_async(&key, async {
            match verify.await {
                Ok(true) => Ok(now),
                Ok(false) => Err(NotRight::Wrong),
                Err(error) => Err(NotRight::Failed(error)),
            }
        });
        match entry.await {
            Ok(_) => Ok(true),
            Err(NotRight::Wrong) => {
                self.wrong.insert(key, now);
                Ok(false)
            }
            Err(NotRight::Failed(error)) => Err(error),
        }
    }

    /// An entry from the future is stale too: the clock was set back, so its age is unknown.
    fn is_fresh(&self, checked: Timestamp, now: Timestamp) -> bool {
        checked <= now.plus(OVERTAKEN) && now < checked.plus(self.lifetime)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use hythe_store::{Clock as _, ManualClock};

    use super::*;
    use crate::fingerprint::FingerprintKey;

    struct Counted {
        cache: VerifyCache,
        clock: ManualClock,
        key: FingerprintKey,
        computed: AtomicU32,
    }

    impl Counted {
        fn new() -> Self {
            Self {
                cache: VerifyCache::new(Duration::from_mins(5)),
                clock: ManualClock::new(Timestamp::from_secs(1_900_000_000)),
                key: FingerprintKey::new().unwrap(),
                computed: AtomicU32::new(0),
            }
        }

        async fn check(&self, password: &str, right: bool) -> bool {
            let key = self.key.of("password", &[password.as_bytes()]);
            let verify = async {
                self.computed.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
                Ok::<_, Infallible>(right)
            };
            self.cache.check(key, self.clock.now(), verify).await.unwrap()
        }

        fn computed(&self) -> u32 {
            self.computed.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn a_right_password_is_computed_once_per_lifetime() {
        let counted = Counted::new();
        assert!(counted.check("right", true).await);
        counted.clock.advance(Duration::from_secs(299));
        assert!(counted.check("right", true).await);
        assert_eq!(counted.computed(), 1);
        counted.clock.advance(Duration::from_secs(1));
        assert!(counted.check("right", true).await);
        assert_eq!(counted.computed(), 2);
    }

    #[tokio::test]
    async fn a_wrong_password_is_remembered_for_seconds_only() {
        let counted = Counted::new();
        for _ in 0..300 {
            assert!(!counted.check("wrong", false).await);
        }
        assert_eq!(counted.computed(), 1);
        counted.clock.advance(WRONG_LIFETIME);
        assert!(!counted.check("wrong", false).await);
        assert_eq!(counted.computed(), 2);
    }

    #[tokio::test]
    async fn equal_checks_at_the_same_time_run_once() {
        let counted = Counted::new();
        let (one, two, three) = tokio::join!(
            counted.check("right", true),
            counted.check("right", true),
            counted.check("right", true)
        );
        assert!(one && two && three);
        assert_eq!(counted.computed(), 1);
    }

    #[tokio::test]
    async fn an_error_reaches_the_caller() {
        let counted = Counted::new();
        let key = counted.key.of("password", &[b"x"]);
        let failed = counted.cache.check(key, counted.clock.now(), async { Err("disk") }).await;
        assert_eq!(failed, Err("disk"));
    }
}
