//! Maintenance of a data folder: by the server that holds it, or here when none does.

use std::path::PathBuf;
use std::sync::Arc;

use hythe_registry::Registry;
use hythe_store::{DataFolder, FolderError, RecordsOptions, Store, StoreOptions, SystemClock};

use super::{log_format, runtime, server_flags};
use crate::arguments::{ConfigSource, Global};
use crate::configuration::{Config, Level, load};
use crate::control::{AskError, Server};
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::printer::Printer;
use crate::serving;

/// Who holds the data folder.
pub(super) enum Holder {
    /// This process, as long as the registry lives.
    Us(Registry),
    /// A server, or something else that does not answer.
    Server(RunningServer),
}

/// The process that holds a data folder.
pub(super) struct RunningServer {
    dir: PathBuf,
    pid: Option<u32>,
}

/// Loads the configuration, finds out who holds the data folder, and does `work` with the holder.
pub(super) fn run<T>(
    source: &ConfigSource,
    global: &Global,
    printer: Printer,
    work: impl AsyncFnOnce(Holder) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let loaded = load(source.config.as_deref(), &server_flags(source))?;
    logging::start(log_format(global, loaded.config.log.format), Level::Warn, global.verbose)?;
    loaded.warnings.iter().for_each(|warning| printer.warn(warning));
    runtime(tokio::runtime::Builder::new_multi_thread())?.block_on(async {
        let holder = holder(&loaded.config)?;
        work(holder).await
    })
}

fn holder(config: &Config) -> Result<Holder, Failure> {
    let dir = &config.data_dir;
    if !dir.is_dir() {
        // Locking it would create it: a misspelt folder must not become an empty registry.
        return Err(Failure::new(Exit::NotFound, format!("There is no data folder {}", dir.display()))
            .hint("name it with --data-dir or HYTHE_DATA_DIR"));
    }
    match DataFolder::lock(dir) {
        Ok(folder) => {
            // What only looks, or takes a copy before an upgrade, must not be the upgrade.
            let records = RecordsOptions { upgrade: false, ..RecordsOptions::default() };
            let options = StoreOptions { records, ..StoreOptions::default() };
            let store = Store::open(&folder, Arc::new(SystemClock), options)
                .map_err(|error| serving::store_failure(dir, &error))?;
            Ok(Holder::Us(Registry::new(store, serving::registry_options(config))))
        }
        Err(FolderError::Busy { pid }) => Ok(Holder::Server(RunningServer { dir: dir.clone(), pid })),
        Err(error) => Err(serving::folder_failure(dir, &error)),
    }
}

impl RunningServer {
    /// Asks over the control socket.
    pub(super) async fn ask<T>(
        &self,
        question: impl AsyncFnOnce(&Server) -> Result<T, AskError>,
    ) -> Result<T, Failure> {
        let answer = match Server::at(&DataFolder::socket_path_in(&self.dir)) {
            Ok(server) => question(&server).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| match error {
            AskError::Refused(sentence) => Failure::new(Exit::Failed, sentence),
            AskError::Socket(_) | AskError::Outbound(_) => {
                // Held by something that does not listen: another maintenance command, or a server that is
                // just starting or stopping.
                tracing::debug!(%error, "the control socket does not answer");
                serving::folder_failure(&self.dir, &FolderError::Busy { pid: self.pid })
                    .hint("it does not answer on its control socket; wait for it to end, then try again")
            }
        })
    }
}
