//! Errors of the rooms as problem details.

use http::{HeaderValue, header};
use hythe_api::ProblemCode;
use hythe_identity::{AccountError, IdentityError, SignInError, TokenError};
use hythe_registry::Error;
use hythe_registry::projects::ProjectError;

use super::with_challenge;
use crate::authenticate::AuthenticateError;
use crate::problem::Refusal;
use crate::seldom;

/// A 401 that says how to sign in.
pub(super) fn challenge(code: ProblemCode, detail: impl Into<String>) -> Refusal {
    with_challenge(Refusal::new(code, detail))
}

pub(super) fn unauthenticated(error: &AuthenticateError) -> Refusal {
    match error {
        AuthenticateError::Token(TokenError::Unavailable(cause))
        | AuthenticateError::SignIn(SignInError::Unavailable(cause)) => failed(cause),
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
            // The image is at fault, not the store, and the sentence says how.
            ProjectError::Store(Error::ManifestConflict(_) | Error::ManifestInvalid(_)) => {
                ProblemCode::Invalid
            }
            ProjectError::Store(cause) => return passing(cause).unwrap_or_else(|| Self::internal(cause)),
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

/// What went wrong on our side.
fn failed(error: &IdentityError) -> Refusal {
    let told = error.records().and_then(|records| passing(&records.clone().into()));
    told.unwrap_or_else(|| Refusal::internal(error))
}

/// What is over by itself, or once the operator has made room: told in words, and seldom logged.
fn passing(error: &Error) -> Option<Refusal> {
    seldom::storage_failed(error);
    match error.status() {
        507 => Some(Refusal::new(ProblemCode::NoSpace, error.to_string())),
        503 | 409 => {
            let refusal = Refusal::new(ProblemCode::Unavailable, error.to_string());
            Some(refusal.with(header::RETRY_AFTER, HeaderValue::from_static("5")))
        }
        _ => None,
    }
}
