//! `hythe login` and `hythe logout`: sign in once, then be known to later commands.
//!
//! The password is exchanged for a refresh token, and only that is stored: it ends by itself, and ends at
//! once when the password is changed.

use bytes::Bytes;
use hythe_api::User;
use hythe_outbound::{Body, HeaderValue, Method, OutboundError, Request, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::{Url, form_urlencoded};

use super::session::{Session, outbound, password, refused, server};

use crate::arguments::{LoginArguments, LogoutArguments, Server};
use crate::credentials::{Credentials, Login};
use crate::failure::{Exit, Failure, sentence};
use crate::printer::Printer;
use crate::serving::SERVICE;

/// The most bytes of the token service's answer.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What `login` says to programs.
#[derive(Serialize)]
struct SignedIn<'a> {
    server: &'a Url,
    user: &'a User,
}

/// What `logout` says to programs.
#[derive(Serialize)]
struct SignedOut<'a> {
    server: &'a Url,
    was_signed_in: bool,
}

/// The part of the token service's answer that is used.
#[derive(Deserialize)]
struct Tokens {
    refresh_token: String,
}

pub(super) async fn login(arguments: LoginArguments, printer: Printer) -> Result<(), Failure> {
    let mut stored = Credentials::load()?;
    let server = server(&arguments.server, &stored)?;
    let secret = password(arguments.password_stdin, "HYTHE_PASSWORD")?;
    let login = Login { username: arguments.username, secret };
    let user = Session::with(&arguments.server, &server, Some(&login))?.api.me().await.map_err(refused)?;
    let secret = refresh_token(&arguments.server, &server, &login).await?;
    stored.remember(&server, &Login { username: login.username, secret })?;
    let sentence =
        format!("Signed in to {server} as {}; the login is kept in {}", user.name, stored.path().display());
    printer.result(&SignedIn { server: &server, user: &user }, &sentence)
}

pub(super) fn logout(arguments: LogoutArguments, printer: Printer) -> Result<(), Failure> {
    let mut stored = Credentials::load()?;
    let server = server(&Server { url: arguments.server, ca: None }, &stored)?;
    let was_signed_in = stored.forget(&server)?;
    let sentence = if was_signed_in {
        format!("Forgot the login of {server}")
    } else {
        format!("There was no login of {server}")
    };
    printer.result(&SignedOut { server: &server, was_signed_in }, &sentence)
}

/// Exchanges the password for a refresh token (the OAuth password grant of the token service).
async fn refresh_token(arguments: &Server, server: &Url, login: &Login) -> Result<SecretString, Failure> {
    let mut url = server.clone();
    url.set_path("/token");
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "password")
        .append_pair("access_type", "offline")
        .append_pair("service", SERVICE)
        .append_pair("client_id", "hythe")
        .append_pair("username", &login.username)
        .append_pair("password", login.secret.expose_secret())
        .finish();
    let request = Request::new(Method::POST, url)
        .header(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .body(Body::bytes(Bytes::from(form)));
    let failed = |error: OutboundError| Failure::new(Exit::Unreachable, sentence(error));
    let response = outbound(arguments)?.send(request).await.map_err(failed)?;
    let status = response.status();
    if !status.is_success() {
        return Err(Failure::new(
            Exit::Refused,
            format!("{server} accepted the password but answered {status} instead of a token to keep"),
        ));
    }
    Ok(response.json::<Tokens>(LONGEST_ANSWER).await.map_err(failed)?.refresh_token.into())
}
