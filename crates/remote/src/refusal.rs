//! What a registry says when it refuses: the errors envelope of the distribution specification ("Error
//! Codes"), and the error of a token service (RFC 6749 section 5.2).
//!
//! The text comes from outside and ends on a terminal: it is clipped, and no control character survives.

use std::fmt;
use std::time::Duration;

use hythe_oci::ErrorCode;
use hythe_outbound::{HeaderName, Response};
use serde::Deserialize;

use crate::retry_after;

/// More than this of an error body is not read; no registry writes so much.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// More than this of a sentence is not shown.
const MAX_MESSAGE: usize = 1000;

/// More errors than this in one answer are not kept.
const MAX_ERRORS: usize = 100;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// An answer that was not the one hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The server that answered, as `scheme://host:port`: the registry, its token service, or where
    /// it redirected to.
    pub origin: String,
    /// The HTTP status.
    pub status: u16,
    /// What the registry said, at most a hundred entries; empty when the body held no envelope.
    pub errors: Vec<RefusalEntry>,
    /// The registry's name for the request, to be found again in its log.
    pub request_id: Option<String>,
    /// How long the registry asks to wait (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// One error of an envelope. A registry names every missing blob of a manifest in an entry of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalEntry {
    /// The code, such as `DENIED`.
    pub code: Option<String>,
    /// The registry's own sentence, without control characters.
    pub message: Option<String>,
    /// What the registry added, of any shape; it is data, and nothing in it has been checked.
    pub detail: Option<serde_json::Value>,
}

/// Both forms of an error body.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    errors: Option<Vec<Entry>>,
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    code: Option<String>,
    message: Option<String>,
    detail: Option<serde_json::Value>,
}

impl Refusal {
    /// Reads the refusal out of an answer. A body that breaks off or is no envelope only costs the
    /// sentence: the status is known already.
    pub(crate) async fn read(response: Response) -> Self {
        let origin = response.origin().to_string();
        let status = response.status().as_u16();
        let request_id = response.header(&REQUEST_ID).map(|id| plain(id, MAX_MESSAGE));
        let retry_after = retry_after::of(&response);
        let errors = response.json(MAX_ERROR_BODY).await.map(Envelope::entries).unwrap_or_default();
        Self { origin, status, errors, request_id, retry_after }
    }

    /// The first error's code, such as `DENIED`.
    pub fn code(&self) -> Option<&str> {
        self.errors.iter().find_map(|entry| entry.code.as_deref())
    }

    /// The first sentence.
    pub fn message(&self) -> Option<&str> {
        self.errors.iter().find_map(|entry| entry.message.as_deref())
    }

    /// Whether one of the errors has this code.
    pub fn has_code(&self, code: ErrorCode) -> bool {
        self.errors.iter().any(|entry| entry.code.as_deref() == Some(code.as_str()))
    }

    /// A failure of the server that is about certain content and not about the moment: the status is 500 and a `detail`
    /// names a digest, as Hythe's does of a damaged copy.
    pub(crate) fn is_of_content(&self) -> bool {
        let names =
            |entry: &RefusalEntry| entry.detail.as_ref().is_some_and(|detail| detail["digest"].is_string());
        self.status == 500 && self.errors.iter().any(names)
    }
}

impl Envelope {
    fn entries(self) -> Vec<RefusalEntry> {
        let keep =
            |text: Option<String>| text.map(|text| plain(&text, MAX_MESSAGE)).filter(|text| !text.is_empty());
        let own = Entry { code: self.error, message: self.error_description, detail: None };
        let own = (own.code.is_some() || own.message.is_some()).then_some(own);
        let all = self.errors.unwrap_or_default().into_iter().chain(own).take(MAX_ERRORS);
        all.map(|entry| RefusalEntry {
            code: keep(entry.code),
            message: keep(entry.message),
            detail: entry.detail.filter(|detail| !detail.is_null()),
        })
        .collect()
    }
}

/// What is shown on a terminal or written to a log must not steer it.
pub(crate) fn plain(text: &str, limit: usize) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(limit)
        .collect::<String>()
        .trim()
        .to_owned()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered {}", self.origin, self.status)?;
        if let Some(code) = self.code() {
            write!(f, " {code}")?;
        }
        if let Some(message) = self.message() {
            write!(f, ": {message}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(body: &str) -> Vec<RefusalEntry> {
        serde_json::from_str::<Envelope>(body).map(Envelope::entries).unwrap_or_default()
    }

    #[test]
    fn the_sentence_is_shown_with_code_and_request() {
        let refusal = Refusal {
            origin: "http://r.example".to_owned(),
            status: 403,
            errors: entries(r#"{"errors":[{"code":"DENIED","message":"ada may not push to lab"}]}"#),
            request_id: Some("42".to_owned()),
            retry_after: None,
        };
        assert_eq!(
            refusal.to_string(),
            "http://r.example answered 403 DENIED: ada may not push to lab (request 42)"
        );
        assert!(refusal.has_code(ErrorCode::Denied) && !refusal.has_code(ErrorCode::Unauthorized));
    }

    #[test]
    fn every_error_is_kept_with_its_detail() {
        let body = r#"{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","detail":{"digest":"a"}},
                                 {"code":"MANIFEST_BLOB_UNKNOWN","detail":null,"message":"no b"}]}"#;
        let entries = entries(body);
        assert_eq!(entries[0].detail.as_ref().unwrap()["digest"], "a");
        assert_eq!((entries[1].detail.as_ref(), entries[1].message.as_deref()), (None, Some("no b")));
        let many = format!(r#"{{"errors":[{}]}}"#, vec![r#"{"code":"X"}"#; 500].join(","));
        assert_eq!(self::entries(&many).len(), MAX_ERRORS);
    }

    #[test]
    fn the_error_of_a_token_service_is_understood() {
        let entries = entries(r#"{"error":"invalid_grant","error_description":"the token was revoked"}"#);
        assert_eq!(entries[0].code.as_deref(), Some("invalid_grant"));
        assert_eq!(entries[0].message.as_deref(), Some("the token was revoked"));
        assert!(self::entries(r#"{"errors":null}"#).is_empty());
    }

    #[test]
    fn a_hostile_sentence_cannot_steer_a_terminal() {
        assert_eq!(plain("\u{1b}[2Jgone\r\nforged line", 100), "[2Jgone  forged line");
        assert_eq!(plain(&"x".repeat(5000), MAX_MESSAGE).len(), MAX_MESSAGE);
    }
}
