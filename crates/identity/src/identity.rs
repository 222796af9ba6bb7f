//! The one value the other rooms hold: everything that is needed to tell who is asking.

use std::sync::Arc;
use std::time::Duration;

use hythe_store::Store;

use crate::access_token::AccessTokens;
use crate::error::IdentityError;
use crate::fingerprint::FingerprintKey;
use crate::live_users::LiveUsers;
use crate::options::IdentityOptions;
use crate::password::Passwords;
use crate::shares::Shares;
use crate::signing_key::SigningKey;
use crate::throttle::Throttle;
use crate::verify_cache::VerifyCache;

/// Passwords, tokens and users of one store. A clone is the same thing again.
///
/// Its functions are spread over the files of this crate, each with its subject: `sign_in`, `sessions`,
/// `refresh_token`, `users`.
#[derive(Clone)]
pub struct Identity {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) users: LiveUsers,
    pub(crate) passwords: Passwords,
    pub(crate) shares: Shares,
    pub(crate) verified: VerifyCache,
    pub(crate) throttle: Throttle,
    pub(crate) fingerprints: FingerprintKey,
    pub(crate) access_tokens: AccessTokens,
    pub(crate) access_lifetime: Duration,
    pub(crate) refresh_lifetime: Duration,
}

impl Identity {
    /// Reads the signing key from the store, or makes it on the first start.
    ///
    /// # Errors
    /// Fails when the records cannot be used, the key in them is damaged, the hash cost is out of range, or the
    /// operating system gives no random bytes.
    pub async fn new(store: Store, options: IdentityOptions) -> Result<Self, IdentityError> {
        let key = SigningKey::load(&store).await?;
        let inner = Inner {
            users: LiveUsers::new(&store.records),
            passwords: Passwords::new(&options)?,
            // A quarter of the places: four networks must conspire to keep everybody out.
            shares: Shares::new(options.concurrent_checks.saturating_add(options.waiting_checks) / 4),
            verified: VerifyCache::new(options.verify_lifetime),
            throttle: Throttle::new(options.throttle, FingerprintKey::new()?),
            fingerprints: FingerprintKey::new()?,
            access_tokens: AccessTokens::new(&options.service, &key),
            access_lifetime: options.access_lifetime.max(options.shortest_access_lifetime),
            refresh_lifetime: options.refresh_lifetime,
            store,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many password hashes were computed since the start: the cost of all sign-ins so far.
    pub fn password_computations(&self) -> u64 {
        self.inner.passwords.computations()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Identity")
    }
}
