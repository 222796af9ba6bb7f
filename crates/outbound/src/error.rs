//! What can go wrong between us and a server, as sentences without credentials.

use std::error::Error as StdError;
use std::time::Duration;

use thiserror::Error;

/// A request that got no usable answer. Every variant names the server by its origin only.
#[derive(Debug, Error)]
pub enum OutboundError {
    /// The client could not be set up from its settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Settings(String),
    /// The URL is not one this client speaks.
    #[error("only http and https addresses can be used, not `{scheme}:`")]
    Scheme {
        /// The scheme that was asked for.
        scheme: String,
    },
    /// No connection came about.
    #[error("cannot connect to {origin}: {reason}")]
    Connect {
        /// Where to.
        origin: String,
        /// The operating system's or the resolver's words.
        reason: String,
    },
    /// The server's certificate does not verify.
    #[error(
        "{origin} showed a certificate that cannot be trusted: {reason}; if a private authority signed it, name that authority's certificate file"
    )]
    Certificate {
        /// Which server.
        origin: String,
        /// What the verifier found.
        reason: String,
    },
    /// No connection within the connect time-out, or no byte moved within the idle time-out.
    #[error("{origin} did not answer: nothing moved for {} seconds", waited.as_secs())]
    Timeout {
        /// Which server.
        origin: String,
        /// The limit that was reached.
        waited: Duration,
    },
    /// The exchange broke off after it had begun.
    #[error("the exchange with {origin} broke off: {reason}")]
    Broken {
        /// Which server.
        origin: String,
        /// The innermost cause.
        reason: String,
    },
    /// A redirect that must not be followed.
    #[error("{origin} redirected to {problem}")]
    Redirect {
        /// Which server sent the redirect.
        origin: String,
        /// Why it is not followed, as the end of the sentence.
        problem: String,
    },
    /// The answer is larger than its reader accepts.
    #[error("{origin} sent an answer larger than the {limit} bytes accepted here")]
    TooLarge {
        /// Which server.
        origin: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The answer is not the JSON it should be.
    #[error("{origin} sent an answer that cannot be read: {reason}")]
    Unreadable {
        /// Which server.
        origin: String,
        /// Where the parser gave up.
        reason: String,
    },
}

impl OutboundError {
    /// Whether the server cannot be reached or fell silent, rather than answered something of no use.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. } | Self::Certificate { .. } | Self::Timeout { .. } | Self::Broken { .. }
        )
    }

    /// Whether the same request may succeed a little later: no connection, silence, or a broken exchange. A
    /// certificate that does not verify, an answer over a limit and a lure stay what they are.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Timeout { .. } | Self::Broken { .. })
    }

    /// Sorts an error of the HTTP library into ours; `waited` is the connect time-out.
    pub(crate) fn from_reqwest(origin: String, waited: Duration, error: &reqwest::Error) -> Self {
        let reason = innermost(error);
        if mentions_certificate(error) {
            Self::Certificate { origin, reason }
        } else if error.is_timeout() {
            Self::Timeout { origin, waited }
        } else if error.is_connect() {
            Self::Connect { origin, reason }
        } else {
            Self::Broken { origin, reason }
        }
    }
}

/// The last error of the chain: the libraries' outer layers only repeat that something failed, and
/// the outermost one shows the whole URL.
pub(crate) fn innermost(error: &(dyn StdError + 'static)) -> String {
    let mut current = error;
    while let Some(source) = current.source() {
        current = source;
    }
    current.to_string()
}

/// TLS verification errors reach us as text inside an I/O error; rustls begins them all alike.
fn mentions_certificate(error: &(dyn StdError + 'static)) -> bool {
    let mut current = Some(error);
    while let Some(layer) = current {
        if layer.to_string().starts_with("invalid peer certificate") {
            return true;
        }
        current = layer.source();
    }
    false
}
