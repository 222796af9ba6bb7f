//! Why work with a registry failed.

use std::io;

use hythe_oci::Digest;
use hythe_outbound::{AuthorizationError, OutboundError};
use thiserror::Error;

use crate::Refusal;

/// An exchange with a registry that did not lead to the result asked for.
#[derive(Debug, Error)]
pub enum RemoteError {
    /// No usable answer came.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The registry, its token service or its blob store refused.
    #[error("{0}")]
    Refused(Box<Refusal>),
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
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }
}

/// For streams that feed another reader or writer.
impl RemoteError {
    /// Whether the registry says that it is not there, or must look so.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the registry does not let us in, or not do this.
    pub fn is_denied(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// The registry's code for a refusal, such as `DENIED`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => refusal.code.as_deref(),
            _ => None,
        }
    }
}

impl From<RemoteError> for io::Error {
    fn from(error: RemoteError) -> Self {
        Self::other(error)
    }
}
