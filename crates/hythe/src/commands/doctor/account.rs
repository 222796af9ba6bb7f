//! The logins for a server: that of `hythe`, and that of docker, podman and skopeo.

use std::time::Duration;

use hythe_client::account::OwnLogin;
use hythe_client::credentials::{LoginPlaces, Logins};
use hythe_client::image::Registry;
use hythe_client::{Api, Credentials};
use hythe_identity::REFRESH_PREFIX;
use hythe_remote::{Remote, RetryPolicy, Standing};
use hythe_store::{Clock as _, SystemClock};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};
use super::registry::Kind;
use super::server::{Kept, Patient};
use super::tls::day;

/// How long a server may take to judge a login.
const TIME: Duration = Duration::from_secs(15);

/// How long a credential helper may take; a doctor has less patience than a push.
const HELPER_TIME: Duration = Duration::from_secs(10);

/// A login that ends within so many days is worth a warning.
const SOON: i64 = 3;

const DAY: i64 = 24 * 60 * 60;

/// The login that `hythe` uses.
pub(super) async fn login(patient: &Patient<'_>, kind: Kind, report: &Report) {
    let check = Check::Login;
    let sign_in =
        format!("run `hythe login --server {} --username NAME`", patient.url.as_str().trim_end_matches('/'));
    let login = match &patient.login {
        Kept::Login(login) => login,
        Kept::Nothing => {
            let finding = Finding::not_checked(
                check,
                "No login is kept for this server, so public images are all there is",
            );
            return report.tell(finding.with_fix(sign_in));
        }
        Kept::Told => return,
    };
    report.tell(match kind {
        Kind::NoRegistry => Finding::not_checked(check, "No registry answers"),
        Kind::Hythe => at_a_hythe(patient, login, sign_in).await,
        Kind::OtherRegistry => {
            let credentials =
                Credentials::Password { user: login.username.clone(), secret: login.secret.clone() };
            match standing(patient, &credentials).await {
                Ok(Standing::Accepted) => {
                    Finding::ok(check, format!("The login of {} is accepted", login.username))
                }
                Ok(Standing::Refused(refusal)) => Finding::failed(check, refusal.to_string(), sign_in),
                Ok(Standing::NotAsked | Standing::Stranger) => {
                    Finding::not_checked(check, "The registry did not ask for a login")
                }
                Err(error) => Finding::failed(check, error, sign_in),
            }
        }
    });
}

async fn at_a_hythe(patient: &Patient<'_>, login: &OwnLogin, sign_in: String) -> Finding {
    let check = Check::Login;
    let credentials = Credentials::Password { user: login.username.clone(), secret: login.secret.clone() };
    let api = match Api::new(patient.outbound.clone(), patient.url, &credentials) {
        Ok(api) => api,
        Err(error) => return Finding::failed(check, error.to_string(), sign_in),
    };
    let user = match timeout(TIME, api.me()).await {
        Err(_) => {
            return Finding::failed(
                check,
                "The server did not judge the login in time",
                "look at the server's log",
            );
        }
        Ok(Err(error)) => {
            return Finding::failed(
                check,
                format!("The login of {} is refused: {error}", login.username),
                sign_in,
            );
        }
        Ok(Ok(user)) => user,
    };
    let who = if user.admin { format!("{}, an administrator", user.name) } else { user.name.to_string() };
    if !login.secret.expose_secret().starts_with(REFRESH_PREFIX) {
        return Finding::ok(check, format!("You are {who}, by a password, which does not end"));
    }
    // The one used last is the one that was shown a moment ago.
    let sessions = async { api.refresh_tokens().ok()?.all().await.ok() };
    let sessions = timeout(TIME, sessions).await.ok().flatten().unwrap_or_default();
    let own = sessions.into_iter().filter(|session| session.client == "hythe").max_by(|one, other| {
        one.last_used.as_ref().or(Some(&one.created)).cmp(&other.last_used.as_ref().or(Some(&other.created)))
    });
    let ends = own
        .and_then(|session| session.expires.parse::<jiff::Timestamp>().ok())
        .map(jiff::Timestamp::as_second);
    match ends {
        None => Finding::ok(check, format!("You are {who}; access tokens renew themselves")),
        Some(ends) => {
            let message = format!(
                "You are {who}; access tokens renew themselves until the login ends on {}",
                day(ends)
            );
            if ends - SystemClock.now().as_secs() < SOON * DAY {
                Finding::warning(check, message, sign_in)
            } else {
                Finding::ok(check, message)
            }
        }
    }
}

/// The login that docker, podman and skopeo use.
pub(super) async fn docker_login(patient: &Patient<'_>, reachable: bool, report: &Report) {
    let check = Check::DockerLogin;
    let Ok(registry) = Registry::of_url(patient.url) else {
        return report.tell(Finding::not_checked(check, "The server's address is no registry's"));
    };
    let kept = Logins::read(&LoginPlaces::from_environment()).with_helper_time(HELPER_TIME);
    let found = kept.find(&registry, None).await;
    let again = format!(
        "run `hythe login --docker --server {} --username NAME`, or `docker login {registry}`",
        patient.url.as_str().trim_end_matches('/')
    );
    if !found.warnings.is_empty() {
        let warnings: Vec<_> = found
            .warnings
            .iter()
            .map(|warning| warning.to_string().trim_end_matches('.').to_owned())
            .collect();
        return report.tell(Finding::failed(
            check,
            warnings.join("; "),
            format!("set the named file or helper right, or {again}"),
        ));
    }
    let Some(source) = found.source else {
        let finding =
            Finding::not_checked(check, format!("docker, podman and skopeo keep no login for {registry}"));
        return report.tell(finding.with_fix(again));
    };
    let Some(credentials) = found.login.credentials() else {
        return report.tell(Finding::not_checked(
            check,
            format!("The token kept for {source} is one that cannot be tried"),
        ));
    };
    if !reachable {
        return report.tell(Finding::not_checked(
            check,
            format!("A login is kept for {source}; no registry answers to try it"),
        ));
    }
    report.tell(match standing(patient, &credentials).await {
        Ok(Standing::Accepted) => Finding::ok(check, format!("The login kept for {source} is accepted")),
        Ok(Standing::Refused(refusal)) => {
            Finding::failed(check, format!("The login kept for {source} is refused: {refusal}"), again)
        }
        Ok(Standing::NotAsked | Standing::Stranger) => {
            Finding::ok(check, format!("A login is kept for {source}; the registry did not ask for it"))
        }
        Err(error) => Finding::failed(check, error, again),
    });
}

/// What a registry says of these credentials; an error is a sentence.
async fn standing(patient: &Patient<'_>, credentials: &Credentials) -> Result<Standing, String> {
    let remote =
        Remote::new(patient.outbound.clone(), patient.url, credentials).map_err(|error| error.to_string())?;
    match timeout(TIME, remote.with_retries(RetryPolicy::NEVER).ping()).await {
        Err(_) => Err("The registry did not judge the login in time".to_owned()),
        Ok(ping) => ping.map(|ping| ping.standing).map_err(|error| error.to_string()),
    }
}
