//! Signing in with a name and a secret: a password, a refresh token, or an access token.
//!
//! Invariants: a password is checked against the hash in the records as they are now. Unknown names cost the same
//! work as known ones and get the same answer. An access token given as password gives no more than it gives as
//! Bearer: its own scopes, or all of its user when it was asked for without scopes, until its own end.

use std::net::IpAddr;
use std::sync::Arc;

use hythe_oci::UserName;
use hythe_store::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use crate::error::{IdentityError, SignInError, TokenError};
use crate::identity::Identity;
use crate::live_users::Account;
use crate::password::PASSWORD_MAX_BYTES;
use crate::refresh_token::looks_like_refresh_token;
use crate::throttle::RetryAfter;
use crate::who::{Caller, Session, User};

/// The user name that goes with a token of any user (Docker's clients write it for credentials without a name).
pub const TOKEN_USER_NAME: &str = "<token>";

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
        let now = self.inner.store.clock.now();
        let charged = self.inner.throttle.charge(name, secret.expose_secret().as_bytes(), from, now);
        let attempt = charged.map_err(|RetryAfter(retry_after)| SignInError::Throttled { retry_after })?;
        match self.matching_user(name, secret, from, now).await {
            Ok(Some(user)) => {
                attempt.forgive();
                Ok(user)
            }
            Ok(None) => {
                tracing::info!(user = %name.escape_debug(), %from, "a sign-in failed");
                Err(SignInError::WrongCredentials)
            }
            Err(error) => {
                // Nothing was learned about the password, so nothing is owed.
                attempt.forgive();
                Err(error.into())
            }
        }
    }

    /// The user of this name if the password is right.
    async fn matching_user(
        &self,
        name: &str,
        password: &SecretString,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<Option<Arc<User>>, IdentityError> {
        if password.expose_secret().len() > PASSWORD_MAX_BYTES {
            return Ok(None);
        }
        let account = match UserName::parse(name) {
            Ok(name) => self.inner.users.by_name(&name).await?,
            // Outside the grammar of names: such a user cannot exist, and is treated like one who does not.
            Err(_) => None,
        };
        let stored = account.as_ref().and_then(|account| account.password_hash.as_ref());
        let stored = stored.map(|hash| hash.0.as_str());
        let owner = account.as_ref().map_or(0, |account| account.user.id.0).to_le_bytes();
        let parts: [&[u8]; 4] =
            [&owner, name.as_bytes(), stored.unwrap_or("").as_bytes(), password.expose_secret().as_bytes()];
        let key = self.inner.fingerprints.of("password", &parts);
        let verify = async {
            let _share = self.inner.shares.take(from)?;
            self.inner.passwords.matches(stored, password).await
        };
        let right = self.inner.verified.check(key, now, verify).await?;
        Ok(account.filter(|_| right).map(|Account { user, .. }| user))
    }
}

/// Lets `user` pass under a name that goes with a token of theirs.
fn named(name: &str, user: Arc<User>) -> Result<Arc<User>, SignInError> {
    if name == TOKEN_USER_NAME || name == user.name.as_str() {
        Ok(user)
    } else {
        Err(SignInError::TokenRefused)
    }
}
