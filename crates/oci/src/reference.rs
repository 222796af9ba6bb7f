//! References: what names a manifest within a repository.

use std::fmt;

use crate::digest::{Digest, DigestError};
use crate::tag::{Tag, TagError};
use crate::text::text_form;

/// A tag or a digest. Tags hold no colon and digests do, so the text tells which it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A name that may move.
    Tag(Tag),
    /// A content address.
    Digest(Digest),
}

impl Reference {
    /// Reads a tag, or a digest if `text` holds a colon.
    ///
    /// # Errors
    /// [`ReferenceError`] tells which of the two it looked like, and what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        if text.contains(':') {
            Ok(Self::Digest(Digest::parse(text)?))
        } else {
            Ok(Self::Tag(Tag::parse(text)?))
        }
    }

    /// The tag, if it is one.
    pub const fn tag(&self) -> Option<&Tag> {
        match self {
            Self::Tag(tag) => Some(tag),
            Self::Digest(_) => None,
        }
    }

    /// The digest, if it is one.
    pub const fn digest(&self) -> Option<&Digest> {
        match self {
            Self::Tag(_) => None,
            Self::Digest(digest) => Some(digest),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => tag.fmt(formatter),
            Self::Digest(digest) => digest.fmt(formatter),
        }
    }
}

impl From<Tag> for Reference {
    fn from(tag: Tag) -> Self {
        Self::Tag(tag)
    }
}

impl From<Digest> for Reference {
    fn from(digest: Digest) -> Self {
        Self::Digest(digest)
    }
}

text_form!(Reference, ReferenceError);

/// Why a reference was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// It holds no colon, so it was read as a tag.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// It holds a colon, so it was read as a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;
    use crate::digest::Algorithm;

    #[test]
    fn a_colon_makes_a_digest() {
        let digest = Digest::of(Algorithm::Sha256, b"");
        assert_eq!(Reference::parse(&digest.to_string()).unwrap().digest(), Some(&digest));
        assert_eq!(Reference::parse("latest").unwrap().tag().map(Tag::as_str), Some("latest"));
        // A digest's hexadecimal digits alone are a fine tag.
        assert!(Reference::parse(&digest.hex()).unwrap().tag().is_some());
        assert!(matches!(Reference::parse("sha256:bad"), Err(ReferenceError::Digest(_))));
        assert!(matches!(Reference::parse(""), Err(ReferenceError::Tag(TagError::Empty))));
    }

    proptest! {
        #[test]
        fn a_reference_reads_back(reference in arbitrary::reference()) {
            prop_assert_eq!(Reference::parse(&reference.to_string()).unwrap(), reference);
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text in any::<String>()) {
            if let Ok(reference) = Reference::parse(&text) {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }
}
