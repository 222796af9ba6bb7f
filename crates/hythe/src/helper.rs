//! `docker-credential-hythe`: this program under another name, by which docker, podman and skopeo use the logins of
//! `hythe login`.
//!
//! What is handed out is the login's refresh token, as an identity token: with it the client renews its own access tokens
//! for as long as its work takes. An access token would end in the middle of a long push.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitCode;

use hythe_client::account::{AccountError, OwnLogin, OwnLogins};
use hythe_client::credentials::{HelperStore, HelperVerb, LoginKey, StoredLogin, answer};
use hythe_client::image::Registry;
use hythe_identity::REFRESH_PREFIX;
use url::Url;

/// The name under which this program is a credential helper.
pub(crate) const NAME: &str = "docker-credential-hythe";

/// The user name that says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// Whether the program was started as the helper.
pub(crate) fn is_asked(program: Option<&OsStr>) -> bool {
    program.and_then(|program| Path::new(program).file_name()) == Some(OsStr::new(NAME))
}

/// Answers one request of docker, podman or skopeo.
pub(crate) fn run(verb: Option<&OsStr>) -> ExitCode {
    let Some(verb) = verb.and_then(OsStr::to_str).and_then(HelperVerb::parse) else {
        return said("This program is called by docker, podman and skopeo, with get, store, erase or list.");
    };
    let mut store = match OwnLogins::load() {
        Ok(logins) => OwnStore { logins },
        Err(error) => return said(&error.to_string()),
    };
    match answer(verb, &mut io::stdin().lock(), &mut io::stdout().lock(), &mut store) {
        Ok(answered) => ExitCode::from(answered.exit_code()),
        Err(error) => said(&error.to_string()),
    }
}

/// The protocol wants the reason on standard output.
fn said(reason: &str) -> ExitCode {
    // There is nobody else to tell.
    drop(io::Write::write_all(&mut io::stdout().lock(), format!("{reason}\n").as_bytes()));
    ExitCode::FAILURE
}

/// The logins of `hythe login` as a helper's store.
struct OwnStore {
    logins: OwnLogins,
}

impl OwnStore {
    /// The server that a key is for, if there is a login.
    fn server(&self, key: &LoginKey) -> Option<Url> {
        self.logins.servers().find(|server| key_of(server).as_ref() == Some(key)).cloned()
    }
}

/// What docker calls a server.
pub(crate) fn key_of(server: &Url) -> Option<LoginKey> {
    Registry::of_url(server).ok().map(|registry| LoginKey::of(&registry))
}

impl HelperStore for OwnStore {
    type Error = AccountError;

    fn get(&mut self, key: &LoginKey) -> Result<Option<StoredLogin>, AccountError> {
        let login = self.server(key).and_then(|server| self.logins.for_server(&server));
        Ok(login.map(|OwnLogin { username, secret }| {
            let token = secrecy::ExposeSecret::expose_secret(&secret).starts_with(REFRESH_PREFIX);
            StoredLogin { user: if token { TOKEN_USER.to_owned() } else { username }, secret }
        }))
    }

    fn store(&mut self, key: &LoginKey, login: StoredLogin) -> Result<(), AccountError> {
        let server = self.server(key).or_else(|| Registry::parse(&key.to_string()).ok()?.endpoint().ok());
        let server = server.ok_or(AccountError::NoPlace { what: "this login", variable: "HYTHE_SERVER" })?;
        // docker knows no name for a token: the one that was signed in with stays.
        let known = self.logins.for_server(&server).map(|login| login.username);
        let username = if login.user == TOKEN_USER { known.unwrap_or(login.user) } else { login.user };
        self.logins.keep(&server, &OwnLogin { username, secret: login.secret })
    }

    fn erase(&mut self, key: &LoginKey) -> Result<(), AccountError> {
        match self.server(key) {
            Some(server) => self.logins.forget(&server).map(drop),
            None => Ok(()),
        }
    }

    fn list(&mut self) -> Result<Vec<(LoginKey, String)>, AccountError> {
        let logins = self
            .logins
            .servers()
            .filter_map(|server| Some((key_of(server)?, self.logins.for_server(server)?.username)));
        Ok(logins.collect())
    }
}
