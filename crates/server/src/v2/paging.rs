//! `n`, `last` and the `Link` to the next page (RFC 8288), relative so that it stays on the
//! client's own address of us.

use http::HeaderValue;
use hythe_oci::ErrorCode;
use url::form_urlencoded;

use super::fault::Fault;
use super::query::Query;
use super::value;

/// The longest page; a longer `n` gets this much and a `Link`.
pub(super) const MAX_PAGE: u32 = 10_000;

/// What part of a list a client asks for.
pub(super) struct Asked {
    pub(super) limit: u32,
    pub(super) last: Option<String>,
}

impl Asked {
    pub(super) fn read(query: &Query) -> Result<Self, Fault> {
        let limit = match query.given("n") {
            None => MAX_PAGE,
            // A number too long for us is still a number: the page is bounded anyway.
            Some(n) if !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()) => {
                n.parse().unwrap_or(MAX_PAGE).min(MAX_PAGE)
            }
            Some(_) => {
                return Err(Fault::invalid(
                    ErrorCode::PaginationNumberInvalid,
                    "`n` must be a whole number of entries, 0 or more.",
                ));
            }
        };
        Ok(Self { limit, last: query.get("last").map(ToOwned::to_owned) })
    }

    /// The header that leads to the page after `last`.
    pub(super) fn link(&self, path: &str, last: &str, more: &[(&str, &str)]) -> Result<HeaderValue, Fault> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("n", &self.limit.to_string()).append_pair("last", last);
        for (name, text) in more {
            query.append_pair(name, text);
        }
        value(format_args!("<{path}?{}>; rel=\"next\"", query.finish()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_n_and_last() {
        let asked = |query| Asked::read(&Query::parse(query));
        assert_eq!(asked("").ok().map(|a| (a.limit, a.last)), Some((MAX_PAGE, None)));
        assert_eq!(asked("n=0&last=v1").ok().map(|a| (a.limit, a.last)), Some((0, Some("v1".into()))));
        assert_eq!(asked("n=99999999999999999999").ok().map(|a| a.limit), Some(MAX_PAGE));
        assert!(asked("n=-1").is_err());
        assert!(asked("n=abc").is_err());
        assert!(asked("n=").is_err());
    }

    #[test]
    fn links_are_relative_and_encoded() {
        let asked = Asked { limit: 2, last: None };
        let link = asked.link("/v2/lab/x/referrers/d", "a b", &[("artifactType", "x/y+z")]).ok().unwrap();
        assert_eq!(link, "</v2/lab/x/referrers/d?n=2&last=a+b&artifactType=x%2Fy%2Bz>; rel=\"next\"");
    }
}
