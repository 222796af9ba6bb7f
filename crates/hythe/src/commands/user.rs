//! `hythe user`: local users and their passwords.

use hythe_api::{NewPassword, NewUser, PasswordChange, Secret, User};
use hythe_client::Api;
use hythe_oci::UserName;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::Deleted;
use super::session::{Session, environment_secret, new_password, refused};
use crate::arguments::UserCommand;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// What `user password` says to programs.
#[derive(Serialize)]
struct PasswordSet {
    name: String,
}

pub(super) async fn run(command: UserCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        UserCommand::Create { name, admin, password, connection } => {
            let api = Session::open(&connection)?.api;
            let wanted = NewUser { name, password: secret(&new_password(&password)?), admin };
            let user = api.create_user(&wanted).await.map_err(refused)?;
            let kind = if user.admin { "administrator" } else { "user" };
            printer.named(&user, [&user.name], &format!("Created the {kind} {}", user.name))
        }
        UserCommand::List { connection } => {
            let api = Session::open(&connection)?.api;
            let users: Vec<User> = api.users().map_err(refused)?.all().await.map_err(refused)?;
            let kind = |user: &User| if user.admin { "administrator" } else { "" };
            let rows = users.iter().map(|user| vec![user.name.to_string(), kind(user).to_owned()]);
            printer.table(&users, &["name", "kind"], rows)
        }
        UserCommand::Delete { name, connection } => {
            let api = Session::open(&connection)?.api;
            api.delete_user(&name).await.map_err(refused)?;
            let name = name.to_string();
            printer.named(&Deleted::new(&name), [&name], &format!("Deleted the user {name}"))
        }
        UserCommand::Password { name, password, connection } => {
            let api = Session::open(&connection)?.api;
            set_password(&api, &name, &new_password(&password)?).await?;
            let sentence =
                format!("{name} has a new password; everything signed in with the old one is signed out");
            printer.named(&PasswordSet { name: name.to_string() }, [&name], &sentence)
        }
    }
}

/// An administrator sets anybody's password; anybody else changes the own one and proves the old one.
async fn set_password(api: &Api, name: &UserName, password: &SecretString) -> Result<(), Failure> {
    let me = api.me().await.map_err(refused)?;
    if me.admin || me.name != *name {
        let new = NewPassword { password: secret(password) };
        return api.set_password(name, &new).await.map_err(refused);
    }
    let current = environment_secret("HYTHE_PASSWORD").ok_or_else(|| {
        Failure::new(Exit::Usage, "The present password is needed to change your own")
            .hint("set HYTHE_PASSWORD to it; a stored login is not enough")
    })?;
    let change = PasswordChange { current: secret(&current), password: secret(password) };
    api.change_own_password(&change).await.map_err(refused)
}

fn secret(password: &SecretString) -> Secret {
    Secret::new(password.expose_secret())
}
