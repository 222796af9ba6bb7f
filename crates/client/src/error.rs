//! Why a call of `/api/v1` failed.

use std::fmt;

use hythe_api::{Problem, ProblemCode};
use hythe_outbound::{AuthorizationError, HeaderName, OutboundError, Response};
use thiserror::Error;

/// A problem document is a few lines; a proxy's error page may be longer and is not shown anyway.
const MAX_PROBLEM: usize = 64 * 1024;

/// A call that did not lead to the result asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ApiError {
    /// No usable answer came.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The server refused.
    #[error("{0}")]
    Refused(Box<Refused>),
    /// The credentials cannot be sent.
    #[error("the credentials cannot be sent: {0}")]
    Credentials(#[from] AuthorizationError),
    /// The address is not one of a server, or a name cannot be part of an address.
    #[error("`{address}` is not the address of a server: {problem}")]
    Address {
        /// The address, without credentials.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl ApiError {
    /// The server's word for the kind of refusal; `None` when it did not refuse or gave none.
    pub fn code(&self) -> Option<ProblemCode> {
        match self {
            Self::Refused(refused) => refused.code,
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refused) => Some(refused.status),
            _ => None,
        }
    }

    /// Whether the same call may succeed a little later: no connection, a broken one, or a server or proxy that says so.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Outbound(error) => error.is_transient(),
            Self::Refused(refused) => matches!(refused.status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }
}

/// A refusal of the server, or of a proxy before it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The server that answered, as `scheme://host:port`.
    pub origin: String,
    /// The HTTP status.
    pub status: u16,
    /// The server's word for programs; `None` when the answer was no problem document.
    pub code: Option<ProblemCode>,
    /// The server's sentence for people; `None` when the answer was no problem document.
    pub detail: Option<String>,
    /// The name of the request in the server's log.
    pub request_id: Option<String>,
}

impl Refused {
    /// Reads the refusal out of an answer. A body that breaks off or is no problem document only
    /// costs the sentence: the status is known already.
    pub(crate) async fn read(response: Response) -> Self {
        let origin = response.origin().to_string();
        let status = response.status().as_u16();
        let header = response.header(&HeaderName::from_static("x-request-id")).map(plain);
        match response.json::<Problem>(MAX_PROBLEM).await {
            Ok(problem) => Self {
                origin,
                status,
                code: Some(problem.code),
                detail: Some(plain(&problem.detail)),
                request_id: Some(plain(&problem.request_id)),
            },
            Err(_) => Self { origin, status, code: None, detail: None, request_id: header },
        }
    }
}

/// What is shown on a terminal must not steer it.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect()
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.detail {
            Some(detail) => f.write_str(detail)?,
            None => write!(f, "{} answered {} without a reason", self.origin, self.status)?,
        }
        match &self.request_id {
            Some(id) => write!(f, " (request {id})"),
            None => Ok(()),
        }
    }
}
