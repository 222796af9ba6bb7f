//! `hythe login` and `hythe logout`: sign in once, then be known to later commands.
//!
//! The password is exchanged for a refresh token, and only that is stored: it ends by itself, and ends at
//! once when the password is changed.

use hythe_api::User;
use hythe_client::account::{OwnLogin, OwnLogins, sign_in};
use serde::Serialize;
use url::Url;

use super::docker;
use super::session::{Session, no_account, outbound, password, refused, server};
use crate::arguments::{Connection, LoginArguments, LogoutArguments};
use crate::failure::Failure;
use crate::helper::key_of;
use crate::printer::Printer;

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

pub(super) async fn login(arguments: LoginArguments, printer: Printer) -> Result<(), Failure> {
    let mut stored = OwnLogins::load().map_err(no_account)?;
    let server = server(&arguments.server, &stored)?;
    let secret = password(arguments.password_stdin, "HYTHE_PASSWORD")?;
    let outbound = outbound(&arguments.server)?;
    let username = arguments.username;
    // Asked first, for its refusals say more than the token service's.
    let typed = OwnLogin { username: username.clone(), secret: secret.clone() };
    let user = Session::with(&arguments.server, &server, Some(&typed))?.api.me().await.map_err(refused)?;
    let login = sign_in(&outbound, &server, &username, &secret).await.map_err(no_account)?;
    stored.remember(&server, &login).map_err(no_account)?;
    if arguments.docker
        && let Some(key) = key_of(&server)
    {
        let placed = docker::place(&key)?;
        printer.talk(&format!(
            "docker, podman and skopeo use this login for {key}: {} asks {}",
            placed.config.display(),
            placed.helper.display()
        ));
        if !placed.found {
            printer.warn(
                "the folder of docker-credential-hythe is not in PATH: add it, or docker does not find it",
            );
        }
    }
    let sentence =
        format!("Signed in to {server} as {}; the login is kept in {}", user.name, stored.path().display());
    printer.named(&SignedIn { server: &server, user: &user }, [&user.name], &sentence)
}

pub(super) async fn whoami(connection: Connection, printer: Printer) -> Result<(), Failure> {
    let user = Session::open(&connection)?.api.me().await.map_err(refused)?;
    let sentence =
        if user.admin { format!("{}, an administrator", user.name) } else { user.name.to_string() };
    printer.named(&user, [&user.name], &sentence)
}

pub(super) fn logout(arguments: LogoutArguments, printer: Printer) -> Result<(), Failure> {
    let mut stored = OwnLogins::load().map_err(no_account)?;
    let server = server(&arguments.server, &stored)?;
    let was_signed_in = stored.forget(&server).map_err(no_account)?;
    let sentence = if was_signed_in {
        format!("Forgot the login of {server}")
    } else {
        format!("There was no login of {server}")
    };
    printer.named(&SignedOut { server: &server, was_signed_in }, [&server], &sentence)
}
