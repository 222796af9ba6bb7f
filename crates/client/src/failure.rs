//! Whatever can go wrong in the SDK, in one type.

use hythe_remote::RemoteError;
use thiserror::Error;

use crate::ApiError;
use crate::account::AccountError;
use crate::engine::{EngineError, EngineKind};
use crate::image::ImageNameError;
use crate::transfer::TransferError;

/// A call of the SDK that did not lead to what was asked for.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ClientError {
    /// A name cannot be understood.
    #[error(transparent)]
    Name(#[from] ImageNameError),
    /// A login or a token.
    #[error(transparent)]
    Account(#[from] AccountError),
    /// The server's own interface.
    #[error(transparent)]
    Api(ApiError),
    /// The registry protocol.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// An engine of this machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Moving an image.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// The engine has no image of this name.
    #[error("{engine} has no image {name}: check the name, or build the image first")]
    NoLocalImage {
        /// The name.
        name: String,
        /// The engine.
        engine: EngineKind,
    },
}

impl ClientError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) | Self::Transfer(TransferError::Api(error)) => error.status(),
            Self::Remote(error) | Self::Transfer(TransferError::Remote(error)) => error.status(),
            Self::Account(AccountError::Refused(refused)) => Some(refused.status),
            _ => None,
        }
    }

    /// Whether what was asked for is not there, or must look so.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the caller is not let in, or may not do this.
    pub fn is_denied(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }

    /// The name of the refused request in the server's log.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Api(ApiError::Refused(refused))
            | Self::Transfer(TransferError::Api(ApiError::Refused(refused))) => refused.request_id.as_deref(),
            Self::Remote(error) | Self::Transfer(TransferError::Remote(error)) => {
                error.refusal()?.request_id.as_deref()
            }
            _ => None,
        }
    }
}
