//! Why an image was not moved.

use std::io;
use std::path::PathBuf;

use hythe_remote::RemoteError;
use thiserror::Error;

use crate::ApiError;
use crate::engine::EngineError;
use crate::source::SourceError;

/// A transfer that did not come to its end.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The registry refused, failed, or cannot be understood.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The server refused a call of its own interface.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An engine of this machine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The image on this machine cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A file or folder cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A stream of this machine broke off.
    #[error("the transfer broke off: {0}")]
    Stream(#[source] io::Error),
    /// The image has no part for the platform asked for.
    #[error("the image has nothing for {platform}; it has {held}")]
    Platform {
        /// What was asked.
        platform: String,
        /// What there is.
        held: String,
    },
    /// What is there makes no sense.
    #[error("{0}")]
    Invalid(String),
}
