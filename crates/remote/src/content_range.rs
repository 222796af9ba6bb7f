//! `Content-Range` of an answer (RFC 9110 section 14.4) and `Range` of an upload (distribution specification,
//! "Pushing a blob in chunks"), both hostile until parsed.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

/// Which part of a blob an answer carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    /// The offset of its first byte.
    pub(crate) first: u64,
    /// The offset after its last byte; larger than `first`.
    pub(crate) end: u64,
    /// The size of the whole, where the server knows it.
    pub(crate) total: Option<u64>,
}

/// Reads `bytes FIRST-LAST/TOTAL`, where the total may be `*`.
pub(crate) fn served(value: &str) -> Option<Served> {
    let (unit, rest) = value.trim().split_once(' ')?;
    let (range, total) = rest.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let end = last.checked_add(1)?;
    let total = match total {
        "*" => None,
        digits => Some(number(digits)?),
    };
    let sound = unit.eq_ignore_ascii_case("bytes") && first <= last && total.is_none_or(|total| end <= total);
    sound.then_some(Served { first, end, total })
}

/// How many bytes of an upload a registry says it has: `0-LAST`, or `bytes=0-LAST`.
///
/// Registries write `0-0` for none as well as for one; `confirmed`, what is known already, tells them apart,
/// and in doubt there are none. `0--1` and `bytes=0--1` mean none without doubt.
pub(crate) fn held(value: &str, confirmed: u64) -> Option<u64> {
    let value = value.trim();
    let value = value.strip_prefix("bytes=").unwrap_or(value);
    match value.strip_prefix("0-")? {
        "-1" => Some(0),
        last => match number(last)? {
            0 => Some(confirmed.min(1)),
            last => last.checked_add(1),
        },
    }
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_in_use_are_read() {
        assert_eq!(served("bytes 5-9/10"), Some(Served { first: 5, end: 10, total: Some(10) }));
        assert_eq!(served("Bytes 0-0/*"), Some(Served { first: 0, end: 1, total: None }));
        assert_eq!(held("0-99", 0), Some(100));
        assert_eq!(held("bytes=0-99", 7), Some(100));
        assert_eq!((held("0-0", 0), held("0-0", 1), held("0-0", 9)), (Some(0), Some(1), Some(1)));
        assert_eq!(held("0--1", 5), Some(0));
    }

    #[test]
    fn lies_and_rubbish_are_not() {
        for value in [
            "",
            "bytes",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "bytes */10",
            "items 0-1/2",
            "bytes +1-2/3",
            "bytes 0-18446744073709551615/*",
            "0-1/2",
        ] {
            assert_eq!(served(value), None, "{value}");
        }
        for value in ["", "0", "5-9", "0-x", "0-18446744073709551615", "-", "0-+1", "9-0"] {
            assert_eq!(held(value, 0), None, "{value}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_sound(value in "\\PC*", first: u64, last: u64, total: u64) {
            held(&value, first);
            for value in [value, format!("bytes {first}-{last}/{total}")] {
                if let Some(Served { first, end, total }) = served(&value) {
                    prop_assert!(first < end && total.is_none_or(|total| end <= total));
                }
            }
        }

        #[test]
        fn what_is_written_is_read(first in 0..1_u64 << 40, length in 1..1_u64 << 40, more in 0..9_u64) {
            let (end, total) = (first + length, first + length + more);
            let expected = Served { first, end, total: Some(total) };
            prop_assert_eq!(served(&format!("bytes {first}-{}/{total}", end - 1)), Some(expected));
        }
    }
}
