//! Why a local image cannot be read.

use std::io;
use std::path::PathBuf;

use hythe_oci::{Digest, ManifestError};
use thiserror::Error;

/// A local image that cannot be read, or is not what it says.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file or folder cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The stream broke off or is no tar archive.
    #[error("the archive cannot be read: {0}")]
    Stream(#[source] io::Error),
    /// It is neither an OCI layout nor a docker archive.
    #[error("{what} is neither an OCI layout nor a docker archive: {problem}")]
    Form {
        /// The file or stream.
        what: String,
        /// What is missing or wrong.
        problem: String,
    },
    /// It is no archive of an image that any honest program writes.
    #[error("the archive is not taken: {0}")]
    Refused(String),
    /// A manifest or index in it cannot be trusted.
    #[error("the manifest {digest} in it cannot be used: {problem}")]
    Manifest {
        /// Which.
        digest: Digest,
        /// What is wrong with it.
        problem: ManifestError,
    },
    /// Content is not what its digest says, or is not there.
    #[error("{digest} is {problem}")]
    Content {
        /// What was looked for.
        digest: Digest,
        /// What is the matter with it.
        problem: String,
    },
    /// No image of this name, or none was named among several.
    #[error("{problem}; it holds {}", names(held))]
    Choice {
        /// What was asked.
        problem: String,
        /// What there is.
        held: Vec<String>,
    },
}

/// At most ten names in a sentence.
fn names(held: &[String]) -> String {
    match held {
        [] => "no named image".to_owned(),
        held if held.len() > 10 => format!("{} and {} more", held[..10].join(", "), held.len() - 10),
        held => held.join(", "),
    }
}
