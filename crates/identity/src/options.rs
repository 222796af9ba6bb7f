//! The settings of this crate with their defaults and ranges.

use std::time::Duration;

/// How passwords are hashed: the cost parameters of Argon2id (RFC 9106).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashCost {
    /// Memory of one computation in KiB, at least 8 per lane. Default 19,456 (19 MiB).
    pub memory_kib: u32,
    /// Passes over the memory, at least 1. Default 2.
    pub passes: u32,
    /// Lanes, at least 1. Default 1.
    pub lanes: u32,
}

impl Default for HashCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 }
    }
}

/// How many failed sign-ins one user name may have from one address prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThrottleLimits {
    /// Failures at once before further attempts are refused, at least 1. Default 10.
    pub burst: u32,
    /// Time after which one more failure is forgiven. Default 6 s, that is ten per minute.
    pub refill: Duration,
}

impl Default for ThrottleLimits {
    fn default() -> Self {
        Self { burst: 10, refill: Duration::from_secs(6) }
    }
}

/// Settings of [`crate::Identity`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityOptions {
    /// The name of this registry in tokens: issuer and audience. Every replica uses the same one.
    pub service: String,
    /// Cost of one password computation.
    pub hash_cost: HashCost,
    /// Password computations at the same time, at least 1. Default 2.
    pub concurrent_checks: usize,
    /// Sign-ins that may wait for a computation; one more is answered with "busy". Default 64.
    pub waiting_checks: usize,
    /// How long a password that was right needs no new computation. Default 5 min.
    pub verify_lifetime: Duration,
    /// Limits of failed sign-ins.
    pub throttle: ThrottleLimits,
    /// Lifetime of an access token; shorter than `shortest_access_lifetime` is taken as that. Default 300 s.
    pub access_lifetime: Duration,
    /// Clients take a life below a minute as a minute, and a long layer must not outlive its token by much: only tests, which
    /// cannot wait, go below the default of 300 s.
    pub shortest_access_lifetime: Duration,
    /// Lifetime of a refresh token, counted from its making. Default 90 days.
    pub refresh_lifetime: Duration,
}

impl IdentityOptions {
    /// The defaults for a registry called `service` in its tokens.
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            hash_cost: HashCost::default(),
            concurrent_checks: 2,
            waiting_checks: 64,
            verify_lifetime: Duration::from_mins(5),
            throttle: ThrottleLimits::default(),
            access_lifetime: SHORTEST_ACCESS_LIFETIME,
            shortest_access_lifetime: SHORTEST_ACCESS_LIFETIME,
            refresh_lifetime: Duration::from_hours(90 * 24),
        }
    }
}

/// The default of both.
const SHORTEST_ACCESS_LIFETIME: Duration = Duration::from_mins(5);
