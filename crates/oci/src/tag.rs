//! Tags: the movable names of manifests within a repository.

use std::fmt;
use std::sync::Arc;

use crate::digest::Digest;
use crate::limits::TAG_BYTES;
use crate::quote::quoted;
use crate::text::text_form;

/// A tag: `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}` (distribution specification, "Pulling manifests").
///
/// Ordered by bytes, as tag lists are. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(Arc<str>);

impl Tag {
    /// Reads a tag.
    ///
    /// # Errors
    /// [`TagError`] when `text` is empty, longer than [`TAG_BYTES`] or outside the grammar.
    pub fn parse(text: &str) -> Result<Self, TagError> {
        let shown = || quoted(text);
        let Some(first) = text.chars().next() else {
            return Err(TagError::Empty);
        };
        if text.len() > TAG_BYTES {
            return Err(TagError::TooLong { shown: shown(), found: text.len() });
        }
        if matches!(first, '.' | '-') {
            return Err(TagError::Start { shown: shown(), character: first });
        }
        match text.chars().find(|&character| !is_tag_character(character)) {
            None => Ok(Self(text.into())),
            Some(character) => Err(TagError::Character { shown: shown(), character }),
        }
    }

    /// The tag as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag under which clients keep the list of a subject's referrers on registries without the
    /// referrers API: algorithm (at most 32 bytes), `-`, encoded part (at most 64 bytes)
    /// (distribution specification, "Referrers tag schema").
    pub(crate) fn of_referrers(subject: &Digest) -> Self {
        let hex = subject.hex();
        let cut = hex.get(..64).unwrap_or(&hex);
        Self(format!("{}-{cut}", subject.algorithm()).into())
    }
}

const fn is_tag_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
}

impl fmt::Display for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl AsRef<str> for Tag {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

text_form!(Tag, TagError);

/// Why a tag was refused; its text is a sentence for the person who typed the tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagError {
    /// Nothing stands where a tag is expected.
    #[error("The tag is empty; give a tag such as `latest` or `1.0`.")]
    Empty,
    /// More than [`TAG_BYTES`] bytes.
    #[error("The tag {shown} is {found} bytes long, and at most {TAG_BYTES} are allowed.")]
    TooLong {
        /// The tag, quoted and clipped.
        shown: String,
        /// Its length in bytes.
        found: usize,
    },
    /// `.` or `-` in front.
    #[error("The tag {shown} begins with `{character}`; a tag begins with a letter, a digit or `_`.")]
    Start {
        /// The tag, quoted and clipped.
        shown: String,
        /// Its first character.
        character: char,
    },
    /// A character that tags do not have.
    #[error("The tag {shown} holds {}; a tag holds letters, digits, `_`, `.` and `-` only.", quoted(&.character.to_string()))]
    Character {
        /// The tag, quoted and clipped.
        shown: String,
        /// The first character outside the grammar.
        character: char,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    #[test]
    fn tags_follow_the_grammar() {
        let longest = format!("_{}", "x".repeat(TAG_BYTES - 1));
        for good in ["latest", "1.0", "_x", "A-b_C.9", "list", "uploads", longest.as_str()] {
            assert_eq!(Tag::parse(good).unwrap().as_str(), good);
        }
        let too_long = "x".repeat(TAG_BYTES + 1);
        for bad in ["", ".x", "-x", "a b", "a/b", "a:b", "a+b", "é", "a\0", too_long.as_str()] {
            assert!(Tag::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_error_says_what_and_why() {
        for (tag, sentence) in [
            ("", "The tag is empty; give a tag such as `latest` or `1.0`."),
            (".x", "The tag `.x` begins with `.`; a tag begins with a letter, a digit or `_`."),
            ("1+2", "The tag `1+2` holds `+`; a tag holds letters, digits, `_`, `.` and `-` only."),
        ] {
            assert_eq!(Tag::parse(tag).unwrap_err().to_string(), sentence);
        }
    }

    #[test]
    fn tags_are_in_byte_order() {
        let mut tags = ["b", "a", "B", "_", "10", "9"].map(|tag| Tag::parse(tag).unwrap());
        tags.sort();
        assert_eq!(tags.map(|tag| tag.to_string()), ["10", "9", "B", "_", "a", "b"]);
    }

    proptest! {
        #[test]
        fn a_tag_reads_back(tag in arbitrary::tag()) {
            prop_assert_eq!(Tag::parse(&format!("{tag}")).unwrap(), tag);
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text in any::<String>()) {
            if let Ok(tag) = Tag::parse(&text) {
                prop_assert_eq!(tag.as_str(), text);
            }
        }
    }
}
