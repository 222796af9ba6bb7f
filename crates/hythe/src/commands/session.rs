//! Which server a command asks, as whom, and what a refusal means for the exit code.

use std::io::Read;
use std::path::Path;

use hythe_api::ProblemCode;
use hythe_client::account::{AccountError, OwnLogin, OwnLogins};
use hythe_client::image::ClusterName;
use hythe_client::profiles::{Profiles, ProfilesError, StoredProfile};
use hythe_client::{Api, ApiError, Credentials};
use hythe_outbound::{Outbound, OutboundError};
use secrecy::SecretString;
use url::Url;

use super::profile::{misnamed, no_profile};
use crate::arguments::{Connection, NewPassword, Server};
use crate::failure::{Exit, Failure, sentence};

/// The longest password read from standard input, in bytes; whoever pipes more meant another file.
const LONGEST_PASSWORD: u64 = 4096;

/// One server, asked as one identity.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) api: Api,
}

impl Session {
    /// The session the arguments and the stored logins describe. Nothing is sent yet.
    pub(super) fn open(connection: &Connection) -> Result<Self, Failure> {
        let stored = OwnLogins::load().map_err(no_account)?;
        let server = server(&connection.server, &stored)?;
        let login = login(connection, &server, &stored, true)?;
        Self::with(&connection.server, &server, login.as_ref())
    }

    /// A session with `server` as exactly this identity.
    pub(super) fn with(arguments: &Server, server: &Url, login: Option<&OwnLogin>) -> Result<Self, Failure> {
        let credentials = login.map_or(Credentials::Anonymous, |login| Credentials::Password {
            user: login.username.clone(),
            secret: login.secret.clone(),
        });
        let api = Api::new(outbound(arguments)?, server, &credentials).map_err(refused)?;
        Ok(Session { api })
    }
}

/// The HTTP client, trusting the extra authority if one is named, by the arguments or else by the profile.
pub(super) fn outbound(arguments: &Server) -> Result<Outbound, Failure> {
    let ca = match &arguments.ca {
        Some(ca) => Some(ca.clone()),
        None => profile(arguments)?.and_then(|profile| profile.ca),
    };
    trusting(ca.as_deref())
}

/// An HTTP client that trusts this authority besides the system's.
pub(super) fn trusting(ca: Option<&Path>) -> Result<Outbound, Failure> {
    let mut builder = Outbound::builder();
    if let Some(path) = ca {
        let pem = std::fs::read(path).map_err(|error| {
            Failure::new(
                Exit::Usage,
                format!("The certificate file {} cannot be read: {error}", path.display()),
            )
        })?;
        builder = builder.authorities_pem(pem);
    }
    builder.build().map_err(|error| Failure::new(Exit::Usage, sentence(error)))
}

/// The server named by flag or environment, else the profile's, else the one last logged in to.
pub(super) fn server(arguments: &Server, stored: &OwnLogins) -> Result<Url, Failure> {
    if let Some(profile) = profile(arguments)? {
        return Ok(profile.server);
    }
    arguments.url.as_ref().or_else(|| stored.latest()).cloned().ok_or_else(|| {
        Failure::new(Exit::Usage, "No server is named and none is logged in to")
            .hint("pass --server URL, set HYTHE_SERVER, or run `hythe login --server URL --username NAME`")
    })
}

/// The profile that decides, if one does. From the strongest: `--server` and `--profile` (which exclude each other),
/// `HYTHE_SERVER`, `HYTHE_PROFILE`, the default of the profiles.
pub(super) fn profile(arguments: &Server) -> Result<Option<StoredProfile>, Failure> {
    let named = |name: &ClusterName| -> Result<Option<StoredProfile>, Failure> {
        let profiles = Profiles::load().map_err(no_profile)?;
        profiles.entry(name).cloned().map(Some).map_err(no_profile)
    };
    if let Some(name) = &arguments.profile {
        if arguments.url.is_some() && !is_of_environment(arguments) {
            return Err(Failure::new(Exit::Usage, "--server and --profile both name a server: give one"));
        }
        return named(name);
    }
    if arguments.url.is_some() {
        return Ok(None);
    }
    if let Some(name) = std::env::var("HYTHE_PROFILE").ok().filter(|name| !name.is_empty()) {
        return named(&ClusterName::parse(&name).map_err(misnamed)?);
    }
    match Profiles::load() {
        Ok(profiles) => Ok(profiles.default_entry().cloned()),
        // Then there are none.
        Err(ProfilesError::NoPlace) => Ok(None),
        Err(error) => Err(no_profile(error)),
    }
}

/// Whether the server was named by the environment rather than by a flag; the parser of arguments does not tell.
fn is_of_environment(arguments: &Server) -> bool {
    let variable = std::env::var("HYTHE_SERVER").ok();
    variable.and_then(|text| crate::arguments::parse_server(&text).ok()) == arguments.url
}

/// Who to sign in as: the name given with the password of the environment, else the stored login, else
/// nobody. Name and password of the environment are for the server that the command is about, and no other.
pub(super) fn login(
    connection: &Connection,
    server: &Url,
    stored: &OwnLogins,
    own: bool,
) -> Result<Option<OwnLogin>, Failure> {
    let kept = stored.for_server(server);
    let Some(username) = connection.username.as_ref().filter(|_| own) else { return Ok(kept) };
    if let Some(secret) = environment_secret("HYTHE_PASSWORD") {
        return Ok(Some(OwnLogin { username: username.clone(), secret }));
    }
    if let Some(kept) = kept.filter(|kept| kept.username == *username) {
        return Ok(Some(kept));
    }
    Err(Failure::new(Exit::Usage, format!("There is no password for {username} on {server}"))
        .hint("set HYTHE_PASSWORD, or run `hythe login` once"))
}

/// A new password, from where the arguments say.
pub(super) fn new_password(arguments: &NewPassword) -> Result<SecretString, Failure> {
    password(arguments.password_stdin, "HYTHE_NEW_PASSWORD")
}

/// A password from standard input, or from this environment variable.
pub(super) fn password(from_stdin: bool, variable: &str) -> Result<SecretString, Failure> {
    if from_stdin {
        return password_line(&mut std::io::stdin().lock());
    }
    environment_secret(variable).ok_or_else(|| {
        Failure::new(Exit::Usage, "No password was given").hint(format!(
            "pipe it in with --password-stdin, or set {variable}; it is never taken from the command line, where \
             others could read it"
        ))
    })
}

/// The first line without its end.
fn password_line(input: &mut dyn Read) -> Result<SecretString, Failure> {
    let mut text = String::new();
    input.take(LONGEST_PASSWORD + 1).read_to_string(&mut text).map_err(|error| {
        Failure::new(Exit::Usage, format!("The password cannot be read from standard input: {error}"))
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(Failure::new(Exit::Usage, "Standard input holds no password"));
    }
    if line.contains('\n') || u64::try_from(line.len()).is_ok_and(|length| length > LONGEST_PASSWORD) {
        return Err(Failure::new(Exit::Usage, "Standard input holds more than one line with a password"));
    }
    Ok(line.into())
}

/// A secret from the environment; an empty one counts as none.
pub(super) fn environment_secret(name: &str) -> Option<SecretString> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(SecretString::from)
}

/// What it means that a login or token cannot be had.
pub(super) fn no_account(error: AccountError) -> Failure {
    match error {
        AccountError::Outbound(error) => refused(ApiError::Outbound(error)),
        AccountError::Refused(refusal) => refused(ApiError::Refused(refusal)),
        AccountError::Credentials(error) => refused(ApiError::Credentials(error)),
        AccountError::NoPlace { .. } => Failure::new(Exit::Usage, sentence(&error))
            .hint("or pass --server, --username and HYTHE_PASSWORD each time"),
        _ => Failure::new(Exit::Failed, sentence(&error)),
    }
}

/// What an error of the API means for the person and the exit code.
pub(super) fn refused(error: ApiError) -> Failure {
    let exit = match (&error, error.status()) {
        (ApiError::Outbound(error), _) if error.is_unreachable() => Exit::Unreachable,
        (ApiError::Address { .. } | ApiError::Credentials(_), _) => Exit::Usage,
        (_, Some(401 | 403)) => Exit::Refused,
        (_, Some(404)) => Exit::NotFound,
        (_, Some(409)) => Exit::Conflict,
        _ => Exit::Failed,
    };
    let failure = Failure::new(exit, sentence(&error));
    match (exit, error.code()) {
        (_, Some(ProblemCode::SignInRequired)) => failure
            .hint("run `hythe login --server URL --username NAME`, or set HYTHE_USERNAME and HYTHE_PASSWORD"),
        (_, Some(ProblemCode::BadCredentials | ProblemCode::InvalidToken)) => {
            failure.hint("run `hythe login` again, or check HYTHE_USERNAME and HYTHE_PASSWORD")
        }
        (Exit::Unreachable, _) if matches!(error, ApiError::Outbound(OutboundError::Certificate { .. })) => {
            failure.hint("--ca FILE or HYTHE_CA names the authority that signed it")
        }
        (Exit::Unreachable, _) => {
            failure.hint("check that the server runs and that --server or HYTHE_SERVER names it")
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_password_is_one_line_without_its_end() {
        for (input, password) in [("word\n", "word"), ("word", "word"), ("two words \r\n", "two words ")] {
            assert_eq!(password_line(&mut input.as_bytes()).unwrap().expose_secret(), password);
        }
        let long = "x".repeat(5000);
        for input in ["", "\n", "a\nb\n", &long] {
            assert_eq!(password_line(&mut input.as_bytes()).unwrap_err().exit(), Exit::Usage);
        }
    }
}
