//! The log: on standard error, as text for people or one JSON object per line.
//!
//! Which events are logged: `-v` (debug, and each request that is made) and `-vv` (all of ours, with the headers of
//! requests) win over `HYTHE_LOG` (a filter per module), which wins over the level of the configuration. Standard
//! output stays free for data.

mod sink;

use std::fmt;
use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::configuration::{Format, Level};
use crate::failure::{Exit, Failure};

pub(crate) use sink::LogEnd;

/// Starts the log of a command that ends soon; to be called once. At a terminal its lines leave out the time of day, for
/// each request tells how long it took.
///
/// A `HYTHE_LOG` that is no filter is refused rather than ignored.
pub(crate) fn start(format: Format, level: Level, verbose: u8) -> Result<(), Failure> {
    let clock = if io::stderr().is_terminal() { Clock::Left } else { Clock::Told };
    install(format, level, verbose, clock, BoxMakeWriter::new(io::stderr))
}

/// Starts the log of a process that goes on, a line at a time.
pub(crate) fn start_timed(format: Format, level: Level, verbose: u8) -> Result<(), Failure> {
    install(format, level, verbose, Clock::Told, BoxMakeWriter::new(io::stderr))
}

/// Whether a line of text begins with the time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Told,
    Left,
}

/// Starts the log of a busy server: lines leave in batches, unless somebody looks on at a terminal.
///
/// What is still gathered is written when the answer is dropped.
pub(crate) fn start_gathered(format: Format, level: Level, verbose: u8) -> Result<Option<LogEnd>, Failure> {
    if io::stderr().is_terminal() {
        return start_timed(format, level, verbose).map(|()| None);
    }
    let (sink, end) = sink::Sink::start(io::stderr()).map_err(not_started)?;
    install(format, level, verbose, Clock::Told, BoxMakeWriter::new(sink))?;
    Ok(Some(end))
}

fn install(
    format: Format,
    level: Level,
    verbose: u8,
    clock: Clock,
    writer: BoxMakeWriter,
) -> Result<(), Failure> {
    let filter = match (verbose, std::env::var("HYTHE_LOG")) {
        (0, Ok(filter)) if !filter.is_empty() => EnvFilter::try_new(&filter).map_err(|error| {
            Failure::new(Exit::Usage, format!("HYTHE_LOG=`{filter}` is not a log filter: {error}"))
                .hint("it looks like `debug` or `hythe_registry=debug,info`")
        })?,
        (0, _) => quiet_libraries(level),
        (1, _) => quiet_libraries(Level::Debug),
        // The libraries' inner life is for HYTHE_LOG alone: nobody has looked through it for secrets.
        (_, _) => EnvFilter::new("warn,rustls_platform_verifier=off,hythe=trace"),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    let started = match format {
        Format::Json => subscriber.json().flatten_event(true).try_init(),
        Format::Text if clock == Clock::Left => {
            subscriber.compact().with_ansi(colour()).with_target(false).without_time().try_init()
        }
        Format::Text if colour() => subscriber.compact().with_target(false).try_init(),
        // The fields that could have colour cost several times as much to write.
        Format::Text => subscriber
            .compact()
            .with_ansi(false)
            .with_target(false)
            .fmt_fields(debug_fn(plain_field).delimited(" "))
            .try_init(),
    };
    started.map_err(not_started)
}

/// `name=value`, and the message as it is.
fn plain_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    match field.name() {
        "message" => write!(writer, "{value:?}"),
        name => write!(writer, "{name}={value:?}"),
    }
}

fn not_started(error: impl fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format!("The log cannot be started: {error}"))
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
