//! The address under which clients reach this server, when the operator names it.

use std::str::FromStr;

use thiserror::Error;
use url::Url;

use crate::request::Origin;

/// `https://registry.example.org[:port]`: a scheme and a host, no path (registries live at the root).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalUrl(Origin);

/// Why a text is no [`ExternalUrl`].
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ExternalUrlError {
    /// Not a URL at all.
    #[error("`{0}` is not a URL; write it as https://HOST or https://HOST:PORT")]
    Malformed(String),
    /// A scheme other than http and https.
    #[error("`{0}` does not begin with http:// or https://")]
    Scheme(String),
    /// More than scheme, host and port.
    #[error(
        "`{0}` has more than a scheme, a host and a port; clients look for a registry at the root of its host"
    )]
    Rest(String),
}

impl ExternalUrl {
    pub(crate) fn origin(&self) -> &Origin {
        &self.0
    }
}

impl FromStr for ExternalUrl {
    type Err = ExternalUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| ExternalUrlError::Malformed(text.to_owned()))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(ExternalUrlError::Scheme(text.to_owned())),
        };
        let host = url.host_str().ok_or_else(|| ExternalUrlError::Malformed(text.to_owned()))?;
        let plain = url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !plain {
            return Err(ExternalUrlError::Rest(text.to_owned()));
        }
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Ok(Self(Origin::new(secure, &authority)))
    }
}

impl std::fmt::Display for ExternalUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.base())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_scheme_and_host() {
        for (text, base) in [
            ("https://reg.example", "https://reg.example"),
            ("https://reg.example/", "https://reg.example"),
            ("http://reg.example:5000", "http://reg.example:5000"),
            ("https://[2001:db8::1]:5000", "https://[2001:db8::1]:5000"),
        ] {
            assert_eq!(text.parse::<ExternalUrl>().unwrap().to_string(), base);
        }
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for text in [
            "reg.example",
            "ftp://reg.example",
            "https://reg.example/hythe",
            "https://a@reg.example",
            "https://",
        ] {
            assert!(text.parse::<ExternalUrl>().is_err(), "{text}");
        }
    }
}
