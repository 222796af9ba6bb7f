//! One server, from its name to a login: each step is taken when the one before it led somewhere.

use hythe_client::account::{OwnLogin, OwnLogins};
use hythe_oci::ProjectName;
use hythe_outbound::{Outbound, proxy_for};
use url::Url;

use super::finding::{Check, Finding, Report};
use super::network::Host;
use super::{account, network, registry, tls, upload_size};
use crate::arguments::Connection;
use crate::commands::session;

/// What there is to say of a server when none is named.
pub(super) fn unnamed(report: &Report) {
    for check in [
        Check::Proxy,
        Check::Name,
        Check::Connection,
        Check::Tls,
        Check::Registry,
        Check::Hythe,
        Check::Clock,
        Check::Login,
        Check::DockerLogin,
        Check::UploadSize,
    ] {
        let finding = Finding::not_checked(check, "No server is named and none is logged in to");
        report.tell(finding.with_fix("pass --server URL, set HYTHE_SERVER, or run `hythe login` once"));
    }
}

/// The login of the arguments, else the stored one. One that is asked for and cannot be had is told.
pub(super) fn login(
    connection: &Connection,
    server: &Url,
    stored: Option<&OwnLogins>,
    report: &Report,
) -> Kept {
    // Unreadable logins were told already.
    let Some(stored) = stored else { return Kept::Told };
    match session::login(connection, server, stored, true) {
        Ok(Some(login)) => Kept::Login(login),
        Ok(None) => Kept::Nothing,
        Err(failure) => {
            let fix = failure.hint_text().unwrap_or("run `hythe login` again").to_owned();
            report.tell(Finding::failed(Check::Login, failure.to_string(), fix));
            Kept::Told
        }
    }
}

/// Whether there is a login.
pub(super) enum Kept {
    /// This one.
    Login(OwnLogin),
    /// None.
    Nothing,
    /// It cannot be had, and that was told.
    Told,
}

/// A server, and as whom it is looked at.
pub(super) struct Patient<'a> {
    pub(super) outbound: Outbound,
    pub(super) url: &'a Url,
    pub(super) login: Kept,
    pub(super) project: Option<&'a ProjectName>,
}

impl Patient<'_> {
    /// Takes every step and tells of each.
    pub(super) async fn examine(&self, report: Report) {
        let host = self.way(&report);
        let addresses = network::name(&host, &report).await;
        let mut why = "The name has no address";
        let mut usable = false;
        if addresses.is_empty() {
            skip(&[Check::Connection, Check::Tls], why, &report);
        } else if network::connection(&host, &addresses, &report).await {
            why = "The server's certificate is not trusted";
            usable = tls::check(&self.outbound, self.url, &report).await;
        } else {
            why = "Nobody takes a connection there";
            skip(&[Check::Tls], why, &report);
        }
        if !usable {
            skip(&[Check::Registry, Check::Hythe, Check::Clock, Check::UploadSize], why, &report);
            if !matches!(self.login, Kept::Told) {
                skip(&[Check::Login], why, &report);
            }
            return account::docker_login(self, false, &report).await;
        }
        let kind = registry::check(self, &report).await;
        tokio::join!(
            account::login(self, kind, &report),
            account::docker_login(self, kind.is_registry(), &report),
            upload_size::check(self, kind.is_registry(), &report),
        );
    }

    /// Who is connected to first.
    fn way(&self, report: &Report) -> Host {
        let check = Check::Proxy;
        if let Some(proxy) = proxy_for(self.url) {
            let shown = format!("the proxy {}:{}", proxy.host, proxy.port);
            report.tell(Finding::ok(
                check,
                format!("The server is reached through {shown}, which the environment names (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY); NO_PROXY makes exceptions"),
            ));
            return Host { name: proxy.host, port: proxy.port, shown };
        }
        report.tell(Finding::ok(check, "The server is reached directly"));
        let name = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Host { shown: name.clone(), name, port: self.url.port_or_known_default().unwrap_or(443) }
    }
}

fn skip(checks: &[Check], why: &str, report: &Report) {
    for check in checks {
        report.tell(Finding::not_checked(*check, why));
    }
}
