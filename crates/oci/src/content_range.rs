//! The `Content-Range` header of upload chunks (distribution specification, "Pushing a blob in
//! chunks"): `first-last`, both included, without a unit.

use std::fmt;

use crate::quote::quoted;
use crate::text::text_form;

/// Where a chunk lies in its blob. It holds at least one byte, and its end fits in 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    first: u64,
    last: u64,
}

impl ContentRange {
    /// The chunk from `first` to `last`, both included.
    ///
    /// `None` when it runs backwards, or its length does not fit in 64 bits.
    pub fn new(first: u64, last: u64) -> Option<Self> {
        (first <= last && last < u64::MAX).then_some(Self { first, last })
    }

    /// Reads the header's value. The form of RFC 9110, `bytes first-last/size`, is understood too.
    ///
    /// # Errors
    /// [`ContentRangeError`] when it is not two numbers in order, joined by `-`.
    pub fn parse(value: &str) -> Result<Self, ContentRangeError> {
        let refuse = || ContentRangeError { shown: quoted(value) };
        let value = value.trim();
        let range = match value.split_once(' ') {
            Some((unit, range)) if unit.eq_ignore_ascii_case("bytes") => range.trim_start(),
            Some(_) => return Err(refuse()),
            None => value,
        };
        // The size after the slash, if there is one, is not needed: the closing PUT tells it.
        let range = match range.split_once('/') {
            Some((range, size)) if size == "*" || number(size).is_some() => range,
            Some(_) => return Err(refuse()),
            None => range,
        };
        range
            .split_once('-')
            .and_then(|(first, last)| Self::new(number(first)?, number(last)?))
            .ok_or_else(refuse)
    }

    /// The offset of the chunk's first byte.
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The offset of the chunk's last byte.
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// How many bytes the chunk holds; never 0.
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> u64 {
        self.last - self.first + 1
    }
}

fn number(digits: &str) -> Option<u64> {
    // `u64::from_str` would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

impl fmt::Display for ContentRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.first, self.last)
    }
}

text_form!(ContentRange, ContentRangeError);

/// The `Content-Range` of a chunk cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The Content-Range {shown} is not valid; a chunk's range is its first and last offset joined by `-`, such as `0-1023`."
)]
pub struct ContentRangeError {
    shown: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_forms_are_read() {
        for (value, first, last) in [
            ("0-0", 0, 0),
            ("0-1023", 0, 1023),
            (" 5-9 ", 5, 9),
            ("bytes 5-9/*", 5, 9),
            ("Bytes 5-9/100", 5, 9),
            ("bytes 5-9", 5, 9),
            ("5-9/10", 5, 9),
        ] {
            let range = ContentRange::parse(value).unwrap();
            assert_eq!(
                (range.first(), range.last(), range.len()),
                (first, last, last - first + 1),
                "{value}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [
            "",
            "-",
            "5",
            "5-",
            "-5",
            "9-5",
            "+5-9",
            "5--9",
            "a-b",
            "bytes=5-9",
            "items 5-9/*",
            "bytes */10",
            "5-9/",
            "5-9/x",
            "5-9,10-12",
            "0-18446744073709551615",
            "18446744073709551616-18446744073709551617",
        ] {
            let error = ContentRange::parse(value).expect_err(value).to_string();
            assert!(error.contains("`0-1023`"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_reads_back(one in 0..u64::MAX, other in 0..u64::MAX) {
            let range = ContentRange::new(one.min(other), one.max(other)).unwrap();
            prop_assert_eq!(ContentRange::parse(&range.to_string()).unwrap(), range);
            prop_assert_eq!(ContentRange::parse(&format!("bytes {range}/*")).unwrap(), range);
        }

        #[test]
        fn what_is_taken_holds_a_byte(value in "(bytes )?[0-9+-]{0,22}(/[0-9*]{0,3})?|.*") {
            if let Ok(range) = ContentRange::parse(&value) {
                prop_assert!(range.len() >= 1 && range.first() <= range.last());
            }
        }
    }
}
