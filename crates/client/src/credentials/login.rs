//! What a look-up finds.

use std::fmt;
use std::path::PathBuf;

use hythe_remote::Credentials;
use secrecy::SecretString;
use thiserror::Error;

/// A login that was kept for a registry.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Login {
    /// None was kept, or it could not be read; then there is a warning.
    Anonymous,
    /// A user name, and a password or an access token in its place.
    Password {
        /// The user name.
        user: String,
        /// The password.
        secret: SecretString,
    },
    /// A token that the registry's token service exchanges for others (`grant_type=refresh_token`).
    IdentityToken(SecretString),
    /// A token that is shown to the registry as it is (`Authorization: Bearer`).
    RegistryToken(SecretString),
}

impl Login {
    /// The same as [`Credentials`]; `None` for a registry token, which cannot be one.
    pub fn credentials(&self) -> Option<Credentials> {
        match self {
            Self::Anonymous => Some(Credentials::Anonymous),
            Self::Password { user, secret } => {
                Some(Credentials::Password { user: user.clone(), secret: secret.clone() })
            }
            Self::IdentityToken(token) => Some(Credentials::RefreshToken { token: token.clone() }),
            Self::RegistryToken(_) => None,
        }
    }

    /// Whether there is none.
    pub const fn is_anonymous(&self) -> bool {
        matches!(self, Self::Anonymous)
    }
}

/// Where a login was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSource {
    /// The file.
    pub file: PathBuf,
    /// The key in it, as it is written; the server that a helper was asked for.
    pub key: String,
    /// The name of the credential helper that was asked, without `docker-credential-`.
    pub helper: Option<String>,
}

impl fmt::Display for LoginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.key.escape_debug(), self.file.display())?;
        match &self.helper {
            Some(helper) => write!(f, ", kept by docker-credential-{helper}"),
            None => Ok(()),
        }
    }
}

/// The outcome of a look-up: always a login to go on with, and what the person should be told.
#[derive(Clone, Debug)]
#[must_use = "a login that could not be read shows in the warnings alone"]
pub struct FoundLogin {
    /// The login.
    pub login: Login,
    /// Where it comes from; `None` when there is none.
    pub source: Option<LoginSource>,
    /// What went wrong on the way. Not empty whenever a login was kept and could not be read.
    pub warnings: Vec<LoginWarning>,
}

impl FoundLogin {
    /// The login as it can be used, else nobody's, with a word to whoever reads the log.
    pub fn usable(&self) -> Credentials {
        self.login.credentials().unwrap_or_else(|| {
            tracing::warn!(
                "a `registrytoken` is kept for this registry, which hythe does not use: it is asked as nobody"
            );
            Credentials::Anonymous
        })
    }
}

/// Why a login that may be there was not found; a sentence for the person at the terminal.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LoginWarning {
    /// The file cannot be read.
    #[error("The logins in {} cannot be read: {problem}.", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, without its content.
        problem: String,
    },
    /// The login under a key is damaged.
    #[error("The login for {key} in {} is damaged ({problem}), so none is used; log in again.", file.display())]
    Entry {
        /// The file.
        file: PathBuf,
        /// The key.
        key: String,
        /// What is wrong with it, without its content.
        problem: &'static str,
    },
    /// The credential helper gave none.
    #[error(
        "The credential helper {helper}, which {} names for {server}, failed: {problem}. No login is used for {server}.",
        file.display()
    )]
    Helper {
        /// The file that names the helper.
        file: PathBuf,
        /// The helper's name, escaped.
        helper: String,
        /// The server it was asked for.
        server: String,
        /// What happened.
        problem: String,
    },
}
