//! `hythe gc`: collect garbage, in the running server or, when none runs, in the folder itself.

use std::time::Duration;

use hythe_registry::collect::{CollectOptions, CollectReport, Tally};

use super::maintenance::{self, Holder};
use crate::arguments::{GcArguments, Global};
use crate::failure::{Exit, Failure, chain};
use crate::printer::{NO_NAMES, Printer};

pub(super) fn run(arguments: GcArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    let grace = arguments.grace_minutes.map(|minutes| Duration::from_mins(u64::from(minutes)));
    let options = CollectOptions { dry_run: arguments.dry_run, grace };
    let report = maintenance::run(&arguments.source, global, printer, async move |holder| match holder {
        Holder::Us(registry) => registry.collect(options).await.map_err(|error| {
            Failure::new(Exit::Failed, format!("The collection was aborted: {}", chain(&error)))
        }),
        Holder::Server(server) => server.ask(async |server| server.collect(options).await).await,
    })?;
    show(&report, printer)
}

fn show(report: &CollectReport, printer: Printer) -> Result<(), Failure> {
    let row = |what: &str, why: &str, tally: Tally| {
        vec![what.to_owned(), tally.count.to_string(), tally.bytes.to_string(), why.to_owned()]
    };
    let links = Tally { count: report.unreferenced_links, bytes: 0 };
    let rows = [
        row("uploads", "given up, or past their time", report.abandoned_uploads),
        row("manifests", "without a tag for longer than their project keeps them", report.untagged_manifests),
        row("blobs", "held by no repository", report.unlinked_blobs),
        row("files", "left by a push that was cut before its record", report.unrecorded_files),
        row("damaged files", "kept aside, and their blobs are healed or gone", report.quarantined_files),
        row("links to blobs", "needed by no manifest of their repository", links),
    ];
    let outcome = if report.dry_run { "would go" } else { "removed" };
    printer.listing(report, NO_NAMES, &[outcome, "count", "bytes", "why"], rows)?;
    let kept = if report.dry_run { "; nothing was removed" } else { "" };
    printer.talk(&format!(
        "Looked at {} blobs and {} links{kept}",
        report.blobs_examined, report.links_examined
    ));
    Ok(())
}
