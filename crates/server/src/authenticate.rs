//! From the `Authorization` header to a session: nothing, Basic or Bearer. Never a cookie.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use hythe_identity::{Identity, Session, SignInError, TokenError};
use secrecy::{ExposeSecret as _, SecretString};

use crate::request::ClientAddress;

/// What the header holds.
pub(crate) enum Credentials {
    /// There is no header.
    None,
    /// A user name and a password, or a token in its place (RFC 7617).
    Basic {
        /// The user name.
        name: String,
        /// The password or token.
        secret: SecretString,
    },
    /// An access token (RFC 6750).
    Bearer(SecretString),
}

/// The header is neither Basic nor Bearer as their RFCs write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The Authorization header cannot be read: send `Basic` with the base64 of `name:password`, or `Bearer` with a token."
)]
pub(crate) struct MalformedCredentials;

/// Why a request has no session.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthenticateError {
    /// The header cannot be read.
    #[error(transparent)]
    Malformed(#[from] MalformedCredentials),
    /// The name or password is refused.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The token is refused.
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// Reads the `Authorization` header.
pub(crate) fn credentials(headers: &HeaderMap) -> Result<Credentials, MalformedCredentials> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let Some(line) = lines.next() else {
        return Ok(Credentials::None);
    };
    // Two lines could mean two callers: a proxy before us may have looked at the other one.
    if lines.next().is_some() {
        return Err(MalformedCredentials);
    }
    let text = line.to_str().map_err(|_| MalformedCredentials)?;
    let (scheme, value) = text.split_once(' ').ok_or(MalformedCredentials)?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") && !value.is_empty() {
        return Ok(Credentials::Bearer(SecretString::from(value)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(MalformedCredentials);
    }
    let decoded = SecretString::from(
        STANDARD
            .decode(value)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or(MalformedCredentials)?,
    );
    let (name, secret) = decoded.expose_secret().split_once(':').ok_or(MalformedCredentials)?;
    Ok(Credentials::Basic { name: name.to_owned(), secret: SecretString::from(secret) })
}

/// The session that a request's credentials prove; an anonymous one without any.
pub(crate) async fn authenticate(
    identity: &Identity,
    headers: &HeaderMap,
    client: ClientAddress,
) -> Result<Session, AuthenticateError> {
    match credentials(headers)? {
        Credentials::None => Ok(Session::anonymous()),
        Credentials::Basic { name, secret } => {
            Ok(identity.authenticate_basic(&name, &secret, client.0).await?)
        }
        Credentials::Bearer(token) => Ok(identity.verify_token(token.expose_secret()).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(line: &str) -> Result<Credentials, MalformedCredentials> {
        let value = HeaderValue::from_str(line).unwrap();
        credentials(&HeaderMap::from_iter([(header::AUTHORIZATION, value)]))
    }

    #[test]
    fn reads_both_schemes_in_any_case() {
        let Ok(Credentials::Basic { name, secret }) = read("bAsic YWRhOnA6YXNz") else { panic!() };
        assert_eq!((name.as_str(), secret.expose_secret()), ("ada", "p:ass"));
        assert!(
            matches!(read("Bearer abc"), Ok(Credentials::Bearer(token)) if token.expose_secret() == "abc")
        );
        assert!(matches!(credentials(&HeaderMap::new()), Ok(Credentials::None)));
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for line in ["", "Basic", "Basic !!", "Basic YWRh", "Bearer ", "Digest x", "Basic /w=="] {
            assert!(read(line).is_err(), "{line}");
        }
    }

    #[test]
    fn refuses_two_lines() {
        let mut headers = HeaderMap::new();
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer a"));
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer b"));
        assert!(credentials(&headers).is_err());
    }
}
