//! Slows down guessing: failed sign-ins per (user name, address prefix), each pair with its own bucket.
//!
//! An attempt is charged *before* the password is checked and given back when it was right, so that parallel guesses
//! cannot slip through together. The same secret again within a few seconds is not charged again: containerd tries
//! POST and then GET with the same credentials, and sixty-four parallel pulls are one person. The pair holds the
//! address, so that nobody can lock a user out from elsewhere. Memory is bounded: a fixed number of buckets of
//! fixed size.
//!
//! Not `governor`: it can neither give a charge back nor bound the number of keys.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hythe_store::Timestamp;
use quick_cache::sync::Cache;

use crate::fingerprint::{Fingerprint, FingerprintKey};
use crate::options::ThrottleLimits;

/// Pairs remembered at most. To push one out, a guesser has to pay for this many password computations.
const BUCKETS: usize = 65_536;
/// How long the same secret counts once.
pub(crate) const SAME_SECRET: Duration = Duration::from_secs(10);
/// Different secrets remembered per bucket for [`SAME_SECRET`].
const SECRETS: usize = 16;

/// The buckets of failed sign-ins.
pub(crate) struct Throttle {
    buckets: Cache<Fingerprint, Arc<Mutex<Bucket>>>,
    key: FingerprintKey,
    limits: ThrottleLimits,
}

/// A charged attempt. Dropping it lets the charge stand: a caller who hangs up early has guessed all the same.
#[must_use = "a right password gives its charge back with `forgive`"]
pub(crate) struct Attempt {
    bucket: Arc<Mutex<Bucket>>,
    secret: Fingerprint,
    refill: Duration,
}

/// Too many failures: the next attempt counts after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RetryAfter(pub(crate) Duration);

/// A token bucket in its "theoretical arrival time" form: empty of failures at `full_again`.
struct Bucket {
    full_again: Timestamp,
    recent: Vec<(Fingerprint, Timestamp)>,
}

impl Throttle {
    /// No failures yet.
    pub(crate) fn new(limits: ThrottleLimits, key: FingerprintKey) -> Self {
        Self { buckets: Cache::new(BUCKETS), key, limits }
    }

    /// Whether an attempt to sign in as `name` with `secret` would be taken, or when to try again. Remembers nothing.
    pub(crate) fn admits(
        &self,
        name: &str,
        secret: &[u8],
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), RetryAfter> {
        let pair = self.key.of("pair", &[name.as_bytes(), &prefix(from)]);
        match self.buckets.get(&pair) {
            Some(bucket) => {
                lock(&bucket).due(self.key.of("secret", &[secret]), now, self.limits).map(|_due| ())
            }
            None => Ok(()),
        }
    }

    /// Charges one attempt to sign in as `name` with `secret`, or says when to try again.
    pub(crate) fn charge(
        &self,
        name: &str,
        secret: &[u8],
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Attempt, RetryAfter> {
        let pair = self.key.of("pair", &[name.as_bytes(), &prefix(from)]);
        let secret = self.key.of("secret", &[secret]);
        let bucket = self.bucket(&pair, now);
        let charged = lock(&bucket).charge(secret, now, self.limits);
        charged.map(|()| Attempt { bucket, secret, refill: self.limits.refill })
    }

    /// Pairs remembered now.
    #[cfg(test)]
    pub(crate) fn remembered(&self) -> usize {
        self.buckets.len()
    }

    fn bucket(&self, pair: &Fingerprint, now: Timestamp) -> Arc<Mutex<Bucket>> {
        let fresh = || Arc::new(Mutex::new(Bucket { full_again: now, recent: Vec::new() }));
        let made = self.buckets.get_or_insert_with(pair, || Ok::<_, std::convert::Infallible>(fresh()));
        match made {
            Ok(bucket) => bucket,
            Err(never) => match never {},
        }
    }
}

impl Attempt {
    /// The secret was right, or was never checked: takes the charge back.
    pub(crate) fn forgive(self) {
        lock(&self.bucket).forgive(self.secret, self.refill);
    }
}

impl Bucket {
    /// When the bucket would be empty again after this attempt; `None` if it was charged just now.
    fn due(
        &mut self,
        secret: Fingerprint,
        now: Timestamp,
        limits: ThrottleLimits,
    ) -> Result<Option<Timestamp>, RetryAfter> {
        // Requests side by side read the clock before they come here, so one may be behind a later one. What it
        // shares must not be forgotten on that account: its charge would never be given back.
        self.recent.retain(|(_, at)| *at < now.plus(SAME_SECRET) && now < at.plus(SAME_SECRET));
        if self.recent.iter().any(|(seen, _)| *seen == secret) {
            return Ok(None);
        }
        let allowed = now.plus(limits.refill.saturating_mul(limits.burst.max(1)));
        if self.full_again > allowed {
            // No bucket holds that much: the clock was set back, and nobody shall wait until it is there again.
            self.full_again = now;
        }
        let charged = self.full_again.max(now).plus(limits.refill);
        if charged > allowed {
            return Err(RetryAfter(charged.since(allowed)));
        }
        Ok(Some(charged))
    }

    fn charge(
        &mut self,
        secret: Fingerprint,
        now: Timestamp,
        limits: ThrottleLimits,
    ) -> Result<(), RetryAfter> {
        let Some(charged) = self.due(secret, now, limits)? else { return Ok(()) };
        self.full_again = charged;
        if self.recent.len() == SECRETS {
            self.recent.remove(0);
        }
        self.recent.push((secret, now));
        Ok(())
    }

    /// Gives one charge back, once however many attempts shared it.
    fn forgive(&mut self, secret: Fingerprint, refill: Duration) {
        if let Some(place) = self.recent.iter().position(|(seen, _)| *seen == secret) {
            self.recent.remove(place);
            self.full_again = self.full_again.minus(refill);
        }
    }
}

/// The part of an address that one network usually has for itself: /32 of IPv4, /64 of IPv6.
pub(crate) fn prefix(address: IpAddr) -> [u8; 8] {
    let mut prefix = [0; 8];
    match address.to_canonical() {
        // The high half stays zero, which no IPv6 prefix in use is, so that the two kinds cannot meet.
        IpAddr::V4(v4) => prefix[4..].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => prefix.copy_from_slice(&v6.octets()[..8]),
    }
    prefix
}

/// A bucket stays usable after a panic elsewhere: each change leaves it consistent.
fn lock(bucket: &Mutex<Bucket>) -> std::sync::MutexGuard<'_, Bucket> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hythe_store::{Clock as _, ManualClock};

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    struct Desk {
        throttle: Throttle,
        clock: ManualClock,
    }

    impl Desk {
        fn new() -> Self {
            let throttle = Throttle::new(ThrottleLimits::default(), FingerprintKey::new().unwrap());
            Self { throttle, clock: ManualClock::new(Timestamp::from_secs(1_900_000_000)) }
        }

        fn fail(&self, secret: &str, from: IpAddr) -> Result<(), RetryAfter> {
            self.throttle.charge("ada", secret.as_bytes(), from, self.clock.now()).map(drop)
        }

        fn exhaust(&self) {
            for number in 0..10 {
                self.fail(&format!("guess {number}"), HERE).unwrap();
            }
        }
    }

    #[test]
    fn ten_failures_then_one_every_six_seconds() {
        let desk = Desk::new();
        desk.exhaust();
        assert_eq!(desk.fail("eleven", HERE), Err(RetryAfter(Duration::from_secs(6))));
        desk.clock.advance(Duration::from_secs(4));
        assert_eq!(desk.fail("eleven", HERE), Err(RetryAfter(Duration::from_secs(2))));
        desk.clock.advance(Duration::from_secs(2));
        assert_eq!(desk.fail("eleven", HERE), Ok(()));
        assert!(desk.fail("twelve", HERE).is_err());
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let desk = Desk::new();
        desk.exhaust();
        desk.clock.set(Timestamp::from_secs(1_800_000_000));
        desk.exhaust();
        assert_eq!(desk.fail("eleven", HERE), Err(RetryAfter(Duration::from_secs(6))));
    }

    #[test]
    fn the_same_secret_counts_once_within_seconds() {
        let desk = Desk::new();
        for _ in 0..100 {
            desk.fail("post and get", HERE).unwrap();
        }
        for number in 0..9 {
            desk.fail(&format!("guess {number}"), HERE).unwrap();
        }
        assert!(desk.fail("one more", HERE).is_err());
    }

    #[test]
    fn the_same_secret_counts_again_later() {
        let desk = Desk::new();
        let slow = ThrottleLimits { burst: 2, refill: Duration::from_hours(1) };
        let desk = Desk { throttle: Throttle { limits: slow, ..desk.throttle }, ..desk };
        desk.fail("stale", HERE).unwrap();
        desk.clock.advance(SAME_SECRET);
        desk.fail("stale", HERE).unwrap();
        desk.clock.advance(SAME_SECRET);
        assert!(desk.fail("stale", HERE).is_err());
    }

    #[test]
    fn elsewhere_and_other_names_are_not_locked_out() {
        let desk = Desk::new();
        desk.exhaust();
        assert!(desk.fail("guess", THERE).is_ok());
        assert!(desk.throttle.charge("bob", b"guess", HERE, desk.clock.now()).is_ok());
    }

    #[test]
    fn a_right_password_gives_its_charge_back_once() {
        let desk = Desk::new();
        let charge = || desk.throttle.charge("ada", b"right", HERE, desk.clock.now());
        for _ in 0..50 {
            let (one, two) = (charge().unwrap(), charge().unwrap());
            one.forgive();
            two.forgive();
        }
        desk.exhaust();
        assert!(desk.fail("eleven", HERE).is_err(), "shared charges must not be given back twice");
    }

    #[test]
    fn requests_that_overtake_one_another_cost_a_right_password_nothing() {
        let desk = Desk::new();
        for _ in 0..100 {
            let early = desk.clock.now();
            desk.clock.advance(Duration::from_micros(20));
            let charge = |now| desk.throttle.charge("ada", b"right", HERE, now);
            let late = charge(desk.clock.now()).unwrap();
            let overtaken = charge(early).unwrap();
            late.forgive();
            overtaken.forgive();
        }
        desk.exhaust();
    }

    #[test]
    fn parallel_guesses_are_charged_before_they_are_checked() {
        let desk = Desk::new();
        let now = desk.clock.now();
        let held: Vec<_> = (0..20)
            .map(|number: i32| desk.throttle.charge("ada", &number.to_le_bytes(), HERE, now))
            .filter_map(Result::ok)
            .collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn addresses_of_one_ipv6_network_share_a_bucket() {
        let address = |text: &str| IpAddr::V6(text.parse::<Ipv6Addr>().unwrap());
        assert_eq!(prefix(address("2001:db8:1:2:3::1")), prefix(address("2001:db8:1:2:ffff::2")));
        assert_ne!(prefix(address("2001:db8:1:2::1")), prefix(address("2001:db8:1:3::1")));
        assert_eq!(prefix(address("::ffff:192.0.2.1")), prefix(HERE));
        assert_ne!(prefix(HERE), prefix(THERE));
    }

    #[test]
    fn a_question_remembers_nothing() {
        let desk = Desk::new();
        let admits = |name: &str| desk.throttle.admits(name, b"guess", HERE, desk.clock.now());
        for number in 0..1_000 {
            admits(&format!("name {number}")).unwrap();
        }
        assert_eq!(desk.throttle.remembered(), 0);
        desk.exhaust();
        assert_eq!(admits("ada"), Err(RetryAfter(Duration::from_secs(6))));
        assert!(desk.throttle.admits("ada", b"guess 3", HERE, desk.clock.now()).is_ok(), "charged just now");
    }

    #[test]
    fn a_bucket_remembers_few_secrets() {
        let desk = Desk::new();
        for number in 0..1000 {
            desk.clock.advance(Duration::from_secs(6));
            desk.fail(&number.to_string(), HERE).unwrap();
        }
        let bucket =
            desk.throttle.bucket(&desk.throttle.key.of("pair", &[b"ada", &prefix(HERE)]), desk.clock.now());
        assert!(lock(&bucket).recent.len() <= SECRETS);
    }
}
