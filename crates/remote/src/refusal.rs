//! What a registry says when it refuses: the errors envelope of the distribution specification.

use std::fmt;

use hythe_outbound::{HeaderName, Response};
use serde::Deserialize;

/// More than this of an error body is not read; no registry writes so much.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// More than this of a sentence is not shown.
const MAX_MESSAGE: usize = 1000;

/// An answer that was not the one hoped for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The server that answered, as `scheme://host:port`: the registry, its token service, or where
    /// it redirected to.
    pub origin: String,
    /// The HTTP status.
    pub status: u16,
    /// The code of the first error, such as `DENIED`; `None` when the body held no envelope.
    pub code: Option<String>,
    /// The registry's own sentence, without control characters; `None` when it gave none.
    pub message: Option<String>,
    /// The registry's name for the request, to be found again in its log.
    pub request_id: Option<String>,
}

#[derive(Deserialize)]
struct Envelope {
    errors: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    code: Option<String>,
    message: Option<String>,
}

impl Refusal {
    /// Reads the refusal out of an answer. A body that breaks off or is no envelope only costs the
    /// sentence: the status is known already.
    pub(crate) async fn read(response: Response) -> Self {
        let origin = response.origin().to_string();
        let status = response.status().as_u16();
        let request_id =
            response.header(&HeaderName::from_static("x-request-id")).map(|id| plain(id, MAX_MESSAGE));
        let envelope: Option<Envelope> = response.json(MAX_ERROR_BODY).await.ok();
        let first = envelope.and_then(|envelope| envelope.errors.into_iter().next());
        let (code, message) = first.map(|entry| (entry.code, entry.message)).unwrap_or_default();
        let keep =
            |text: Option<String>| text.map(|text| plain(&text, MAX_MESSAGE)).filter(|text| !text.is_empty());
        Self { origin, status, code: keep(code), message: keep(message), request_id }
    }
}

/// What is shown on a terminal or written to a log must not steer it.
fn plain(text: &str, limit: usize) -> String {
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
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = &self.message {
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

    #[test]
    fn the_sentence_is_shown_with_code_and_request() {
        let refusal = Refusal {
            origin: "http://r.example".to_owned(),
            status: 403,
            code: Some("DENIED".to_owned()),
            message: Some("ada may not push to lab".to_owned()),
            request_id: Some("42".to_owned()),
        };
        assert_eq!(
            refusal.to_string(),
            "http://r.example answered 403 DENIED: ada may not push to lab (request 42)"
        );
    }

    #[test]
    fn a_hostile_sentence_cannot_steer_a_terminal() {
        assert_eq!(plain("\u{1b}[2Jgone\r\nforged line", 100), "[2Jgone  forged line");
        assert_eq!(plain(&"x".repeat(5000), MAX_MESSAGE).len(), MAX_MESSAGE);
    }
}
