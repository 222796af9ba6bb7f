//! What answers at the address: a registry, a Hythe, and what time it is there.

use std::time::{Duration, UNIX_EPOCH};

use hythe_client::{Api, Credentials};
use hythe_outbound::{Method, Origin, Outbound, Request, StatusCode, Url, header};
use hythe_remote::{Remote, RemoteError, RetryPolicy, SignIn};
use hythe_store::{Clock as _, SystemClock};
use serde::Deserialize;
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};
use super::server::Patient;

/// How long each of these may take.
const TIME: Duration = Duration::from_secs(15);

/// Clocks that differ by more than this, in seconds, make tokens begin too late or end too early.
const SKEW: i64 = 60;

/// The most bytes of an answer of `/readyz`.
const LONGEST_CONDITION: usize = 64 * 1024;

/// The most bytes of the server's document of its interface, which names its version.
const LONGEST_DOCUMENT: usize = 4 << 20;

/// What answers there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Hythe,
    OtherRegistry,
    NoRegistry,
}

impl Kind {
    pub(super) fn is_registry(self) -> bool {
        self != Self::NoRegistry
    }
}

/// What answers, its condition and its clock.
pub(super) async fn check(patient: &Patient<'_>, report: &Report) -> Kind {
    let (outbound, url) = (&patient.outbound, patient.url);
    let (registry, clock, hythe) =
        tokio::join!(registry(outbound, url), clock(outbound, url), hythe(outbound, url, report));
    let is_registry = registry.1;
    report.tell(registry.0);
    report.tell(clock);
    match (hythe, is_registry) {
        (true, _) => Kind::Hythe,
        (false, true) => Kind::OtherRegistry,
        (false, false) => Kind::NoRegistry,
    }
}

async fn registry(outbound: &Outbound, url: &Url) -> (Finding, bool) {
    let check = Check::Registry;
    let remote = match Remote::new(outbound.clone(), url, &Credentials::Anonymous) {
        Ok(remote) => remote.with_retries(RetryPolicy::NEVER),
        Err(error) => {
            return (
                Finding::failed(check, error.to_string(), "write the server's URL as https://HOST"),
                false,
            );
        }
    };
    let ping = match timeout(TIME, remote.ping()).await {
        Err(_) => {
            let message = format!("The server did not answer within {} seconds", TIME.as_secs());
            return (
                Finding::failed(check, message, "look at the server's log, and at a proxy's before it"),
                false,
            );
        }
        Ok(Err(error @ RemoteError::Realm { .. })) => {
            let fix = "have the registry name a token service of its own, by https";
            return (Finding::failed(check, error.to_string(), fix), false);
        }
        Ok(Err(error)) => {
            let fix = "check that this is the address of a registry, not of a web page or another port";
            return (Finding::failed(check, error.to_string(), fix), false);
        }
        Ok(Ok(ping)) => ping,
    };
    let finding = match ping.sign_in {
        SignIn::Open => Finding::ok(check, "A registry answers, and lets everybody in"),
        SignIn::Basic => Finding::ok(check, "A registry answers, and asks for name and password"),
        SignIn::Bearer { realm, .. } => {
            let service = Url::parse(&realm).ok();
            let service = service.as_ref().and_then(Origin::of);
            match (service, Origin::of(url)) {
                (Some(service), Some(own)) if service != own => Finding::ok(
                    check,
                    format!(
                        "A registry answers; tokens come from another place, {service}, which must be reachable too"
                    ),
                ),
                _ => Finding::ok(check, "A registry answers, and gives tokens itself"),
            }
        }
    };
    (finding, true)
}

/// The answer of `/readyz`.
#[derive(Deserialize)]
struct Condition {
    status: String,
    reason: Option<String>,
    #[serde(default)]
    problems: Vec<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    message: String,
}

/// The part of the document of its interface that is used.
#[derive(Deserialize)]
struct Document {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    version: String,
}

async fn hythe(outbound: &Outbound, url: &Url, report: &Report) -> bool {
    let check = Check::Hythe;
    let Ok(api) = Api::new(outbound.clone(), url, &Credentials::Anonymous) else { return false };
    let Ok(Ok(known)) = timeout(TIME, api.is_hythe()).await else {
        // Why nobody answers is told of the registry.
        report.tell(Finding::not_checked(check, "The server did not answer"));
        return false;
    };
    if !known {
        let message = "This is no Hythe: push, pull and copy work as with any registry; projects, status and pushes that \
                       go on after a kill need a Hythe";
        report.tell(Finding::not_checked(check, message));
        return false;
    }
    let (version, condition) = tokio::join!(version(outbound, url), condition(outbound, url));
    let version = version.map_or_else(|| "Hythe".to_owned(), |version| format!("Hythe {version}"));
    report.tell(match condition {
        None => Finding::warning(
            check,
            format!("{version} answers, and does not tell its condition at /readyz"),
            "let a proxy before it pass /readyz on",
        ),
        Some(condition) => told(&version, &condition),
    });
    true
}

fn told(version: &str, condition: &Condition) -> Finding {
    let check = Check::Hythe;
    let problems: Vec<_> = condition.problems.iter().map(|problem| problem.message.as_str()).collect();
    match condition.status.as_str() {
        "ready" => Finding::ok(check, format!("{version} is ready")),
        "degraded" => Finding::warning(
            check,
            format!("{version} serves pulls, and cannot write: {}", problems.join("; ")),
            "whoever runs the server makes room or sees to its disk; it recovers by itself",
        ),
        _ => Finding::failed(
            check,
            format!(
                "{version} cannot serve: {}",
                condition.reason.as_deref().unwrap_or("it gives no reason")
            ),
            "whoever runs the server looks at its log",
        ),
    }
}

async fn condition(outbound: &Outbound, url: &Url) -> Option<Condition> {
    let asking = async { get(outbound, url, "/readyz").await?.json(LONGEST_CONDITION).await.ok() };
    timeout(TIME, asking).await.ok()?
}

async fn version(outbound: &Outbound, url: &Url) -> Option<String> {
    let asking = async {
        let answer = get(outbound, url, "/api/v1/openapi.json").await?;
        let document: Document =
            (answer.status() == StatusCode::OK).then_some(answer)?.json(LONGEST_DOCUMENT).await.ok()?;
        Some(document.info.version.chars().take(40).collect())
    };
    timeout(TIME, asking).await.ok()?
}

async fn get(outbound: &Outbound, url: &Url, path: &str) -> Option<hythe_outbound::Response> {
    let mut url = url.clone();
    url.set_path(path);
    outbound.send(Request::new(Method::GET, url)).await.ok()
}

async fn clock(outbound: &Outbound, url: &Url) -> Finding {
    let check = Check::Clock;
    let Ok(Some(answer)) = timeout(TIME, get(outbound, url, "/v2/")).await else {
        return Finding::not_checked(check, "The server did not answer");
    };
    let date = answer.header(&header::DATE).and_then(|text| httpdate::parse_http_date(text).ok());
    let theirs = date.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    let Some(theirs) = theirs.and_then(|since| i64::try_from(since.as_secs()).ok()) else {
        return Finding::not_checked(check, "The server does not tell its time");
    };
    compared(theirs, SystemClock.now().as_secs())
}

/// Both in seconds since 1970.
fn compared(theirs: i64, ours: i64) -> Finding {
    let check = Check::Clock;
    let apart = ours.abs_diff(theirs);
    if apart <= SKEW.unsigned_abs() {
        return Finding::ok(check, format!("The server's clock and this one are {apart} s apart"));
    }
    let side = if ours > theirs { "ahead of" } else { "behind" };
    Finding::warning(
        check,
        format!(
            "This machine's clock is {} {side} the server's: tokens and certificates have times, and fail",
            span(apart)
        ),
        "set the wrong one by the network (`timedatectl set-ntp true`)",
    )
}

/// A span of seconds in words.
fn span(seconds: u64) -> String {
    match seconds {
        0..=7199 => format!("{} min {} s", seconds / 60, seconds % 60),
        7200..=172_799 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn clocks_may_be_a_minute_apart() {
        for (theirs, ours, verdict) in [
            (1000, 1060, Verdict::Ok),
            (1061, 1000, Verdict::Warning),
            (i64::MIN, i64::MAX, Verdict::Warning),
        ] {
            assert_eq!(compared(theirs, ours).verdict, verdict);
        }
        assert_eq!(
            (span(200), span(7260), span(200_000)),
            ("3 min 20 s".into(), "2 h 1 min".into(), "2 days".into())
        );
    }
}
