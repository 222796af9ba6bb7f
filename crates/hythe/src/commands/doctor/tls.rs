//! The server's certificate: who signed it, for whom, until when.

use std::time::Duration;

use hythe_outbound::{Distrust, Handshake, Outbound, ShownCertificate, Url};
use hythe_store::{Clock as _, SystemClock};
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};

/// How long the handshake may take.
const TIME: Duration = Duration::from_secs(12);

/// A certificate that ends within so many days is worth a warning.
const SOON: i64 = 14;

const DAY: i64 = 24 * 60 * 60;

/// Whether requests can be sent: the server is trusted, or is not asked in TLS.
pub(super) async fn check(outbound: &Outbound, server: &Url, report: &Report) -> bool {
    if server.scheme() == "http" {
        let local = hythe_outbound::Origin::of(server).is_some_and(|origin| origin.is_loopback());
        report.tell(if local {
            Finding::not_checked(Check::Tls, "The server is on this machine and is asked in plain HTTP")
        } else {
            Finding::warning(
                Check::Tls,
                "The server is asked in plain HTTP: whoever is on the way reads passwords and images",
                "give the server a certificate (`hythe serve --tls-cert FILE --tls-key FILE`), and write https://",
            )
        });
        return true;
    }
    let mut front = server.clone();
    front.set_path("/v2/");
    let (finding, trusted) = match timeout(TIME, outbound.handshake(&front)).await {
        Err(_) => {
            let message = format!("TLS did not begin within {} seconds", TIME.as_secs());
            (Finding::failed(Check::Tls, message, "check that the port is one of HTTPS"), false)
        }
        Ok(Err(error)) => {
            let fix = "check that the port is one of HTTPS: for a registry without TLS write http://";
            (Finding::failed(Check::Tls, format!("No certificate was shown: {error}"), fix), false)
        }
        Ok(Ok(shown)) => (judged(&shown, SystemClock.now().as_secs()), shown.distrust.is_none()),
    };
    report.tell(finding);
    trusted
}

fn judged(shown: &Handshake, now: i64) -> Finding {
    let check = Check::Tls;
    let Some(own) = shown.chain.first() else {
        return Finding::failed(
            check,
            "The certificate cannot be read",
            "have the server given another certificate",
        );
    };
    match &shown.distrust {
        None => {
            let days = (own.not_after - now) / DAY;
            let message =
                format!("The certificate is trusted, signed by {}, and ends in {days} days", own.issuer);
            if days < SOON {
                Finding::warning(check, message, "have it renewed: every client fails on the day it ends")
            } else {
                Finding::ok(check, message)
            }
        }
        Some(Distrust::UnknownIssuer) => {
            // Whoever signed the last one of the chain is the one that is missing here.
            let missing = shown.chain.last().map_or(&own.issuer, |last| &last.issuer);
            let message = if own.subject == own.issuer {
                format!("The certificate is signed by itself ({missing}), so nobody vouches for it")
            } else {
                format!("The certificate is signed by {missing}, which is not trusted on this machine")
            };
            let fix = "get that authority's certificate from whoever runs the registry, and name it with --ca FILE or \
                       HYTHE_CA, or add it to the system's";
            Finding::failed(check, message, fix)
        }
        Some(Distrust::Expired) => Finding::failed(
            check,
            format!("The certificate ended on {}", ended(shown, now)),
            "have it renewed; if that day is still to come, this machine's clock is wrong",
        ),
        Some(Distrust::NotYetValid) => Finding::failed(
            check,
            format!("The certificate holds only from {} on", day(own.not_before)),
            "set this machine's clock right (`timedatectl set-ntp true`), or wait",
        ),
        Some(Distrust::OtherName) => Finding::failed(
            check,
            format!("The certificate is for {}, not for this name", names(own)),
            "use one of those names, or have a certificate made for this one",
        ),
        Some(Distrust::Other(reason)) => Finding::failed(
            check,
            format!("The certificate cannot be trusted: {reason}"),
            "have the server given another certificate",
        ),
    }
}

/// The day on which the first of the chain to end ended.
fn ended(shown: &Handshake, now: i64) -> String {
    let over = shown.chain.iter().filter(|certificate| certificate.not_after < now);
    over.map(|certificate| certificate.not_after).min().map_or_else(|| "a day before now".to_owned(), day)
}

fn names(certificate: &ShownCertificate) -> String {
    if certificate.names.is_empty() { "no name at all".to_owned() } else { certificate.names.join(", ") }
}

/// A moment as its day.
pub(super) fn day(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "an impossible day".to_owned(), |moment| moment.strftime("%Y-%m-%d").to_string())
}
