//! What can go wrong when projects are managed, each a sentence for the caller.

use hythe_store::records::RecordError;

use crate::Error;

/// Why a call about projects failed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// There is no such thing, or the caller may not know of it.
    #[error("There is no {0} that you may see: check the name, or ask an owner of the project for access.")]
    NotFound(String),
    /// The caller sees it and may not do this.
    #[error("{0}")]
    Forbidden(String),
    /// Nobody is signed in.
    #[error("This needs a signed-in user: send a user name and password, or an access token.")]
    SignInRequired,
    /// The name is taken.
    #[error("{0} exists already: choose another name, or go on with the one there is.")]
    Exists(String),
    /// It still holds something.
    #[error("{0}")]
    NotEmpty(String),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// The records or blobs failed.
    #[error(transparent)]
    Store(#[from] Error),
}

impl From<RecordError> for ProjectError {
    fn from(error: RecordError) -> Self {
        Self::Store(error.into())
    }
}
