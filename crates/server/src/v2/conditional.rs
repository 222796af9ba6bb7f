//! Conditional requests (RFC 9110, section 13) on things whose entity tag is their digest.

use http::{HeaderMap, HeaderValue, header};
use hythe_oci::Digest;

use super::fault::Fault;
use super::value;

pub(super) fn entity_tag(digest: &Digest) -> Result<HeaderValue, Fault> {
    value(format_args!("\"{digest}\""))
}

/// Whether `If-None-Match` names what the client would get: then 304.
pub(super) fn not_modified(headers: &HeaderMap, digest: &Digest) -> bool {
    if !headers.contains_key(header::IF_NONE_MATCH) {
        return false;
    }
    let wanted = digest.to_string();
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"') == wanted)
}

/// Whether a `Range` still applies: `If-Range` is absent or names this very thing.
pub(super) fn range_applies(headers: &HeaderMap, digest: &Digest) -> bool {
    match headers.get(header::IF_RANGE) {
        None => true,
        Some(tag) => tag.to_str().is_ok_and(|tag| tag.trim().trim_matches('"') == digest.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hythe_oci::Algorithm;

    fn with(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn matches_strong_weak_listed_and_any() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        for tag in
            [format!("\"{digest}\""), format!("W/\"{digest}\""), format!("\"a\", \"{digest}\""), "*".into()]
        {
            assert!(not_modified(&with(header::IF_NONE_MATCH, &tag), &digest), "{tag}");
        }
        assert!(!not_modified(&with(header::IF_NONE_MATCH, "\"other\""), &digest));
        assert!(!not_modified(&HeaderMap::new(), &digest));
    }

    #[test]
    fn a_range_of_something_else_does_not_apply() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        assert!(range_applies(&HeaderMap::new(), &digest));
        assert!(range_applies(&with(header::IF_RANGE, &format!("\"{digest}\"")), &digest));
        assert!(!range_applies(&with(header::IF_RANGE, "\"other\""), &digest));
        assert!(!range_applies(&with(header::IF_RANGE, "Wed, 21 Oct 2015 07:28:00 GMT"), &digest));
    }
}
