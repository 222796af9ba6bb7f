//! Why the name of an image was refused, in sentences that say what to write instead.

use hythe_oci::{DigestError, NameError, TagError};
use thiserror::Error;

/// Most characters of a refused text that an error shows.
const SHOWN_CHARS: usize = 80;

/// A name, address or registry that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ImageNameError {
    /// The text as a whole cannot be a name.
    #[error("{shown} is not the name of an image: {problem}.")]
    Name {
        /// The text, quoted and clipped.
        shown: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The text as a whole cannot be an `image:` address.
    #[error("{shown} is not an image address: {problem}.")]
    Uri {
        /// The text, quoted and clipped.
        shown: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// What stands for the registry is none.
    #[error("{shown} is not a registry: {problem}.")]
    Registry {
        /// The text, quoted and clipped, without credentials.
        shown: String,
        /// What is wrong and what to write.
        problem: String,
    },
    /// The path is outside the grammar of repository names.
    #[error(transparent)]
    Repository(#[from] NameError),
    /// The tag is outside its grammar.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The digest is none.
    #[error(transparent)]
    Digest(#[from] DigestError),
    /// No profile is set up, so a short name stands for nothing.
    #[error(
        "{shown} needs a registry, and none is configured; write the registry's host in front, or log in to one \
         first."
    )]
    NoCluster {
        /// The text, quoted and clipped.
        shown: String,
    },
    /// The address names a cluster that the profile does not know.
    #[error("There is no cluster {cluster} in the profile; {known}.")]
    UnknownCluster {
        /// The cluster's name, quoted and clipped.
        cluster: String,
        /// Which ones there are.
        known: String,
    },
    /// The short name needs a default project, and the cluster has none.
    #[error(
        "{shown} names no project, and the cluster {cluster} has no default project; write `image:/PROJECT/{name}`, \
         or set a default project."
    )]
    NoProject {
        /// The text, quoted and clipped.
        shown: String,
        /// The cluster's name, quoted.
        cluster: String,
        /// The image's name in its project.
        name: String,
    },
    /// An image belongs to an organisation, and the cluster has none, or the other way round.
    #[error("{problem}.")]
    Organisation {
        /// What does not fit together.
        problem: String,
    },
    /// [`unique_tag`](super::unique_tag) was asked for too many or too few digits.
    #[error("A unique tag has 1 to {most} digits of the image's digest, not {asked}.")]
    UniqueDigits {
        /// How many were asked for.
        asked: usize,
        /// How many the digest has and a tag holds.
        most: usize,
    },
}

/// `text` in backquotes, control characters escaped, clipped to a line.
pub(super) fn shown(text: &str) -> String {
    let mut shown = String::from("`");
    let mut characters = text.chars();
    for character in characters.by_ref().take(SHOWN_CHARS) {
        match character {
            '"' | '\'' => shown.push(character),
            '`' => shown.push_str("\\`"),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

pub(super) fn bad_name(text: &str, problem: impl Into<String>) -> ImageNameError {
    ImageNameError::Name { shown: shown(text), problem: problem.into() }
}

pub(super) fn bad_uri(text: &str, problem: impl Into<String>) -> ImageNameError {
    ImageNameError::Uri { shown: shown(text), problem: problem.into() }
}

pub(super) fn bad_registry(text: &str, problem: impl Into<String>) -> ImageNameError {
    ImageNameError::Registry { shown: shown(text), problem: problem.into() }
}
