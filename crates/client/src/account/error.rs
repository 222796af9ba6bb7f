//! Why a login or a token could not be had.

use std::io;
use std::path::PathBuf;

use hythe_outbound::{AuthorizationError, OutboundError};
use thiserror::Error;

use crate::Refused;

/// A login or token that could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AccountError {
    /// The server did not answer usably.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The server does not accept the login.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The user name or secret cannot be sent.
    #[error("the credentials cannot be sent: {0}")]
    Credentials(#[from] AuthorizationError),
    /// The stored logins are not readable as such.
    #[error("the stored logins in {path} cannot be read ({reason}): delete the file and sign in again")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader met.
        reason: String,
    },
    /// A file of ours cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Neither the folder nor a home is known.
    #[error("there is no place for {what}: set {variable} or HOME")]
    NoPlace {
        /// What was to be kept.
        what: &'static str,
        /// The variable that names a place for it.
        variable: &'static str,
    },
}

impl AccountError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
