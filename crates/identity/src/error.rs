//! What can go wrong, in sentences that a person at a terminal can act on. None of them tells whether a user exists
//! to somebody who could not sign in as that user.

use std::time::Duration;

use hythe_oci::UserName;
use hythe_store::RecordError;

use crate::password::{HashError, PasswordRuleError};
use crate::random::RandomError;
use crate::throttle::RetryAfter;

/// The service itself could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The records could not be read or written.
    #[error("The records of users cannot be read or written: {0}.")]
    Records(#[from] RecordError),
    /// A password could not be hashed or checked.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A new password breaks the rule.
    #[error(transparent)]
    Rule(#[from] PasswordRuleError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The key in the records has the wrong size.
    #[error(
        "The signing key in the records is damaged. Restore the records from a backup, or delete the secret \
         `{secret}` there: all access tokens then end, and clients fetch new ones."
    )]
    DamagedKey {
        /// The name of the secret in the records.
        secret: &'static str,
    },
    /// An access token could not be signed.
    #[error("An access token could not be signed: {0}.")]
    Signing(#[source] jsonwebtoken::errors::Error),
    /// The account or the token that asked is gone meanwhile.
    #[error("The sign-in that asked for this token has ended meanwhile. Sign in again.")]
    Ended,
}

impl IdentityError {
    /// The records' own error, if that is why.
    pub fn records(&self) -> Option<&RecordError> {
        match self {
            Self::Records(error) => Some(error),
            _ => None,
        }
    }
}

/// Somebody could not sign in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name or password are wrong; it does not say which.
    #[error(
        "The user name or the password is wrong. Check both (names are in lower case), or ask an administrator of \
         this registry to set a new password."
    )]
    WrongCredentials,
    /// A token was given as password and is not accepted.
    #[error(
        "The token given as password is not accepted: it has expired, was revoked, or belongs to another user. \
         Sign in again with your password to get a new one."
    )]
    TokenRefused,
    /// An access token was given where only a whole identity will do.
    #[error(
        "An access token holds only some of your rights and cannot be used here. Use your password or a refresh token."
    )]
    TokenTooNarrow,
    /// Too many failures for this user from this network.
    #[error(
        "Too many failed sign-ins for this user from your network. Wait {} s, then try again with the right password.",
        whole_seconds(*retry_after)
    )]
    Throttled {
        /// When the next attempt counts.
        retry_after: Duration,
    },
    /// Too many sign-ins at once.
    #[error(
        "The registry is checking too many passwords at the moment. Nothing is wrong with yours: try again in a second."
    )]
    Busy,
    /// The service could not do its work.
    #[error(
        "The sign-in could not be checked because of a fault in the registry. Try again; if it stays, tell an administrator."
    )]
    Unavailable(#[source] IdentityError),
}

impl From<IdentityError> for SignInError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Hash(HashError::Busy) => Self::Busy,
            other => Self::Unavailable(other),
        }
    }
}

impl From<RetryAfter> for SignInError {
    fn from(RetryAfter(retry_after): RetryAfter) -> Self {
        Self::Throttled { retry_after }
    }
}

/// The time rounded up: whoever waits this long is not refused for a fraction.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}

impl SignInError {
    /// Whole seconds after which it makes sense to try again, for `Retry-After`; `None` when waiting does not help.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after } => Some(whole_seconds(*retry_after).max(1)),
            Self::Busy => Some(1),
            _ => None,
        }
    }
}

/// A Bearer token is not accepted. All but [`TokenError::Unavailable`] are `invalid_token` of RFC 6750; the
/// sentence serves as its description.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It is no token of the kind made here.
    #[error("The token cannot be read: it is not an access token of this registry. Fetch a new one.")]
    Malformed,
    /// A refresh token was shown where an access token belongs.
    #[error("A refresh token is not accepted here. Exchange it at the token service for an access token.")]
    RefreshToken,
    /// The signature does not hold under the key of this registry.
    #[error(
        "The signature of the token does not hold: it was altered, or made by another registry. Fetch a new one."
    )]
    Signature,
    /// Made by or for another service.
    #[error("The token was made for another service. Fetch one from the token service of this registry.")]
    OtherService,
    /// Its time has not come.
    #[error("The token is not valid yet. If this stays, compare the clocks of the registry's machines.")]
    NotYet,
    /// The user is gone or the password was changed after the token was made.
    #[error("The token was revoked: its account was removed or its password changed. Sign in again.")]
    Revoked,
    /// The service could not do its work.
    #[error(
        "The token could not be checked because of a fault in the registry. Try again; if it stays, tell an administrator."
    )]
    Unavailable(#[source] IdentityError),
}

/// An order about a user's account could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name is taken.
    #[error(
        "There is a user called `{0}` already. Choose another name, or set a new password for that user."
    )]
    Exists(UserName),
    /// No such user.
    #[error("There is no user called `{0}`.")]
    Missing(UserName),
    /// The last administrator cannot go.
    #[error(
        "`{0}` is the only administrator and cannot be deleted. Make another administrator first, then delete this one."
    )]
    LastAdministrator(UserName),
    /// The password breaks the rule.
    #[error(transparent)]
    Rule(#[from] PasswordRuleError),
    /// Too many passwords are being computed.
    #[error("The registry is checking too many passwords at the moment. Try again in a second.")]
    Busy,
    /// The service could not do its work.
    #[error(transparent)]
    Unavailable(IdentityError),
}

impl From<IdentityError> for AccountError {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Hash(HashError::Busy) => Self::Busy,
            IdentityError::Rule(rule) => Self::Rule(rule),
            other => Self::Unavailable(other),
        }
    }
}

impl From<RecordError> for AccountError {
    fn from(error: RecordError) -> Self {
        Self::Unavailable(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_times_are_rounded_up() {
        let error = SignInError::Throttled { retry_after: Duration::from_millis(5_001) };
        assert_eq!(error.retry_after_seconds(), Some(6));
        assert!(error.to_string().contains("Wait 6 s"), "{error}");
        assert_eq!(SignInError::WrongCredentials.retry_after_seconds(), None);
    }
}
