//! Arguments of the commands an operator keeps a registry in order with.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigSource;

/// `hythe config …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Read a configuration file and say everything that is wrong with it.
    Check {
        /// The file to check.
        file: PathBuf,
    },
    /// Print a configuration file with every setting, its default and what it means.
    Example,
    /// Print the settings in force and where each came from; secrets are hidden.
    Print {
        #[command(flatten)]
        source: ConfigSource,
    },
}

/// `hythe gc`.
#[derive(Debug, Clone, Args)]
pub(crate) struct GcArguments {
    #[command(flatten)]
    pub(crate) source: ConfigSource,
    /// Only say what would be removed and why.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Keep only what became unreferenced within so many minutes [default: `collection.grace_hours`].
    #[arg(long, value_name = "MINUTES")]
    pub(crate) grace_minutes: Option<u32>,
}

/// `hythe fsck`.
#[derive(Debug, Clone, Args)]
pub(crate) struct FsckArguments {
    #[command(flatten)]
    pub(crate) source: ConfigSource,
    /// Compare sizes only, without reading every byte.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Quarantine what is corrupt, mark what is missing so that pushing it again heals it, note what is
    /// intact, and remove files without a record and staged bytes without an upload.
    #[arg(long, conflicts_with = "quick")]
    pub(crate) repair: bool,
    /// Only say what the repair would do.
    #[arg(long, requires = "repair")]
    pub(crate) dry_run: bool,
}

/// `hythe backup`.
#[derive(Debug, Clone, Args)]
pub(crate) struct BackupArguments {
    #[command(flatten)]
    pub(crate) source: ConfigSource,
    /// Where it goes: a new or empty folder, or one with an earlier backup, which is brought up to date.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
    /// Copy what could be linked. Files are linked where both folders lie on one file system: that takes no room,
    /// and does not protect against the loss of the disk.
    #[arg(long)]
    pub(crate) copy: bool,
}

/// `hythe restore`.
#[derive(Debug, Clone, Args)]
pub(crate) struct RestoreArguments {
    #[command(flatten)]
    pub(crate) source: ConfigSource,
    /// The folder with the backup. It is only read.
    #[arg(long, value_name = "DIR")]
    pub(crate) from: PathBuf,
}

/// `hythe manual`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ManualArguments {
    /// The folder to write the pages to; it is made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,
}
