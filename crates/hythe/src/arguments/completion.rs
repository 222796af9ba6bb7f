//! Arguments of the commands by which shells complete what is typed.

use std::ffi::OsString;

use clap::Args;
use clap_complete::Shell;

use super::Connection;

/// `hythe completions`.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell to write for.
    pub(crate) shell: Shell,
}

/// `hythe complete`, which the scripts of `hythe completions` call.
#[derive(Debug, Clone, Args)]
pub(crate) struct CompleteArguments {
    /// The line up to the cursor, as bash has it.
    #[arg(long, value_name = "TEXT", conflicts_with = "words", allow_hyphen_values = true)]
    pub(crate) line: Option<String>,
    /// Look at the server and remember its names for the next time.
    #[arg(long)]
    pub(crate) renew: bool,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// The words up to the cursor, the last being the one that is typed.
    #[arg(last = true)]
    pub(crate) words: Vec<OsString>,
}
