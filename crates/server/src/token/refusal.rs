//! How the token service says no: the error list of the OCI specification, which clients print, and for POST the
//! fields of OAuth beside it (RFC 6749 section 5.2).

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, StatusCode, header};
use hythe_identity::SignInError;
use hythe_oci::ErrorCode;
use serde_json::json;

use super::wish::BadForm;
use crate::request::RequestId;
use crate::seldom;
use crate::whole_body::{NO_ROOM_RETRY_SECONDS, NotWhole};

/// Why no token was given.
pub(super) struct Refusal {
    status: StatusCode,
    code: ErrorCode,
    /// The word of OAuth for it.
    oauth: &'static str,
    message: String,
    retry_after: Option<u64>,
}

/// Which kind of request is answered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A GET of the Docker token specification.
    Docker,
    /// A POST in the manner of OAuth.
    OAuth,
}

impl Refusal {
    fn new(status: StatusCode, code: ErrorCode, oauth: &'static str, message: String) -> Self {
        Self { status, code, oauth, message, retry_after: None }
    }

    /// The credentials cannot be read, or are of a kind that buys no token.
    pub(super) fn credentials(message: String) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, "invalid_client", message)
    }

    /// The form is larger than any client's.
    pub(super) fn too_large(limit: usize) -> Self {
        let message = format!("The form has more than {limit} bytes. Ask for fewer scopes at once.");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::SizeInvalid, "invalid_request", message)
    }

    /// The form ended early.
    pub(super) fn unreadable() -> Self {
        let message = "The form could not be read to its end. Send the request again.".to_owned();
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Unknown, "invalid_request", message)
    }

    /// Others' bodies fill the memory for them.
    pub(super) fn no_room() -> Self {
        let mut refusal = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "temporarily_unavailable",
            NotWhole::NO_ROOM.to_owned(),
        );
        refusal.retry_after = Some(NO_ROOM_RETRY_SECONDS.into());
        refusal
    }

    /// A fault of ours: the reason goes to the log under the request's id.
    pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(%error, cause = error.source().map(tracing::field::display), "no token could be made");
        let message = "The token service cannot answer because of a fault in the registry. Try again; if it stays, \
                       tell an administrator the request id.";
        let mut refusal = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Unavailable,
            "temporarily_unavailable",
            message.to_owned(),
        );
        refusal.retry_after = Some(1);
        refusal
    }

    /// What the storage could not do: nothing can be kept, a refresh token least of all. Sign-ins that keep
    /// nothing go on.
    pub(super) fn storage(error: &hythe_registry::Error) -> Self {
        use hythe_registry::Error;

        let message = match error {
            Error::NoSpace => {
                "The registry's storage is full, so that no sign-in can be remembered: pulls and existing sign-ins go \
                 on; ask the operator to make room, then sign in again."
            }
            Error::NotWritable => {
                "The registry's storage cannot be written at the moment, so that no sign-in can be remembered: pulls \
                 and existing sign-ins go on; try again later."
            }
            Error::StorageFailed(_) | Error::Overloaded(_) => {
                seldom::storage_failed(error);
                &error.to_string()
            }
            other => return Self::fault(other),
        };
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
        let oauth = "temporarily_unavailable";
        let mut refusal = Self::new(status, ErrorCode::Unavailable, oauth, message.to_owned());
        refusal.retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(5);
        refusal
    }

    /// The answer. `challenge` is the value of `WWW-Authenticate` that goes with a 401.
    pub(super) fn into_answer(self, form: Form, id: &RequestId, challenge: &HeaderValue) -> Response {
        let detail = json!({ "request_id": id.as_str() });
        let mut body = json!({
            "errors": [{ "code": self.code.as_str(), "message": self.message, "detail": detail }]
        });
        if let (Form::OAuth, Some(fields)) = (form, body.as_object_mut()) {
            fields.insert("error".to_owned(), json!(self.oauth));
            fields.insert("error_description".to_owned(), json!(self.message));
        }
        let mut answer = (self.status, Json(body)).into_response();
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, challenge.clone());
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        answer
    }
}

impl From<SignInError> for Refusal {
    fn from(error: SignInError) -> Self {
        let (status, code, oauth) = match &error {
            SignInError::WrongCredentials | SignInError::TokenRefused | SignInError::TokenTooNarrow => {
                (StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, "invalid_grant")
            }
            SignInError::Throttled { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, ErrorCode::TooManyRequests, "temporarily_unavailable")
            }
            SignInError::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, ErrorCode::Unavailable, "temporarily_unavailable")
            }
            SignInError::Unavailable(reason) => match reason.records() {
                Some(records) => return Self::storage(&records.clone().into()),
                None => return Self::fault(reason),
            },
        };
        let retry_after = error.retry_after_seconds();
        Self { retry_after, ..Self::new(status, code, oauth, error.to_string()) }
    }
}

impl From<BadForm> for Refusal {
    fn from(fault: BadForm) -> Self {
        let oauth = match fault {
            BadForm::Missing(_) => "invalid_request",
            BadForm::UnknownGrant => "unsupported_grant_type",
        };
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::Unsupported, oauth, fault.to_string())
    }
}
