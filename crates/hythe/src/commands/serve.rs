//! `hythe serve`: the registry in the foreground, until it is asked to stop.

use std::io;
use std::path::Path;
use std::time::Duration;

use super::session::environment_secret;
use super::{log_format, runtime, server_flags};
use crate::arguments::{Global, ServeArguments};
use crate::configuration::{Format, load};
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::printer::Printer;
use crate::serving::{Running, Start};

/// How long work that cannot be stopped in its middle may go on when everything else has ended.
const LEAVING: Duration = Duration::from_secs(1);

pub(super) fn run(arguments: ServeArguments, global: &Global, printer: Printer) -> Result<(), Failure> {
    let flags = server_flags(&arguments.source)
        .with("listen", arguments.listen.as_ref())
        .with("external_url", arguments.external_url.as_ref())
        .with("tls.cert", arguments.tls_cert.as_ref())
        .with("tls.key", arguments.tls_key.as_ref());
    let loaded = load(arguments.source.config.as_deref(), &flags)?;
    let format = log_format(global, loaded.config.log.format);
    let _log_end = logging::start_gathered(format, loaded.config.log.level, global.verbose)?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    let config = loaded.config;
    if arguments.dev_tls && config.tls.cert.is_some() {
        return Err(Failure::new(
            Exit::Usage,
            "`--dev-tls` makes a certificate, but `tls.cert` names one already",
        ));
    }
    let start =
        Start { dev_tls: arguments.dev_tls, admin_password: environment_secret("HYTHE_ADMIN_PASSWORD") };
    let runtime = runtime(tokio::runtime::Builder::new_multi_thread())?;
    let outcome = runtime.block_on(async {
        let running = Running::start(&config, start).await?;
        let tell = |sentence: String| match format {
            Format::Text => printer.talk(&sentence),
            // Standard error is JSON lines then, and a sentence would break them.
            Format::Json => tracing::warn!("{sentence}"),
        };
        if let Some(path) = running.generated_password() {
            tell(format!("The password of `admin` is in {}; it is shown nowhere else", path.display()));
        }
        if let Some(path) = running.authority() {
            tell(format!("Clients have to trust the certificate authority in {}", path.display()));
        }
        if let Some(path) = &arguments.port_file {
            write_port(path, running.address().port()).map_err(|error| {
                Failure::new(
                    Exit::Failed,
                    format!("The port file {} cannot be written: {error}", path.display()),
                )
            })?;
        }
        running.until_stopped().await
    });
    // A blob that is being read to its end, for a check say, must not keep the process.
    runtime.shutdown_timeout(LEAVING);
    outcome
}

/// Whoever waits for the file sees the whole number or nothing.
fn write_port(path: &Path, port: u16) -> io::Result<()> {
    let beside = path.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&beside, format!("{port}\n"))?;
    std::fs::rename(&beside, path)
}
