//! The value of an `Authorization` header, kept out of every log.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

/// Proof of identity for one origin. `Debug` never shows it.
#[derive(Clone, Debug)]
pub struct Authorization(HeaderValue);

/// A credential that cannot be written into a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AuthorizationError {
    /// Basic credentials split user and password at the first colon (RFC 7617 section 2).
    #[error("a user name for Basic authentication must not contain a colon")]
    ColonInUserName,
    /// A token holds a control character or a byte outside ASCII.
    #[error("the token holds characters that cannot be sent in a header")]
    UnsendableToken,
}

impl Authorization {
    /// `Basic` credentials (RFC 7617), in UTF-8.
    ///
    /// # Errors
    /// The user name holds a colon.
    pub fn basic(user: &str, secret: &SecretString) -> Result<Self, AuthorizationError> {
        if user.contains(':') {
            return Err(AuthorizationError::ColonInUserName);
        }
        let encoded = STANDARD.encode(format!("{user}:{}", secret.expose_secret()));
        Self::sensitive(&format!("Basic {encoded}"))
    }

    /// A `Bearer` token (RFC 6750).
    ///
    /// # Errors
    /// The token holds something that is not visible ASCII.
    pub fn bearer(token: &SecretString) -> Result<Self, AuthorizationError> {
        let token = token.expose_secret();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(AuthorizationError::UnsendableToken);
        }
        Self::sensitive(&format!("Bearer {token}"))
    }

    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }

    fn sensitive(value: &str) -> Result<Self, AuthorizationError> {
        let mut value = HeaderValue::from_str(value).map_err(|_| AuthorizationError::UnsendableToken)?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_is_the_example_of_rfc_7617() {
        let made = Authorization::basic("Aladdin", &"open sesame".into()).unwrap();
        assert_eq!(made.header(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", Authorization::bearer(&"topsecret".into()).unwrap());
        assert!(!shown.contains("topsecret"), "{shown}");
    }

    #[test]
    fn what_would_change_its_meaning_on_the_way_is_refused() {
        let colon = Authorization::basic("a:b", &"c".into());
        assert_eq!(colon.unwrap_err(), AuthorizationError::ColonInUserName);
        for token in ["", "two words", "line\r\nHost: evil", "grüße"] {
            let refused = Authorization::bearer(&token.into());
            assert_eq!(refused.unwrap_err(), AuthorizationError::UnsendableToken, "{token:?}");
        }
    }
}
