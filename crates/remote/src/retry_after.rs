//! `Retry-After` (RFC 9110 section 10.2.3): how long a server asks to be left alone.
//!
//! A date is held against the `Date` of the same answer, so that a client whose clock is wrong waits as long
//! as the server meant. The header is hostile until parsed; whoever waits caps the result.

use std::time::Duration;

use hythe_outbound::{Response, header};
use jiff::Timestamp;
use jiff::fmt::rfc2822;

/// What the answer says, or `None` when it says nothing that can be read.
pub(crate) fn of(response: &Response) -> Option<Duration> {
    parse(response.header(&header::RETRY_AFTER)?, response.header(&header::DATE))
}

/// Reads seconds, or a date later than `now`, the server's own.
fn parse(value: &str, now: Option<&str>) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // What does not fit is a long time, and is capped like one.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let wait = date(value)?.duration_since(date(now?)?);
    // A time that is past means at once.
    Some(Duration::try_from(wait).unwrap_or_default())
}

/// The form of HTTP dates that is not obsolete: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<Timestamp> {
    rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Option<&str> = Some("Sun, 06 Nov 1994 08:49:37 GMT");

    #[test]
    fn seconds_and_dates_are_read() {
        assert_eq!(parse("0", None), Some(Duration::ZERO));
        assert_eq!(parse(" 120 ", None), Some(Duration::from_secs(120)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:50:07 GMT", NOW), Some(Duration::from_secs(30)));
        assert_eq!(parse("Sun, 06 Nov 1994 08:00:00 GMT", NOW), Some(Duration::ZERO), "past");
        assert_eq!(parse("99999999999999999999999", None), Some(Duration::from_secs(u64::MAX)));
    }

    #[test]
    fn what_cannot_be_read_says_nothing() {
        for value in ["", "-1", "1.5", "soon", "Sun, 06 Nov", "1e9"] {
            assert_eq!(parse(value, NOW), None, "{value}");
        }
        assert_eq!(
            parse("Sun, 06 Nov 1994 08:50:07 GMT", None),
            None,
            "no clock but ours to hold it against"
        );
    }

    proptest! {
        #[test]
        fn no_header_panics(value in "\\PC*", now in "\\PC*") {
            parse(&value, Some(&now));
            parse(&value, NOW);
        }
    }
}
