//! `hythe doctor`: what stands between this machine and a registry, each with the fix.
//!
//! Checks run side by side, each within its own time, and are told as they end. Nothing is changed anywhere: the one
//! check that writes, that of an upload's size, is asked for by naming a project, and takes its upload back.

mod account;
mod engines;
mod finding;
mod folders;
mod network;
mod registry;
mod server;
mod tls;
mod upload_size;

use std::io::IsTerminal as _;

use serde::Serialize;
use tokio::sync::mpsc;
use url::Url;

use super::session;
use crate::arguments::DoctorArguments;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use finding::{Finding, Report, Verdict};

/// What `hythe doctor` says to programs.
#[derive(Serialize)]
struct Told<'a> {
    /// The server that was looked at; `null` when none was named and none is logged in to.
    server: Option<&'a Url>,
    /// Whether nothing failed.
    healthy: bool,
    checks: &'a [Finding],
}

/// Runs every check.
pub(super) async fn run(arguments: DoctorArguments, printer: Printer) -> Result<(), Failure> {
    let (sender, mut told) = mpsc::unbounded_channel();
    let report = Report::new(sender);
    let stored = folders::logins(&report);
    let named = &arguments.connection.server;
    let profile = folders::profile(named, &report);
    let ca = named.ca.as_deref().or_else(|| profile.as_ref()?.ca.as_deref());
    let outbound = session::trusting(ca)?;
    let server = profile.map(|profile| profile.server).or_else(|| named.url.clone());
    let server = server.or_else(|| stored.as_ref()?.latest().cloned());
    let for_people = !printer.is_for_programs();
    let live = for_people && std::io::stdout().is_terminal();

    let machine = report.clone();
    let examined = async {
        match &server {
            Some(url) => {
                let login = server::login(&arguments.connection, url, stored.as_ref(), &report);
                let patient = server::Patient { outbound, url, login, project: arguments.project.as_ref() };
                Box::pin(patient.examine(report)).await;
            }
            None => server::unnamed(&report),
        }
    };
    let here = async {
        folders::check(&machine);
        engines::check(&machine).await;
        // The channel ends when nobody can tell any more.
        drop(machine);
    };
    let mut findings: Vec<Finding> = Vec::new();
    let listening = async {
        while let Some(finding) = told.recv().await {
            if live && !findings.iter().any(|told| finding.repeats(told)) {
                printer.raw(&finding.lines())?;
            }
            findings.push(finding);
        }
        Ok::<_, Failure>(())
    };
    let ((), (), heard) = tokio::join!(examined, here, listening);
    heard?;
    findings.sort_by_key(|finding| finding.check);
    let failed = findings.iter().filter(|finding| finding.verdict == Verdict::Failed).count();
    if !for_people {
        let told = Told { server: server.as_ref(), healthy: failed == 0, checks: &findings };
        let names = findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Failed)
            .map(|finding| finding.check.name());
        printer.named(&told, names, "")?;
    } else if !live {
        let new = |at: usize, finding: &Finding| !findings.iter().take(at).any(|told| finding.repeats(told));
        let shown = findings.iter().enumerate().filter(|(at, finding)| new(*at, finding));
        printer.raw(&shown.map(|(_, finding)| finding.lines()).collect::<String>())?;
    }
    match failed {
        0 => Ok(()),
        1 => Err(Failure::new(Exit::Failed, "One check failed; its fix stands beside it")),
        count => {
            Err(Failure::new(Exit::Failed, format!("{count} checks failed; their fixes stand beside them")))
        }
    }
}
