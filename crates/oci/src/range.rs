//! The `Range` header of blob downloads (RFC 9110 section 14).
//!
//! Every part of an answer lies within the content, and the parts together are never more than the
//! content, so a request cannot cost more than the whole blob.

use std::fmt;
use std::ops::Range;

use crate::limits::{RANGE_OVERLAPS, RANGE_PARTS};

/// What to answer to a `Range` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RangeAnswer {
    /// 200 with the whole content: there is no range that would have to be honoured.
    Whole,
    /// 206 with these parts (1 to [`RANGE_PARTS`]) in the order asked for; none is empty, the end is
    /// exclusive.
    Parts(Vec<Range<u64>>),
    /// 416: every range asked for lies outside the content or runs backwards.
    Unsatisfiable,
}

/// The ranges of a well-formed `Range: bytes=…` header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteRanges(Vec<Asked>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// `first-last`, both included; `last` may lie before `first`.
    Between { first: u64, last: u64 },
    /// `first-`
    From { first: u64 },
    /// `-length`
    Last { length: u64 },
}

impl ByteRanges {
    /// The answer to the header `value` on content of `size` bytes.
    ///
    /// A header that is malformed, in another unit than bytes, or asks for too many or too much
    /// overlapping parts is answered with the whole, as RFC 9110 section 14.2 allows. A range that
    /// runs backwards counts as outside the content: the conformance suite asks for 416 there.
    pub fn parse(value: &str, size: u64) -> RangeAnswer {
        Self::read(value).map_or(RangeAnswer::Whole, |ranges| ranges.within(size))
    }

    /// Reads the header's value; `None` when it is malformed, too long or in another unit.
    pub fn read(value: &str) -> Option<Self> {
        let (unit, list) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        // A list may hold empty elements (RFC 9110 section 5.6.1.2).
        let elements = list.split(',').map(|element| element.trim_matches([' ', '\t']));
        let mut asked = Vec::new();
        for element in elements.filter(|element| !element.is_empty()) {
            if asked.len() == RANGE_PARTS {
                return None;
            }
            asked.push(Asked::read(element)?);
        }
        (!asked.is_empty()).then_some(Self(asked))
    }

    /// The answer on content of `size` bytes.
    pub fn within(&self, size: u64) -> RangeAnswer {
        if size == 0 {
            // No 206 can name a part of nothing; the whole is exactly as many bytes as asked for.
            return RangeAnswer::Whole;
        }
        let parts: Vec<_> = self.0.iter().filter_map(|asked| asked.within(size)).collect();
        if parts.is_empty() {
            RangeAnswer::Unsatisfiable
        } else if costs_more_than_the_whole(&parts, size) {
            RangeAnswer::Whole
        } else {
            RangeAnswer::Parts(parts)
        }
    }
}

impl Asked {
    fn read(element: &str) -> Option<Self> {
        match element.split_once('-')? {
            ("", length) => Some(Self::Last { length: number(length)? }),
            (first, "") => Some(Self::From { first: number(first)? }),
            (first, last) => Some(Self::Between { first: number(first)?, last: number(last)? }),
        }
    }

    fn within(self, size: u64) -> Option<Range<u64>> {
        let part = match self {
            Self::Between { first, last } => first..last.saturating_add(1).min(size),
            Self::From { first } => first..size,
            Self::Last { length } => size.saturating_sub(length)..size,
        };
        (!part.is_empty()).then_some(part)
    }
}

/// Digits only; a number too large for 64 bits lies past the end of any content all the same.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn costs_more_than_the_whole(parts: &[Range<u64>], size: u64) -> bool {
    let total = parts.iter().fold(0_u64, |total, part| total.saturating_add(part.end - part.start));
    let mut sorted = parts.to_vec();
    sorted.sort_unstable_by_key(|part| part.start);
    let mut overlaps = 0;
    let mut reached = 0;
    for part in sorted {
        overlaps += usize::from(part.start < reached);
        reached = reached.max(part.end);
    }
    total > size || overlaps > RANGE_OVERLAPS
}

impl fmt::Display for ByteRanges {
    /// The header's value in its plainest form; [`ByteRanges::read`] reads it back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("bytes=")?;
        for (at, asked) in self.0.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            match asked {
                Asked::Between { first, last } => write!(formatter, "{comma}{first}-{last}")?,
                Asked::From { first } => write!(formatter, "{comma}{first}-")?,
                Asked::Last { length } => write!(formatter, "{comma}-{length}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Parts from their starts and ends.
    fn parts(parts: &[(u64, u64)]) -> RangeAnswer {
        RangeAnswer::Parts(parts.iter().map(|&(start, end)| start..end).collect())
    }

    #[test]
    fn ranges_are_answered_within_the_content() {
        for (value, answer) in [
            ("bytes=500-1499", parts(&[(500, 1500)])),
            ("bytes=500-", parts(&[(500, 2048)])),
            ("bytes=-500", parts(&[(1548, 2048)])),
            ("bytes=-5000", parts(&[(0, 2048)])),
            ("bytes=2000-5000", parts(&[(2000, 2048)])),
            ("bytes=0-18446744073709551615", parts(&[(0, 2048)])),
            ("bytes=0-99999999999999999999999", parts(&[(0, 2048)])),
            ("Bytes = 0-0", parts(&[(0, 1)])),
            ("bytes=0-0, 10-19 ,,-1", parts(&[(0, 1), (10, 20), (2047, 2048)])),
            ("bytes=10-19,0-0", parts(&[(10, 20), (0, 1)])),
            ("bytes=0-9,5000-6000", parts(&[(0, 10)])),
            ("bytes=0-9,9-0", parts(&[(0, 10)])),
            ("bytes=5000-10000", RangeAnswer::Unsatisfiable),
            ("bytes=2048-", RangeAnswer::Unsatisfiable),
            ("bytes=500-0", RangeAnswer::Unsatisfiable),
            ("bytes=-0", RangeAnswer::Unsatisfiable),
            ("bytes=99999999999999999999999-", RangeAnswer::Unsatisfiable),
        ] {
            assert_eq!(ByteRanges::parse(value, 2048), answer, "{value}");
        }
    }

    #[test]
    fn what_is_not_understood_gives_the_whole() {
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=0-9;1-2",
            "bytes=+0-9",
            "bytes=0-9,x",
            "items=0-9",
            "bytes 0-9",
            "bytes=0x1-0x2",
            "bytes=0 - 9",
            "bytes=--5",
        ] {
            assert_eq!(ByteRanges::parse(value, 2048), RangeAnswer::Whole, "{value}");
        }
    }

    #[test]
    fn nothing_has_no_parts() {
        for value in ["bytes=0-", "bytes=0-9", "bytes=-1", "bytes=9-0"] {
            assert_eq!(ByteRanges::parse(value, 0), RangeAnswer::Whole, "{value}");
        }
    }

    #[test]
    fn too_many_parts_give_the_whole() {
        let list = |count: u64| {
            let parts: Vec<_> = (0..count).map(|at| format!("{}-{}", at * 2, at * 2)).collect();
            format!("bytes={}", parts.join(","))
        };
        let most = u64::try_from(RANGE_PARTS).unwrap();
        assert!(
            matches!(ByteRanges::parse(&list(most), 1 << 20), RangeAnswer::Parts(parts) if parts.len() == RANGE_PARTS)
        );
        assert_eq!(ByteRanges::parse(&list(most + 1), 1 << 20), RangeAnswer::Whole);
    }

    #[test]
    fn overlaps_give_the_whole() {
        for (value, answer) in [
            ("bytes=0-9,5-14", parts(&[(0, 10), (5, 15)])),
            ("bytes=0-9,1-2,3-4", parts(&[(0, 10), (1, 3), (3, 5)])),
            ("bytes=0-9,1-2,3-4,5-6", RangeAnswer::Whole),
            ("bytes=0-,0-", RangeAnswer::Whole),
            ("bytes=0-50,49-", RangeAnswer::Whole),
        ] {
            assert_eq!(ByteRanges::parse(value, 100), answer, "{value}");
        }
    }

    fn asked() -> impl Strategy<Value = Asked> {
        let offset = || prop_oneof![0..300_u64, any::<u64>()];
        prop_oneof![
            (offset(), offset()).prop_map(|(first, last)| Asked::Between { first, last }),
            offset().prop_map(|first| Asked::From { first }),
            offset().prop_map(|length| Asked::Last { length }),
        ]
    }

    fn check(answer: &RangeAnswer, size: u64) -> Result<(), TestCaseError> {
        if let RangeAnswer::Parts(parts) = answer {
            prop_assert!((1..=RANGE_PARTS).contains(&parts.len()));
            prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size), "{:?}", parts);
            prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= size);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn ranges_read_back_and_lie_within(asked in prop::collection::vec(asked(), 1..6), size in 0..400_u64) {
            let ranges = ByteRanges(asked);
            prop_assert_eq!(ByteRanges::read(&ranges.to_string()), Some(ranges.clone()));
            check(&ranges.within(size), size)?;
        }

        #[test]
        fn any_header_is_answered_within(value in "bytes=[0-9, -]{0,40}|.*", size in any::<u64>()) {
            check(&ByteRanges::parse(&value, size), size)?;
        }
    }
}
