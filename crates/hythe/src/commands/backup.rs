//! `hythe backup` and `hythe restore`.

use std::path::Path;
use std::sync::Arc;

use hythe_registry::backup::{self, BackupError, BackupOptions, BackupReport, RestoreReport};
use hythe_registry::check::Listed;
use hythe_registry::collect::Tally;
use hythe_store::SystemClock;

use super::maintenance::{self, Holder};
use super::{log_format, runtime, server_flags};
use crate::arguments::{BackupArguments, Global, RestoreArguments};
use crate::bar::Bar;
use crate::configuration::{Level, load};
use crate::failure::{Exit, Failure, chain};
use crate::logging;
use crate::printer::Printer;

pub(super) fn backup(arguments: BackupArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    // The server may have been started in another folder than this command.
    let to = std::path::absolute(&arguments.to).map_err(|error| {
        Failure::new(Exit::Usage, format!("The folder {} cannot be named: {error}", arguments.to.display()))
    })?;
    let options = BackupOptions { to, copy: arguments.copy };
    let bar = Bar::new("backing up");
    let report = maintenance::run(&arguments.source, global, printer, async |holder| match holder {
        Holder::Us(registry) => {
            let options = options.clone();
            let made = bar.around(async |progress| registry.backup(options, progress).await).await;
            made.map_err(|error| failure(&error))
        }
        Holder::Server(server) => server.ask(async |server| server.backup(&options, &bar).await).await,
    })?;
    drop(bar);
    show_backup(&report, &options.to, printer)?;
    whole(&report.damaged, "in the registry, and so not in the backup")
}

pub(super) fn restore(arguments: RestoreArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    let loaded = load(arguments.source.config.as_deref(), &server_flags(&arguments.source))?;
    logging::start(log_format(global, loaded.config.log.format), Level::Warn, global.verbose)?;
    let to = loaded.config.data_dir;
    let bar = Bar::new("restoring");
    let report = runtime(tokio::runtime::Builder::new_multi_thread())?
        .block_on(bar.around(async |progress| {
            backup::restore(&arguments.from, &to, Arc::new(SystemClock), progress).await
        }))
        .map_err(|error| failure(&error))?;
    drop(bar);
    show_restore(&report, &to, printer)?;
    whole(&report.damaged, "in the backup; they are marked, and pushing their images again heals them")
}

fn failure(error: &BackupError) -> Failure {
    let exit = if matches!(error, BackupError::NoBackup(_)) { Exit::NotFound } else { Exit::Failed };
    let failure = Failure::new(exit, chain(error));
    match error {
        BackupError::Folder(..) => failure.hint("name a new or an empty folder"),
        _ => failure,
    }
}

/// Nothing may be missing in silence.
fn whole(damaged: &Listed, whereabouts: &str) -> Result<(), Failure> {
    if damaged.count == 0 {
        return Ok(());
    }
    let named = damaged.digests.join(", ");
    Err(Failure::new(
        Exit::Damaged,
        format!("{} blobs are damaged or missing {whereabouts}: {named}", damaged.count),
    ))
}

fn row(what: &str, tally: Tally) -> Vec<String> {
    vec![what.to_owned(), tally.count.to_string(), tally.bytes.to_string()]
}

fn show_backup(report: &BackupReport, to: &Path, printer: Printer) -> Result<(), Failure> {
    let rows = [row("linked", report.linked), row("copied", report.copied), row("kept", report.kept)];
    printer.listing(report, [to.display()], &["blobs", "count", "bytes"], rows)?;
    printer.talk(&format!("The backup in {} holds the state of {}", to.display(), report.made));
    Ok(())
}

fn show_restore(report: &RestoreReport, to: &Path, printer: Printer) -> Result<(), Failure> {
    let rows = [row("restored", report.restored)];
    printer.listing(report, [to.display()], &["blobs", "count", "bytes"], rows)?;
    printer.talk(&format!("{} holds the state of {}", to.display(), report.made));
    Ok(())
}
