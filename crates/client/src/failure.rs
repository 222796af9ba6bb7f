//! Whatever can go wrong in the SDK, in one type.

use std::io;
use std::path::PathBuf;

use hythe_api::ProblemCode;
use hythe_oci::Digest;
use hythe_outbound::OutboundError;
use hythe_remote::{Refusal, RemoteError};
use thiserror::Error;

use crate::account::AccountError;
use crate::engine::EngineError;
use crate::image::ImageNameError;
use crate::profiles::ProfilesError;
use crate::transfer::TransferError;
use crate::{ApiError, Refused};

/// A call of the SDK that did not lead to what was asked for.
///
/// Match on the variants for what happened where; [`code`](Self::code), [`sentence`](Self::sentence),
/// [`detail`](Self::detail) and [`request_id`](Self::request_id) are the same for all of them.
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
    /// The file of profiles.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
    /// The HTTP client cannot be made, such as for a damaged certificate.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The certificate authority that a profile names cannot be read.
    #[error("The certificate file {} cannot be read: {source}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No engine here has an image of this name.
    #[error("There is no image {name} in {engines}: check the name, or build the image first")]
    NoLocalImage {
        /// The name.
        name: String,
        /// The engines that were asked, such as `docker or podman`.
        engines: String,
    },
    /// No engine runs here.
    #[error(
        "There is no container engine here for {what}: start docker, podman or containerd, or use a folder or an archive"
    )]
    NoEngine {
        /// The image or container.
        what: String,
    },
    /// A tag is needed, and a digest alone names the image.
    #[error("{image} has no tag, and one is needed here: write one behind the name")]
    NoTag {
        /// The image.
        image: String,
    },
    /// The image has another digest than the one that was to be removed. Nothing was changed.
    #[error("{image} is {found} now and not {asked}, so nothing was removed: look at it again first")]
    OtherDigest {
        /// The image.
        image: String,
        /// The digest that was named.
        asked: Digest,
        /// The one that it has.
        found: Digest,
    },
}

/// What a registry or server answered instead.
enum Answer<'e> {
    Registry(&'e Refusal),
    Server(&'e Refused),
}

impl ClientError {
    fn answer(&self) -> Option<Answer<'_>> {
        match self {
            Self::Api(ApiError::Refused(refused))
            | Self::Transfer(TransferError::Api(ApiError::Refused(refused)))
            | Self::Account(AccountError::Refused(refused)) => Some(Answer::Server(refused)),
            Self::Remote(error) | Self::Transfer(TransferError::Remote(error)) => {
                error.refusal().map(Answer::Registry)
            }
            _ => None,
        }
    }

    /// The word for programs of whoever refused: a registry's error code such as `DENIED`, or a
    /// [`ProblemCode`] such as `not_found`. `None` when nobody refused, or without a word.
    pub fn code(&self) -> Option<String> {
        match self.answer()? {
            Answer::Registry(refusal) => refusal.code().map(ToOwned::to_owned),
            Answer::Server(refused) => problem_word(refused.code?),
        }
    }

    /// The sentence for people of whoever refused, without control characters; what `Display` writes where there is none.
    pub fn sentence(&self) -> String {
        let said = self.answer().and_then(|answer| match answer {
            Answer::Registry(refusal) => refusal.message(),
            Answer::Server(refused) => refused.detail.as_deref(),
        });
        said.map_or_else(|| self.to_string(), ToOwned::to_owned)
    }

    /// What a registry added to its refusal, of any shape. It is data from outside, and nothing in it has been checked.
    pub fn detail(&self) -> Option<&serde_json::Value> {
        match self.answer()? {
            Answer::Registry(refusal) => refusal.errors.iter().find_map(|entry| entry.detail.as_ref()),
            Answer::Server(_) => None,
        }
    }

    /// The name of the refused request in the server's log.
    pub fn request_id(&self) -> Option<&str> {
        match self.answer()? {
            Answer::Registry(refusal) => refusal.request_id.as_deref(),
            Answer::Server(refused) => refused.request_id.as_deref(),
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        self.answer().map(|answer| match answer {
            Answer::Registry(refusal) => refusal.status,
            Answer::Server(refused) => refused.status,
        })
    }

    /// Whether what was asked for is not there, or must look so.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Whether the caller is not let in, or may not do this.
    pub fn is_denied(&self) -> bool {
        matches!(self.status(), Some(401 | 403))
    }
}

fn problem_word(code: ProblemCode) -> Option<String> {
    serde_json::to_value(code).ok()?.as_str().map(ToOwned::to_owned)
}
