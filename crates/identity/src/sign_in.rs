//! Signing in with a name and a secret: a password, a refresh token, or an access token.
//!
//! Invariants: a password is checked against the hash in the records as they are now. Unknown names cost the same
//! work as known ones and get the same answer. An access token given as password gives no more than it gives as
//! Bearer: its own scopes, or all of its user when it was asked for without scopes, until its own end.

use std::net::IpAddr;
use std::sync::Arc;

use hythe_oci::UserName;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{IdentityError, SignInError, TokenError};
use crate::identity::Identity;
use crate::live_users::Account;
use crate::password::PASSWORD_MAX_BYTES;
use crate::refresh_token::looks_like_refresh_token;
use crate::who::{Caller, Session, User};

/// The user name that goes with a token of any user (Docker's clients write it for credentials without a name).
pub const TOKEN_USER_NAME: &str = "<token>";

/// The most characters of a name that a log line shows; real ones have fewer.
const LOGGED_CHARACTERS: usize = 80;

/// What a secret in the place of a password is.
enum Secret {
    Password,
    RefreshToken,
    AccessToken,
}

impl Secret {
    fn kind(secret: &SecretString) -> Self {
        let text = secret.expose_secret();
        if looks_like_refresh_token(secret) {
            Self::RefreshToken
        } else if text.len() > PASSWORD_MAX_BYTES && text.split('.').count() == 3 {
            // Too long for a password, and the shape of a JSON Web Token, of which ours are always this long.
            Self::AccessToken
        } else {
            Self::Password
        }
    }
}

impl Identity {
    /// Signs a user in as a whole, with a password or a refresh token.
    ///
    /// # Errors
    /// See [`SignInError`]. An access token is [`SignInError::TokenTooNarrow`] here: it proves some scopes only.
    pub async fn sign_in(
        &self,
        name: &str,
        secret: &SecretString,
        from: IpAddr,
    ) -> Result<Arc<User>, SignInError> {
        match Secret::kind(secret) {
            Secret::Password => self.check_password(name, secret, from).await,
            Secret::RefreshToken => named(name, self.redeem_refresh(secret, from).await?),
            Secret::AccessToken => Err(SignInError::TokenTooNarrow),
        }
    }

    /// The session of Basic credentials: a user's whole identity, or the session of an access token that was given
    /// as password.
    ///
    /// With a token the name must be the user's own or [`TOKEN_USER_NAME`].
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn authenticate_basic(
        &self,
        name: &str,
        secret: &SecretString,
        from: IpAddr,
    ) -> Result<Session, SignInError> {
        match Secret::kind(secret) {
            Secret::AccessToken => self.check_access_token(name, secret).await,
            Secret::Password | Secret::RefreshToken => {
                Ok(Session::user(self.sign_in(name, secret, from).await?))
            }
        }
    }

    async fn check_access_token(&self, name: &str, secret: &SecretString) -> Result<Session, SignInError> {
        let session = match self.verify_token(secret.expose_secret()).await {
            Ok(session) => session,
            Err(TokenError::Unavailable(error)) => return Err(SignInError::Unavailable(error)),
            Err(_) => return Err(SignInError::TokenRefused),
        };
        match &session.caller {
            Caller::User(user) if !session.expired => {
                named(name, Arc::clone(user))?;
                Ok(session)
            }
            _ => Err(SignInError::TokenRefused),
        }
    }

    async fn check_password(
        &self,
        name: &str,
        secret: &SecretString,
        from: IpAddr,
    ) -> Result<Arc<User>, SignInError> {
        let user = self.matching_user(name, secret, from).await?;
        if user.is_none() {
            tracing::info!(user = %logged(name), %from, "a sign-in failed");
        }
        user.ok_or(SignInError::WrongCredentials)
    }

    /// The user of this name if the password is right.
    async fn matching_user(
        &self,
        name: &str,
        password: &SecretString,
        from: IpAddr,
    ) -> Result<Option<Arc<User>>, SignInError> {
        // Nobody's, whoever asks: costs nothing and is charged to nobody.
        if password.expose_secret().len() > PASSWORD_MAX_BYTES {
            return Ok(None);
        }
        let account = match UserName::parse(name) {
            Ok(name) => self.inner.users.by_name(&name).await.map_err(IdentityError::from)?,
            // Outside the grammar of names: such a user cannot exist, and is treated like one who does not.
            Err(_) => None,
        };
        let stored = account.as_ref().and_then(|account| account.password_hash.as_ref());
        let stored = stored.map(|hash| hash.0.as_str());
        let owner = account.as_ref().map_or(0, |account| account.user.id.0).to_le_bytes();
        let parts: [&[u8]; 4] =
            [&owner, name.as_bytes(), stored.unwrap_or("").as_bytes(), password.expose_secret().as_bytes()];
        let key = self.inner.fingerprints.of("password", &parts);
        let now = self.inner.store.clock.now();
        let secret = password.expose_secret().as_bytes();
        // Before what is remembered is asked, and nothing is waited for in between: else whoever is refused
        // could go on guessing what somebody else has just signed in with.
        self.inner.throttle.admits(name, secret, from, now)?;
        let verify = async {
            // The charge comes after the share: it makes a bucket, which may push another out, and so must cost
            // whoever causes it a computation.
            let _share = self.inner.shares.take(from).map_err(IdentityError::from)?;
            let attempt = self.inner.throttle.charge(name, secret, from, now)?;
            let matches = self.inner.passwords.matches(stored, password).await;
            // Of a fault nothing was learned about the password, so nothing is owed.
            if !matches!(matches, Ok(false)) {
                attempt.forgive();
            }
            Ok::<_, SignInError>(matches.map_err(IdentityError::from)?)
        };
        let right = self.inner.verified.check(key, now, verify).await?;
        Ok(account.filter(|_| right).map(|Account { user, .. }| user))
    }
}

/// A name as the log shows it: whatever a stranger sends, a line stays a line.
fn logged(name: &str) -> String {
    let shown: String = name.chars().take(LOGGED_CHARACTERS).flat_map(char::escape_debug).collect();
    if name.chars().nth(LOGGED_CHARACTERS).is_some() { shown + "…" } else { shown }
}

/// Lets `user` pass under a name that goes with a token of theirs.
fn named(name: &str, user: Arc<User>) -> Result<Arc<User>, SignInError> {
    if name == TOKEN_USER_NAME || name == user.name.as_str() {
        Ok(user)
    } else {
        Err(SignInError::TokenRefused)
    }
}

#[cfg(test)]
mod tests {
    use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};

    use super::*;
    use crate::options::{HashCost, IdentityOptions};

    #[tokio::test]
    async fn whoever_is_not_checked_pushes_nobody_out_of_the_throttle() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_900_000_000)));
        let locked = DataFolder::lock(folder.path()).unwrap();
        let store = Store::open(&locked, clock, StoreOptions::default()).unwrap();
        let cheap = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
        let options = IdentityOptions { hash_cost: cheap, waiting_checks: 0, ..IdentityOptions::new("test") };
        let identity = Identity::new(store, options).await.unwrap();
        let here = IpAddr::from([192, 0, 2, 1]);
        let sign_in = async |name: &str, password: &str| {
            identity.sign_in(name, &SecretString::from(password), here).await.unwrap_err()
        };
        let long = sign_in("ada", &"x".repeat(PASSWORD_MAX_BYTES + 1)).await;
        assert!(matches!(long, SignInError::WrongCredentials), "{long}");
        let share = identity.inner.shares.take(here).unwrap();
        for number in 0..20 {
            let busy = sign_in(&format!("name {number}"), "a guess").await;
            assert!(matches!(busy, SignInError::Busy), "{busy}");
        }
        assert_eq!(identity.inner.throttle.remembered(), 0);
        drop(share);
        assert!(matches!(sign_in("ada", "a guess").await, SignInError::WrongCredentials));
        assert_eq!(identity.inner.throttle.remembered(), 1);
    }

    #[test]
    fn a_logged_name_is_short_and_on_one_line() {
        assert_eq!(logged("ada"), "ada");
        assert_eq!(logged("a\nb"), "a\\nb");
        let long = logged(&"ä".repeat(60_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LOGGED_CHARACTERS + 1, true));
        assert!(!logged(&"x".repeat(LOGGED_CHARACTERS)).contains('…'));
    }
}
