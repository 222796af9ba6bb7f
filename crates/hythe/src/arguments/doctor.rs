//! Arguments of `hythe doctor`.

use clap::Args;
use hythe_oci::ProjectName;

use super::Connection;

/// `hythe doctor`.
#[derive(Debug, Clone, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// A project to which you may push, to try how large a piece of an upload gets through; nothing of it is kept.
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<ProjectName>,
}
