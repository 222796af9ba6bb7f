//! The log: on standard error, as text for people or one JSON object per line.
//!
//! Which events are logged: `-v` wins over `HYTHE_LOG` (a filter per module), which wins over the level
//! of the configuration. Standard output stays free for data.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

use crate::configuration::{Format, Level};
use crate::failure::{Exit, Failure};

/// Starts the log of this process; to be called once.
///
/// A `HYTHE_LOG` that is no filter is refused rather than ignored.
pub(crate) fn start(format: Format, level: Level, verbose: u8) -> Result<(), Failure> {
    let filter = match (verbose, std::env::var("HYTHE_LOG")) {
        (0, Ok(filter)) if !filter.is_empty() => EnvFilter::try_new(&filter).map_err(|error| {
            Failure::new(Exit::Usage, format!("HYTHE_LOG=`{filter}` is not a log filter: {error}"))
                .hint("it looks like `debug` or `hythe_registry=debug,info`")
        })?,
        (0, _) => quiet_libraries(level),
        (1, _) => quiet_libraries(Level::Debug),
        (_, _) => EnvFilter::new("trace"),
    };
    let started = match format {
        Format::Json => tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .try_init(),
        Format::Text => tracing_subscriber::fmt()
            .compact()
            .with_ansi(colour())
            .with_target(false)
            .with_env_filter(filter)
            .with_writer(io::stderr)
            .try_init(),
    };
    started.map_err(|error| Failure::new(Exit::Failed, format!("The log cannot be started: {error}")))
}

/// Our own rooms at this level, the libraries underneath at `warn`: their inner life drowns ours.
fn quiet_libraries(level: Level) -> EnvFilter {
    // Every room's target begins with `hythe`. What the verifier finds is in our own sentence.
    let libraries = if level == Level::Error { "error" } else { "warn" };
    EnvFilter::new(format!("{libraries},rustls_platform_verifier=off,hythe={level}"))
}

/// Colour is for terminals, and for people who did not set `NO_COLOR`.
fn colour() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
