//! Errors as the specification wants them: `{"errors":[{code, message, detail}]}`, a complete
//! sentence as message, and a detail that is never null.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hythe_oci::{Digest, Endpoint, ErrorCode, Route};
use serde_json::{Value, json};

use crate::request::RequestId;
use crate::seldom;

/// An answer that says no.
pub(super) struct Fault {
    status: StatusCode,
    code: ErrorCode,
    message: String,
    digests: Vec<Digest>,
    headers: HeaderMap,
}

impl Fault {
    pub(super) fn new(status: u16, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code,
            message: message.into(),
            digests: Vec::new(),
            headers: HeaderMap::new(),
        }
    }

    /// A bad value in the request: status 400.
    pub(super) fn invalid(code: ErrorCode, message: impl Into<String>) -> Self {
        Self::new(400, code, message)
    }

    pub(super) fn method_not_allowed(method: &str, route: &Route) -> Self {
        let allowed = Endpoint::allowed_methods(route);
        Self::new(
            405,
            ErrorCode::Unsupported,
            format!("{method} does nothing at this path: it understands {allowed}."),
        )
        .with_header(header::ALLOW, HeaderValue::from_static(allowed))
    }

    /// An invariant of ours that does not hold: logged here, told without its reason.
    pub(super) fn internal(invariant: &'static str) -> Self {
        tracing::error!(invariant, "internal error");
        Self::new(
            500,
            ErrorCode::Unknown,
            "The registry failed inside: try again, and give the operator the request id if it stays.",
        )
    }

    pub(super) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    pub(super) fn into_response(self, request_id: Option<&RequestId>) -> Response {
        let detail = |digest: Option<&Digest>| {
            let mut detail = json!({});
            if let Some(id) = request_id {
                detail["request_id"] = Value::from(id.as_str());
            }
            if let Some(digest) = digest {
                detail["digest"] = Value::from(digest.to_string());
            }
            detail
        };
        let entry = |digest: Option<&Digest>| json!({ "code": self.code.as_str(), "message": self.message, "detail": detail(digest) });
        let errors: Vec<Value> = if self.digests.is_empty() {
            vec![entry(None)]
        } else {
            self.digests.iter().map(|digest| entry(Some(digest))).collect()
        };
        let body = json!({ "errors": errors }).to_string();
        let length = body.len();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        response
    }
}

impl From<hythe_registry::Error> for Fault {
    fn from(error: hythe_registry::Error) -> Self {
        if let hythe_registry::Error::Internal(cause) = &error {
            tracing::error!(error = cause.as_ref() as &dyn std::error::Error, "internal error");
        }
        seldom::storage_failed(&error);
        let mut fault = Self::new(error.status(), error.code(), error.to_string());
        fault.digests = error.digests().to_vec();
        // What passes by itself; a full disk waits for its operator.
        if error.status() == 503 || matches!(error, hythe_registry::Error::UploadBusy) {
            fault.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        if matches!(error, hythe_registry::Error::TooManyUploads { .. }) {
            fault.headers.insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        }
        fault
    }
}
