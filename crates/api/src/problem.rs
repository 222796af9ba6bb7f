//! Problem details (RFC 9457): how every refusal of `/api/v1` looks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Why a request was refused, for people (`detail`) and for programs (`code`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status and `code` say what kind of problem it is (RFC 9457, 4.2.1).
    #[serde(rename = "type")]
    pub kind: String,
    /// The standard phrase of the status.
    pub title: String,
    /// The HTTP status, repeated for logs that keep only the body.
    #[schema(minimum = 400, maximum = 599)]
    pub status: u16,
    /// One or more complete sentences: what was refused, why, and what to do next.
    pub detail: String,
    /// A stable word for programs; a newer server may use words this list does not hold yet.
    pub code: ProblemCode,
    /// The id of the request, as in the server's log and in the `X-Request-Id` header.
    pub request_id: String,
}

/// The stable words in [`Problem::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemCode {
    /// No identity was given, and the request needs one (401).
    SignInRequired,
    /// The user name, password or token is wrong (401).
    BadCredentials,
    /// The token has expired, is not ours, or its user is gone (401).
    InvalidToken,
    /// The token is genuine but was issued for something else (403).
    InsufficientScope,
    /// The caller is known and may not do this (403).
    Forbidden,
    /// There is no such thing, or the caller may not know of it (404).
    NotFound,
    /// The path leads nowhere on this server (404).
    NoSuchRoute,
    /// The path exists but not with this method (405).
    MethodNotAllowed,
    /// The client took too long to send its request (408).
    RequestTimeout,
    /// A thing of that name is already there (409).
    AlreadyExists,
    /// The thing still holds other things (409).
    NotEmpty,
    /// The change contradicts the present state (409).
    Conflict,
    /// The body is longer than this server reads (413).
    BodyTooLarge,
    /// The request target is longer than this server reads (414).
    TargetTooLong,
    /// The body is not of the content type this route reads (415).
    UnsupportedMediaType,
    /// The head of the request is longer than this server reads (431).
    HeadTooLarge,
    /// The request could not be read: broken JSON, query or header (400).
    Malformed,
    /// The request was read, but a value in it breaks a rule (422).
    Invalid,
    /// Too many attempts; `Retry-After` says when to come back (429).
    TooManyRequests,
    /// The server cannot do this now; trying again later may work (503).
    Unavailable,
    /// The disk that holds the data is full (507).
    NoSpace,
    /// The server failed; its log holds the reason under the request id (500).
    Internal,
    /// A word this version of the client does not know.
    #[serde(other)]
    Other,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_code_is_read_as_other() {
        let code: ProblemCode = serde_json::from_str("\"quota_exceeded\"").unwrap();
        assert_eq!(code, ProblemCode::Other);
    }

    #[test]
    fn codes_are_snake_case_words() {
        assert_eq!(serde_json::to_string(&ProblemCode::SignInRequired).unwrap(), "\"sign_in_required\"");
    }
}
