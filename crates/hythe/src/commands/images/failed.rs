//! What a failed transfer means for the person and the exit code.

use hythe_client::transfer::TransferError;
use hythe_oci::ErrorCode;
use hythe_outbound::OutboundError;
use hythe_remote::RemoteError;

use crate::commands::session::refused;
use crate::failure::{Exit, Failure, sentence};

/// A registry that did not do what it was asked.
pub(super) fn failed(error: RemoteError) -> Failure {
    let error = match error {
        // In a copy the content comes from a registry as well, and that is the one that did not do it.
        RemoteError::Content(error) => match error.downcast::<RemoteError>() {
            Ok(cause) => return failed(cause),
            Err(error) => RemoteError::Content(error),
        },
        other => other,
    };
    let exit = match (&error, error.status()) {
        (RemoteError::Outbound(error), _) if error.is_unreachable() => Exit::Unreachable,
        (RemoteError::Address { .. } | RemoteError::Credentials { .. }, _) => Exit::Usage,
        (_, Some(401 | 403)) => Exit::Refused,
        (_, Some(404)) => Exit::NotFound,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, sentence(&error));
    match (&error, exit) {
        (RemoteError::Outbound(OutboundError::Certificate { .. }), _) => {
            failure.hint("--ca FILE or HYTHE_CA names the authority that signed it")
        }
        (_, Exit::Unreachable) => failure.hint("check that the registry runs and that its name is right"),
        // Who is known and not allowed need not sign in, but may not be who they think.
        (RemoteError::Refused(refusal), Exit::Refused) if refusal.has_code(ErrorCode::Denied) => {
            failure.hint("`hythe whoami` tells who you are there, and `hythe login` makes you somebody else")
        }
        (_, Exit::Refused) if error.status() == Some(401) => {
            failure.hint("run `hythe login --server URL --username NAME`, or log in with docker or podman")
        }
        (RemoteError::WrongDigest { .. } | RemoteError::WrongSize { .. }, _) => {
            failure.hint("nothing of it was kept; try again, and tell the registry's operator if it stays")
        }
        _ => failure,
    }
}

/// A transfer that did not come to its end.
pub(super) fn transfer_failed(error: TransferError) -> Failure {
    match error {
        TransferError::Remote(error) => failed(error),
        // An archive is a stream, whose end may be the registry's doing.
        TransferError::Stream(error) => match error.downcast::<RemoteError>() {
            Ok(cause) => failed(cause),
            Err(error) => Failure::new(Exit::Failed, sentence(TransferError::Stream(error))),
        },
        TransferError::Api(error) => refused(error),
        TransferError::Platform { .. } => {
            Failure::new(Exit::NotFound, sentence(&error)).hint("name one of these with --platform")
        }
        TransferError::Engine(_) => Failure::new(Exit::Failed, sentence(&error)).hint(
            "the image can also come from a file: `oci:FOLDER`, `archive:FILE`, or - for standard input",
        ),
        _ => Failure::new(Exit::Failed, sentence(&error)),
    }
}
