//! Refusals: a handler says *why* ([`Refusal`]); the front door renders it with the request id.
//!
//! `/api/v1` and the small routes answer problem details (RFC 9457). The few refusals made before the
//! path is looked at (a head too long, a bad `Host`) use the envelope of the OCI specification under
//! `/v2`, because clients of that face read nothing else.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use hythe_api::{Problem, ProblemCode};
use hythe_oci::ErrorCode;
use serde_json::json;

use crate::request::RequestId;

/// Why a request is refused; gets its body from the front door.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    code: ProblemCode,
    detail: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// A refusal of the kind `code`, explained by one or more complete sentences.
    pub(crate) fn new(code: ProblemCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), headers: Vec::new() }
    }

    /// Adds a header to the answer.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A failure of ours: the reason goes to the log, the client learns the request id.
    pub(crate) fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(error = %Chain(error), "a request failed");
        Self::failure()
    }

    /// A failure of ours told to the operator, who alone reaches the control socket: with its causes.
    pub(crate) fn to_operator(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::new(ProblemCode::Internal, Chain(error).to_string())
    }

    /// A failure of ours whose reason is in the log already.
    pub(crate) fn failure() -> Self {
        Self::new(
            ProblemCode::Internal,
            "The server failed to answer this request. Its operator finds the reason in the log under the request id.",
        )
    }

    /// Gives an answer that [`IntoResponse`] began its body and headers.
    pub(crate) fn fill(self, response: &mut Response, face: Face, request_id: &RequestId) {
        let (content_type, body) = match face {
            Face::Json => ("application/problem+json", self.problem(request_id)),
            Face::Distribution => ("application/json", self.envelope(request_id)),
        };
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
        *response.body_mut() = Body::from(body);
    }

    fn problem(&self, request_id: &RequestId) -> String {
        let status = status(self.code);
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            detail: self.detail.clone(),
            code: self.code,
            request_id: request_id.as_str().to_owned(),
        };
        json!(problem).to_string()
    }

    fn envelope(&self, request_id: &RequestId) -> String {
        let code = match self.code {
            ProblemCode::TooManyRequests => ErrorCode::TooManyRequests,
            ProblemCode::Unavailable => ErrorCode::Unavailable,
            _ => ErrorCode::Unknown,
        };
        let detail = json!({ "request_id": request_id.as_str() });
        json!({ "errors": [{ "code": code.as_str(), "message": self.detail, "detail": detail }] }).to_string()
    }
}

/// Which form of error the clients of a path read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// Problem details (RFC 9457).
    Json,
    /// The error envelope of the OCI distribution specification.
    Distribution,
}

impl Face {
    /// The face a path belongs to.
    pub(crate) fn of(path: &str) -> Self {
        if path == "/v2" || path.starts_with("/v2/") { Self::Distribution } else { Self::Json }
    }
}

/// Leaves the refusal for the front door, which knows the request id and the face.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = status(self.code).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

fn status(code: ProblemCode) -> StatusCode {
    match code {
        ProblemCode::Malformed => StatusCode::BAD_REQUEST,
        ProblemCode::SignInRequired | ProblemCode::BadCredentials | ProblemCode::InvalidToken => {
            StatusCode::UNAUTHORIZED
        }
        ProblemCode::InsufficientScope | ProblemCode::Forbidden => StatusCode::FORBIDDEN,
        ProblemCode::NotFound | ProblemCode::NoSuchRoute => StatusCode::NOT_FOUND,
        ProblemCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ProblemCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
        ProblemCode::AlreadyExists | ProblemCode::NotEmpty | ProblemCode::Conflict => StatusCode::CONFLICT,
        ProblemCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ProblemCode::TargetTooLong => StatusCode::URI_TOO_LONG,
        ProblemCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ProblemCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ProblemCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        ProblemCode::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        ProblemCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ProblemCode::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        ProblemCode::Internal | ProblemCode::Other => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error with all its causes in one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
