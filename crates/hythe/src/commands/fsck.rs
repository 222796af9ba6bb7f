//! `hythe fsck`: check everything that is kept, in the running server or, when none runs, in the folder.

use hythe_registry::check::{CheckOptions, CheckReport, Listed, Repairs};

use super::maintenance::{self, Holder};
use crate::arguments::{FsckArguments, Global};
use crate::bar::Bar;
use crate::failure::{Exit, Failure, chain};
use crate::printer::Printer;

pub(super) fn run(arguments: FsckArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    let options =
        CheckOptions { quick: arguments.quick, repair: arguments.repair, dry_run: arguments.dry_run };
    let bar = Bar::new("checking");
    let report = maintenance::run(&arguments.source, global, printer, async |holder| match holder {
        Holder::Us(registry) => bar
            .around(async |progress| registry.check(options, progress).await)
            .await
            .map_err(|error| Failure::new(Exit::Failed, format!("The check was aborted: {}", chain(&error)))),
        Holder::Server(server) => server.ask(async |server| server.check(options, &bar).await).await,
    })?;
    drop(bar);
    show(&report, printer)?;
    if report.is_sound() {
        return Ok(());
    }
    let sentence = format!(
        "{} blobs are missing, {} corrupt and {} unreadable",
        report.missing.count, report.corrupt.count, report.unreadable.count
    );
    let hint = "pushing an image again replaces its damaged blobs; the list above names them";
    Err(Failure::new(Exit::Damaged, sentence).hint(hint))
}

fn show(report: &CheckReport, printer: Printer) -> Result<(), Failure> {
    let kinds = [
        ("missing", &report.missing),
        ("corrupt", &report.corrupt),
        ("unreadable", &report.unreadable),
        ("without a record", &report.orphaned),
    ];
    let damaged = kinds.iter().flat_map(|(kind, listed)| rows(kind, listed));
    if printer.is_for_programs() || kinds.iter().any(|(_, listed)| listed.count > 0) {
        let blobs = kinds.iter().flat_map(|(_, listed)| &listed.digests);
        printer.listing(report, blobs, &["what", "blob"], damaged)?;
    }
    let how = if report.quick { "for their size" } else { "byte by byte" };
    printer.talk(&format!(
        "Checked {} blobs ({} bytes) {how}; {} missing, {} corrupt, {} unreadable, {} files without a record, \
         {} staged uploads without a session ({} bytes)",
        report.checked.count,
        report.checked.bytes,
        report.missing.count,
        report.corrupt.count,
        report.unreadable.count,
        report.orphaned.count,
        report.leaked_uploads.count,
        report.leaked_uploads.bytes
    ));
    if let Some(repairs) = &report.repairs {
        printer.talk(&repaired(repairs));
    }
    Ok(())
}

fn repaired(repairs: &Repairs) -> String {
    let verb = if repairs.dry_run { "Would have" } else { "Has" };
    format!(
        "{verb} quarantined {} corrupt blobs, marked {} missing or unreadable ones, healed {}, noted {} as intact, \
         removed {} files without a record and {} staged uploads ({} bytes)",
        repairs.quarantined,
        repairs.marked,
        repairs.healed,
        repairs.stamped,
        repairs.orphans_removed,
        repairs.uploads_removed.count,
        repairs.uploads_removed.bytes
    )
}

/// The blobs that are named, and a last row for those that are only counted.
fn rows(kind: &str, listed: &Listed) -> Vec<Vec<String>> {
    let mut rows: Vec<Vec<String>> =
        listed.digests.iter().map(|digest| vec![kind.to_owned(), digest.clone()]).collect();
    let unnamed = listed.count.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    if unnamed > 0 {
        rows.push(vec![kind.to_owned(), format!("and {unnamed} more")]);
    }
    rows
}
