//! Why work with a registry failed.

use std::io;
use std::time::Duration;

use hythe_oci::{Digest, ErrorCode};
use hythe_outbound::{AuthorizationError, OutboundError};
use thiserror::Error;

use crate::Refusal;

/// An exchange with a registry that did not lead to the result asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No usable answer came.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The registry, its token service or its blob store refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// The registry does not offer what was asked for; another one may.
    #[error("the registry does not offer {what}: {refusal}")]
    Unsupported {
        /// What it does not do, such as `to delete a tag`.
        what: &'static str,
        /// Its answer.
        refusal: Box<Refusal>,
    },
    /// The address is not one of a registry.
    #[error("`{address}` is not the address of a registry: {problem}")]
    Address {
        /// The address, without credentials.
        address: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The credentials cannot be sent.
    #[error("the credentials for {registry} cannot be sent: {problem}")]
    Credentials {
        /// Which registry.
        registry: String,
        /// Why.
        #[source]
        problem: AuthorizationError,
    },
    /// The token realm must not get our credentials; nothing was sent there.
    #[error("{registry} asks to sign in at `{realm}`, which {problem}; no credentials were sent")]
    Realm {
        /// Which registry.
        registry: String,
        /// The realm as the registry wrote it, shortened.
        realm: String,
        /// Why it is refused, as the end of the sentence.
        problem: String,
    },
    /// The bytes received are not the bytes asked for.
    #[error("{registry} sent wrong bytes: expected {expected}, received {received}")]
    WrongDigest {
        /// Which registry.
        registry: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        received: Digest,
    },
    /// A blob is shorter or longer than it should be.
    #[error("{registry} sent {received} bytes of blob {digest}, which should have {expected}")]
    WrongSize {
        /// Which registry.
        registry: String,
        /// Which blob.
        digest: Digest,
        /// The size in bytes it should have.
        expected: u64,
        /// The bytes received until it was given up.
        received: u64,
    },
    /// What was to be sent could not be read. The registry has no part in it.
    #[error("the content to upload cannot be read: {0}")]
    Content(#[source] io::Error),
    /// The registry holds less of an upload than it had confirmed, so this piece cannot follow. Go on with
    /// the content from `stands`.
    #[error("{registry} went back in an upload: it had {confirmed} bytes and now says it has {stands}")]
    WentBack {
        /// Which registry.
        registry: String,
        /// The bytes it had confirmed.
        confirmed: u64,
        /// The bytes it says it has.
        stands: u64,
    },
    /// A piece is smaller than the registry takes (`OCI-Chunk-Min-Length`); nothing was sent. Only the last
    /// piece, which goes with the end of the upload, may be.
    #[error("{registry} takes pieces of {smallest} bytes or more, and this one has {size}")]
    PieceTooSmall {
        /// Which registry.
        registry: String,
        /// The smallest piece it takes, in bytes.
        smallest: u64,
        /// The size of the piece in bytes.
        size: u64,
    },
    /// The registry's answer breaks the protocol.
    #[error("{registry} does not speak the registry protocol: {problem}")]
    Protocol {
        /// Which registry.
        registry: String,
        /// What is wrong with the answer.
        problem: String,
    },
}

impl RemoteError {
    /// The registry's code for its refusal, such as `DENIED`; `None` when it did not refuse or gave none.
    pub fn code(&self) -> Option<&str> {
        self.refusal()?.code()
    }

    /// The registry's own answer, where there is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) | Self::Unsupported { refusal, .. } => Some(refusal),
            _ => None,
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.refusal().map(|refusal| refusal.status)
    }

    /// What was asked for is not there, or the caller may not know that it is.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.status, 404 | 410))
    }

    /// The caller is not signed in, or may not do this: another identity might.
    pub fn is_denied(&self) -> bool {
        matches!(self, Self::Refused(refusal) if matches!(refusal.status, 401 | 403)
            || refusal.has_code(ErrorCode::Denied) || refusal.has_code(ErrorCode::Unauthorized))
    }

    /// The same request may succeed a little later. Whoever sees such an error from this crate knows that it
    /// has been tried again as often as the policy says.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Outbound(error) => error.is_transient(),
            Self::Refused(refusal) => is_transient_status(refusal.status) && !refusal.is_of_content(),
            _ => false,
        }
    }

    /// How long the registry asked to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        self.refusal()?.retry_after
    }
}

/// The statuses that say "later" instead of "no".
pub(crate) fn is_transient_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// For streams that feed another reader or writer.
impl From<RemoteError> for io::Error {
    fn from(error: RemoteError) -> Self {
        Self::other(error)
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    #[test]
    fn only_what_may_pass_is_repeated() {
        let (origin, reason) = ("https://r".to_owned(), "why".to_owned());
        let broken = OutboundError::Broken { origin: origin.clone(), reason: reason.clone() };
        assert!(RemoteError::from(broken).is_retryable());
        let digest = Digest::of(Algorithm::Sha256, b"");
        for error in [
            OutboundError::Certificate { origin: origin.clone(), reason: reason.clone() }.into(),
            OutboundError::Redirect { origin: origin.clone(), problem: reason.clone() }.into(),
            OutboundError::TooLarge { origin: origin.clone(), limit: 1 }.into(),
            RemoteError::WrongDigest { registry: origin.clone(), expected: digest, received: digest },
            RemoteError::WrongSize { registry: origin.clone(), digest, expected: 1, received: 2 },
            RemoteError::Protocol { registry: origin.clone(), problem: reason.clone() },
            RemoteError::Realm { registry: origin, realm: String::new(), problem: reason },
            RemoteError::Content(io::Error::other("gone")),
        ] {
            assert!(!error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn a_failure_is_repeated_unless_it_is_of_certain_content() {
        let refused = |status, detail| {
            let entry = crate::RefusalEntry { detail, ..Default::default() };
            let refusal = Refusal {
                origin: String::new(),
                status,
                errors: vec![entry],
                request_id: None,
                retry_after: None,
            };
            RemoteError::Refused(Box::new(refusal)).is_retryable()
        };
        let damaged = serde_json::json!({ "digest": "sha256:00", "request_id": "1" });
        assert!(!refused(500, Some(damaged.clone())));
        for (status, detail) in [(500, None), (500, Some("the disk".into())), (503, Some(damaged))] {
            assert!(refused(status, detail.clone()), "{status} {detail:?}");
        }
    }
}
