//! `hythe config`: check, show and explain the configuration.

use serde::Serialize;

use super::server_flags;
use crate::arguments::ConfigCommand;
use crate::configuration::{check_file, example, load, settings};
use crate::failure::Failure;
use crate::printer::Printer;

/// What `config check` says to programs.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a std::path::Path,
    valid: bool,
}

pub(super) fn run(command: ConfigCommand, printer: Printer) -> Result<(), Failure> {
    match command {
        ConfigCommand::Check { file } => {
            check_file(&file)?;
            let sentence = format!("{} is a valid configuration", file.display());
            printer.named(&Checked { file: &file, valid: true }, [file.display()], &sentence)
        }
        ConfigCommand::Example => printer.raw(&example()),
        ConfigCommand::Print { source } => {
            let loaded = load(source.config.as_deref(), &server_flags(&source))?;
            loaded.warnings.iter().for_each(|warning| printer.warn(warning));
            let settings = settings(&loaded);
            let rows = settings.iter().map(|s| vec![s.key.clone(), s.value.clone(), s.from.clone()]);
            printer.table(&settings, &["setting", "value", "from"], rows)
        }
    }
}
