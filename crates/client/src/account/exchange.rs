//! The token service of a Hythe server: a password becomes a refresh token, and either becomes an access token that
//! stands for its user.

use bytes::Bytes;
use hythe_outbound::{Authorization, Body, HeaderValue, Method, Outbound, Request, Response, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::form_urlencoded;

use super::{AccountError, OwnLogin};
use crate::Refused;

/// The most bytes of the token service's answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// How we name ourselves in the list of one's device sessions.
const CLIENT: &str = "hythe";

/// The part of the token service's answer that is used.
#[derive(Deserialize)]
pub(super) struct Answer {
    access_token: SecretString,
    /// Seconds.
    expires_in: u64,
    refresh_token: Option<SecretString>,
}

/// An access token and how long it lives.
pub(super) struct Issued {
    pub(super) token: SecretString,
    pub(super) seconds: u64,
}

/// Exchanges a password for a refresh token: what is to be stored of a login. It ends by itself, and at once when the
/// password is changed.
///
/// # Errors
/// [`AccountError::Refused`] when the server does not accept the password.
pub async fn sign_in(
    outbound: &Outbound,
    server: &Url,
    username: &str,
    password: &SecretString,
) -> Result<OwnLogin, AccountError> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "password")
        .append_pair("access_type", "offline")
        .append_pair("client_id", CLIENT)
        .append_pair("username", username)
        .append_pair("password", password.expose_secret())
        .finish();
    let request = Request::new(Method::POST, service(server))
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .body(Body::bytes(Bytes::from(form)));
    let answer = read(outbound.send(request).await?).await?;
    // A server that gives none leaves the password as the only thing to come back with.
    let secret = answer.refresh_token.unwrap_or_else(|| password.clone());
    Ok(OwnLogin { username: username.to_owned(), secret })
}

/// An access token for the whole identity of a login.
pub(super) async fn issue(
    outbound: &Outbound,
    server: &Url,
    login: &OwnLogin,
) -> Result<Issued, AccountError> {
    let mut url = service(server);
    url.query_pairs_mut().append_pair("client_id", CLIENT);
    let request = Request::new(Method::GET, url)
        .authorization(Some(Authorization::basic(&login.username, &login.secret)?));
    let Answer { access_token, expires_in, .. } = read(outbound.send(request).await?).await?;
    Ok(Issued { token: access_token, seconds: expires_in })
}

fn service(server: &Url) -> Url {
    let mut url = server.clone();
    url.set_path("/token");
    url
}

async fn read(response: Response) -> Result<Answer, AccountError> {
    if response.status().is_success() {
        return Ok(response.json(LONGEST_ANSWER).await?);
    }
    Err(AccountError::Refused(Box::new(Refused::read(response).await)))
}
