//! `hythe fsck`: check everything that is kept, in the running server or, when none runs, in the folder.

use hythe_registry::check::{CheckOptions, CheckReport, Listed};

use super::maintenance::{self, Holder};
use crate::arguments::{FsckArguments, Global, Output};
use crate::failure::{Exit, Failure, chain};
use crate::printer::Printer;

pub(super) fn run(arguments: FsckArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    if arguments.repair {
        return Err(Failure::new(Exit::Usage, "`hythe fsck` only checks; it cannot repair yet")
            .hint("pushing a damaged image again replaces its missing and corrupt blobs"));
    }
    let options = CheckOptions { quick: arguments.quick };
    let report = maintenance::run(&arguments.source, global, printer, async move |holder| match holder {
        Holder::Us(registry) => registry
            .check(options)
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("The check was aborted: {}", chain(&error)))),
        Holder::Server(server) => server.ask(async |server| server.check(options).await).await,
    })?;
    show(&report, printer)?;
    if report.is_sound() {
        return Ok(());
    }
    let sentence =
        format!("{} blobs are missing and {} are corrupt", report.missing.count, report.corrupt.count);
    Err(Failure::new(Exit::Damaged, sentence)
        .hint("pushing an image again replaces its missing and corrupt blobs; the list above names them"))
}

fn show(report: &CheckReport, printer: Printer) -> Result<(), Failure> {
    let kinds =
        [("missing", &report.missing), ("corrupt", &report.corrupt), ("without a record", &report.orphaned)];
    let damaged = kinds.iter().flat_map(|(kind, damage)| rows(kind, damage));
    if printer.output() == Output::Json || kinds.iter().any(|(_, damage)| damage.count > 0) {
        printer.table(report, &["what", "blob"], damaged)?;
    }
    let how = if report.quick { "for their size" } else { "byte by byte" };
    printer.talk(&format!(
        "Checked {} blobs ({} bytes) {how}; {} missing, {} corrupt, {} files without a record",
        report.checked.count,
        report.checked.bytes,
        report.missing.count,
        report.corrupt.count,
        report.orphaned.count
    ));
    Ok(())
}

/// The blobs that are named, and a last row for those that are only counted.
fn rows(kind: &str, damage: &Listed) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> =
        damage.digests.iter().map(|digest| vec![kind.to_owned(), digest.clone()]).collect();
    let unnamed = damage.count.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    if unnamed > 0 {
        rows.push(vec![kind.to_owned(), format!("and {unnamed} more")]);
    }
    rows
}
