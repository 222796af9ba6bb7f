//! Who asks, and what is shown to prove it.
//!
//! Nothing here ever prints a secret: `Debug` of every type shows its kind alone.

use std::sync::{Mutex, PoisonError};

use hythe_outbound::{Authorization, AuthorizationError};
use secrecy::SecretString;

/// Docker's mark for a user whose password is an identity token.
const TOKEN_USER: &str = "<token>";

/// Who asks.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// Nobody in particular; public images need no more.
    Anonymous,
    /// A user name with a password or an access token in its place.
    Password {
        /// The user name.
        user: String,
        /// The password.
        secret: SecretString,
    },
    /// A refresh token, which docker calls an identity token: it is shown to the token service alone, never
    /// to the registry. A registry that signs in by passwords only does not take it.
    RefreshToken {
        /// The token.
        token: SecretString,
    },
}

/// Credentials in the form in which they are sent.
pub(crate) enum Identity {
    Nobody,
    Password(Authorization),
    RefreshToken(RefreshToken),
}

/// A refresh token; the token service may replace it with each use.
pub(crate) struct RefreshToken(Mutex<SecretString>);

impl Identity {
    pub(crate) fn of(credentials: &Credentials) -> Result<Self, AuthorizationError> {
        Ok(match credentials {
            Credentials::Anonymous => Self::Nobody,
            Credentials::Password { user, secret } => Self::Password(Authorization::basic(user, secret)?),
            Credentials::RefreshToken { token } => {
                Self::RefreshToken(RefreshToken(Mutex::new(token.clone())))
            }
        })
    }

    /// The password, for a registry or a token service that wants it in a header.
    pub(crate) fn password(&self) -> Option<&Authorization> {
        match self {
            Self::Password(authorization) => Some(authorization),
            Self::Nobody | Self::RefreshToken(_) => None,
        }
    }
}

impl RefreshToken {
    /// The token that counts now.
    pub(crate) fn current(&self) -> SecretString {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Keeps the token that takes this one's place.
    pub(crate) fn replace(&self, token: SecretString) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }

    /// The token as the password of a user without a name, for services without the POST.
    pub(crate) fn as_password(&self) -> Result<Authorization, AuthorizationError> {
        Authorization::basic(TOKEN_USER, &self.current())
    }
}
