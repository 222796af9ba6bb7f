//! Password hashes: Argon2id on the blocking pool, a bounded number at a time.
//!
//! Invariant: a check for a user who does not exist, or who has no password, does the same work as one for a user
//! who has: it runs against a decoy that no password matches. So the time of an answer tells nothing about names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{ARGON2ID_IDENT, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::hasher::Hasher;
use crate::options::IdentityOptions;
use crate::random;
use crate::refresh_token::{REFRESH_PREFIX, looks_like_refresh_token};

/// Fewest characters of a new password.
pub const PASSWORD_MIN_CHARACTERS: usize = 8;
/// Most bytes of a password; a longer one is refused before any computation.
pub const PASSWORD_MAX_BYTES: usize = 256;

/// A new password breaks the rule for passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRuleError {
    /// Fewer than [`PASSWORD_MIN_CHARACTERS`] characters.
    #[error("The new password is too short: it needs at least {PASSWORD_MIN_CHARACTERS} characters.")]
    TooShort,
    /// More than [`PASSWORD_MAX_BYTES`] bytes.
    #[error("The new password is too long: it may have at most {PASSWORD_MAX_BYTES} bytes.")]
    TooLong,
    /// It begins like a refresh token, and would be taken for one at sign-in.
    #[error("The new password begins with `{REFRESH_PREFIX}`, as refresh tokens do. Choose another one.")]
    LooksLikeToken,
}

/// A password that keeps the rule for new passwords. Checks of old passwords do not ask for it.
pub(crate) struct NewPassword(SecretString);

impl NewPassword {
    /// Takes `password` if it is neither too short nor too long and cannot be mistaken for a token.
    pub(crate) fn parse(password: &SecretString) -> Result<Self, PasswordRuleError> {
        let text = password.expose_secret();
        if text.len() > PASSWORD_MAX_BYTES {
            return Err(PasswordRuleError::TooLong);
        }
        if text.chars().count() < PASSWORD_MIN_CHARACTERS {
            return Err(PasswordRuleError::TooShort);
        }
        if looks_like_refresh_token(password) {
            return Err(PasswordRuleError::LooksLikeToken);
        }
        Ok(Self(password.clone()))
    }
}

/// A password could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    /// Too many sign-ins wait already.
    #[error(
        "The registry is checking too many passwords at the moment. Nothing is wrong with yours: try again in a second."
    )]
    Busy,
    /// The cost parameters are out of range.
    #[error(
        "The configured cost of password hashing cannot be used: {0}. Correct the setting and start again."
    )]
    Cost(argon2::Error),
    /// The record of a user holds something that is no Argon2 hash, or the computation failed.
    #[error("The stored password hash cannot be used: {0}. Set a new password for this user.")]
    Unusable(argon2::password_hash::Error),
    /// The stored text is no hash in PHC form.
    #[error("The stored password hash cannot be read: {0}. Set a new password for this user.")]
    Unreadable(argon2::password_hash::phc::Error),
    /// The computation was interrupted.
    #[error("The password check was interrupted, most likely because the registry is stopping.")]
    Interrupted(#[from] tokio::task::JoinError),
    /// No random salt.
    #[error(transparent)]
    Random(#[from] random::RandomError),
}

/// Hashes and checks passwords.
pub(crate) struct Passwords {
    hasher: Hasher,
    decoy: PasswordHash,
    /// Running and waiting computations together.
    queue: Arc<Semaphore>,
    /// Running computations.
    slots: Arc<Semaphore>,
    computations: Arc<AtomicU64>,
}

impl Passwords {
    /// Prepares the hasher; no hash is computed.
    pub(crate) fn new(options: &IdentityOptions) -> Result<Self, HashError> {
        let cost = options.hash_cost;
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(HashError::Cost)?;
        let decoy = decoy(&params)?;
        let running = options.concurrent_checks.max(1);
        Ok(Self {
            hasher: Hasher::new(params),
            decoy,
            queue: Arc::new(Semaphore::new(running.saturating_add(options.waiting_checks))),
            slots: Arc::new(Semaphore::new(running)),
            computations: Arc::default(),
        })
    }

    /// The hash of `password` with a fresh salt, in PHC form.
    pub(crate) async fn hash(&self, password: NewPassword) -> Result<String, HashError> {
        self.compute(move |hasher| {
            let hash: PasswordHash =
                hasher.hash_password(password.0.expose_secret().as_bytes()).map_err(HashError::Unusable)?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether `password` is the one behind `stored` (PHC form). `None` does the same work and answers `false`.
    pub(crate) async fn matches(
        &self,
        stored: Option<&str>,
        password: &SecretString,
    ) -> Result<bool, HashError> {
        let hash = match stored {
            Some(text) => PasswordHash::new(text).map_err(HashError::Unreadable)?,
            None => self.decoy.clone(),
        };
        let is_real = stored.is_some();
        let password = password.clone();
        self.compute(move |hasher| match hasher.verify_password(password.expose_secret().as_bytes(), &hash) {
            Ok(()) => Ok(is_real),
            Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => Err(HashError::Unusable(error)),
        })
        .await
    }

    /// How many hashes were computed since the start.
    pub(crate) fn computations(&self) -> u64 {
        self.computations.load(Ordering::Relaxed)
    }

    async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Hasher) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let permits = self.admit().await?;
        let hasher = self.hasher.clone();
        let computations = Arc::clone(&self.computations);
        tokio::task::spawn_blocking(move || {
            // The permits live as long as the computation, also when the caller has gone away.
            let _permits = permits;
            computations.fetch_add(1, Ordering::Relaxed);
            work(&hasher)
        })
        .await?
    }

    async fn admit(&self) -> Result<(OwnedSemaphorePermit, OwnedSemaphorePermit), HashError> {
        let queued = Arc::clone(&self.queue).try_acquire_owned().map_err(|_| HashError::Busy)?;
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| HashError::Busy)?;
        Ok((queued, slot))
    }
}

/// A hash of the given cost that no known password matches: salt and output are random.
fn decoy(params: &Params) -> Result<PasswordHash, HashError> {
    let salt: [u8; 16] = random::bytes()?;
    let output: [u8; Params::DEFAULT_OUTPUT_LEN] = random::bytes()?;
    Ok(PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).map_err(HashError::Unusable)?,
        salt: Some(Salt::new(&salt).map_err(HashError::Unreadable)?),
        hash: Some(Output::new(&output).map_err(HashError::Unreadable)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::HashCost;

    fn cheap() -> IdentityOptions {
        IdentityOptions {
            hash_cost: HashCost { memory_kib: 64, passes: 1, lanes: 1 },
            ..IdentityOptions::new("test")
        }
    }

    fn new_password(text: &str) -> NewPassword {
        NewPassword::parse(&SecretString::from(text)).unwrap()
    }

    #[test]
    fn the_rule_counts_characters_below_and_bytes_above() {
        let parse = |text: String| NewPassword::parse(&SecretString::from(text)).map(|_| ());
        assert_eq!(parse("1234567".into()), Err(PasswordRuleError::TooShort));
        assert_eq!(parse("ééééééé".into()), Err(PasswordRuleError::TooShort));
        assert_eq!(parse("éééééééé".into()), Ok(()));
        assert_eq!(parse("x".repeat(256)), Ok(()));
        assert_eq!(parse("x".repeat(257)), Err(PasswordRuleError::TooLong));
        assert_eq!(parse("hyr_12345678".into()), Err(PasswordRuleError::LooksLikeToken));
    }

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let stored = passwords.hash(new_password("correct horse")).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{stored}");
        assert!(passwords.matches(Some(&stored), &"correct horse".into()).await.unwrap());
        assert!(!passwords.matches(Some(&stored), &"correct horsf".into()).await.unwrap());
    }

    #[tokio::test]
    async fn an_unknown_user_costs_one_computation_of_the_same_parameters() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let stored = passwords.hash(new_password("correct horse")).await.unwrap();
        let before = passwords.computations();
        assert!(!passwords.matches(Some(&stored), &"wrong".into()).await.unwrap());
        assert_eq!(passwords.computations(), before + 1);
        assert!(!passwords.matches(None, &"wrong".into()).await.unwrap());
        assert_eq!(passwords.computations(), before + 2);
        let real = PasswordHash::new(&stored).unwrap();
        assert_eq!(passwords.decoy.params, real.params);
        assert_eq!(passwords.decoy.algorithm, real.algorithm);
        assert_eq!(passwords.decoy.version, real.version);
        let lengths = |hash: &PasswordHash| (hash.salt.unwrap().len(), hash.hash.unwrap().len());
        assert_eq!(lengths(&passwords.decoy), lengths(&real));
    }

    #[tokio::test]
    async fn a_full_queue_answers_busy() {
        let options = IdentityOptions { concurrent_checks: 1, waiting_checks: 0, ..cheap() };
        let passwords = Passwords::new(&options).unwrap();
        let held = passwords.admit().await.unwrap();
        assert!(matches!(passwords.matches(None, &"x".into()).await, Err(HashError::Busy)));
        drop(held);
        assert!(!passwords.matches(None, &"x".into()).await.unwrap());
    }

    #[tokio::test]
    async fn a_damaged_hash_is_an_error_and_not_a_match() {
        let passwords = Passwords::new(&cheap()).unwrap();
        let error = passwords.matches(Some("plain"), &"plain".into()).await.unwrap_err();
        assert!(matches!(error, HashError::Unreadable(_)), "{error}");
    }
}
