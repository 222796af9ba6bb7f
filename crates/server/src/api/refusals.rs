//! Errors of the rooms as problem details.

use http::{HeaderValue, header};
use hythe_api::ProblemCode;
use hythe_identity::{AccountError, IdentityError, SignInError, TokenError};
use hythe_registry::Error;
use hythe_registry::projects::ProjectError;

use super::with_challenge;
use crate::authenticate::AuthenticateError;
use crate::problem::Refusal;

/// A 401 that says how to sign in.
pub(super) fn challenge(code: ProblemCode, detail: impl Into<String>) -> Refusal {
    with_challenge(Refusal::new(code, detail))
}

pub(super) fn unauthenticated(error: &AuthenticateError) -> Refusal {
    match error {
        AuthenticateError::Token(TokenError::Unavailable(cause))
        | AuthenticateError::SignIn(SignInError::Unavailable(cause)) => Refusal::internal(cause),
        AuthenticateError::Token(_) => challenge(ProblemCode::InvalidToken, error.to_string()),
        AuthenticateError::Malformed(_) => challenge(ProblemCode::BadCredentials, error.to_string()),
        AuthenticateError::SignIn(refused) => match refused.retry_after_seconds() {
            Some(seconds) => {
                let code = match refused {
                    SignInError::Busy => ProblemCode::Unavailable,
                    _ => ProblemCode::TooManyRequests,
                };
                Refusal::new(code, error.to_string()).with(header::RETRY_AFTER, HeaderValue::from(seconds))
            }
            None => challenge(ProblemCode::BadCredentials, error.to_string()),
        },
    }
}

impl From<ProjectError> for Refusal {
    fn from(error: ProjectError) -> Self {
        let code = match &error {
            ProjectError::NotFound(_) => ProblemCode::NotFound,
            ProjectError::Forbidden(_) => ProblemCode::Forbidden,
            ProjectError::SignInRequired => return challenge(ProblemCode::SignInRequired, error.to_string()),
            ProjectError::Exists(_) => ProblemCode::AlreadyExists,
            ProjectError::NotEmpty(_) => ProblemCode::NotEmpty,
            ProjectError::Invalid(_) => ProblemCode::Invalid,
            ProjectError::Store(Error::NoSpace) => ProblemCode::NoSpace,
            ProjectError::Store(Error::NotWritable | Error::UploadBusy) => ProblemCode::Unavailable,
            ProjectError::Store(cause) => return Self::internal(cause),
        };
        Self::new(code, error.to_string())
    }
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let code = match &error {
            AccountError::Exists(_) => ProblemCode::AlreadyExists,
            AccountError::Missing(_) => ProblemCode::NotFound,
            AccountError::LastAdministrator(_) => ProblemCode::Conflict,
            AccountError::Rule(_) => ProblemCode::Invalid,
            AccountError::Busy => ProblemCode::Unavailable,
            AccountError::Unavailable(cause) => return failed(cause),
        };
        Self::new(code, error.to_string())
    }
}

impl From<IdentityError> for Refusal {
    fn from(error: IdentityError) -> Self {
        failed(&error)
    }
}

/// What went wrong on our side: a full disk has its own word, for people can do something about it.
fn failed(error: &IdentityError) -> Refusal {
    if error.is_disk_full() {
        return Refusal::new(ProblemCode::NoSpace, Error::NoSpace.to_string());
    }
    Refusal::internal(error)
}
