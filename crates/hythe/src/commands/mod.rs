//! One file per command: ask the room that knows, hand the answer to the printer.

mod backup;
mod complete;
mod completions;
mod config;
mod docker;
mod doctor;
mod fsck;
mod gc;
mod images;
mod interrupted;
mod login;
mod maintenance;
mod manual;
mod profile;
mod project;
mod quickstart;
mod repository;
mod serve;
mod session;
mod upload;
mod user;

use std::time::Duration;

use serde::Serialize;

use crate::arguments::{Arguments, Command, ConfigSource, Global, LogForm};
use crate::configuration::{Flags, Format, Level};
use crate::failure::{Exit, Failure};
use crate::logging;
use crate::printer::Printer;

/// What `hythe version` says to programs.
#[derive(Serialize)]
struct Version {
    name: &'static str,
    version: &'static str,
}

/// What a deletion says to programs.
#[derive(Serialize)]
struct Deleted<'a> {
    deleted: &'a str,
}

impl<'a> Deleted<'a> {
    fn new(deleted: &'a str) -> Self {
        Deleted { deleted }
    }
}

/// Runs the command the arguments name.
pub(crate) fn run(arguments: Arguments, printer: Printer) -> Result<(), Failure> {
    let Arguments { global, command } = arguments;
    match command {
        Command::Serve(arguments) => serve::run(arguments, &global, printer),
        Command::Quickstart(arguments) => quickstart::run(arguments, &global, printer),
        Command::Gc(arguments) => gc::run(arguments, &global, printer),
        Command::Fsck(arguments) => fsck::run(arguments, &global, printer),
        Command::Backup(arguments) => backup::backup(arguments, &global, printer),
        Command::Restore(arguments) => backup::restore(arguments, &global, printer),
        Command::Config(command) => config::run(command, printer),
        Command::Completions(arguments) => completions::run(arguments.shell, printer),
        Command::Complete(arguments) => complete::run(arguments, printer),
        Command::Manual(arguments) => manual::run(arguments, printer),
        Command::Version => {
            let version = Version { name: "hythe", version: env!("CARGO_PKG_VERSION") };
            printer.named(&version, [version.version], &format!("{} {}", version.name, version.version))
        }
        Command::Push(arguments) => moving(&global, SENT, images::push(arguments, printer)),
        Command::Pull(arguments) => moving(&global, FETCHED, images::pull(arguments, printer)),
        Command::Copy(arguments) => moving(&global, SENT, images::copy(arguments, printer)),
        Command::Save(arguments) => moving(&global, FETCHED, images::save(arguments, printer)),
        Command::Load(arguments) => moving(&global, SENT, images::load(arguments, printer)),
        Command::Commit(arguments) => moving(&global, SENT, images::commit(arguments, printer)),
        Command::Ls(arguments) => asking(&global, images::list(arguments, printer)),
        Command::Tags(arguments) => asking(&global, images::tags(arguments, printer)),
        Command::Digest(arguments) => asking(&global, images::digest(arguments, printer)),
        Command::Size(arguments) => asking(&global, images::size(arguments, printer)),
        Command::Info(arguments) => asking(&global, images::info(arguments, printer)),
        Command::Rm(arguments) => asking(&global, images::remove(arguments, printer)),
        Command::Tag(arguments) => asking(&global, images::tag(arguments, printer)),
        Command::Whoami { connection } => asking(&global, login::whoami(connection, printer)),
        Command::Status(arguments) => asking(&global, images::status(arguments, printer)),
        Command::Wait(arguments) => asking(&global, images::wait(arguments, printer)),
        Command::Doctor(arguments) => moving(&global, LOOKED, doctor::run(arguments, printer)),
        Command::Project(command) => asking(&global, project::run(command, printer)),
        Command::User(command) => asking(&global, user::run(command, printer)),
        Command::Repo(command) => asking(&global, repository::run(command, printer)),
        Command::Upload(command) => asking(&global, upload::run(command, printer)),
        Command::Login(arguments) => asking(&global, login::login(arguments, printer)),
        Command::Logout(arguments) => login::logout(arguments, printer),
        Command::Profile(command) => profile::run(command, printer),
    }
}

/// Runs a command that asks a server; its log is quiet unless more is asked for.
fn asking(global: &Global, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    logging::start(log_format(global, Format::Text), Level::Warn, global.verbose)?;
    runtime(tokio::runtime::Builder::new_current_thread())?.block_on(work)
}

/// What a push or copy finds that is begun again.
const SENT: &str = "run the same command again: what the registry has by now is not sent again";

/// What a pull finds that is begun again.
const FETCHED: &str = "run the same command again: a folder keeps what has arrived and goes on, a file or an engine begins anew";

/// What a command finds that changes nothing.
const LOOKED: &str = "run the same command again: nothing was changed";

/// How long a command that failed or was ended may go on clearing away what it wrote.
const CLEARING: Duration = Duration::from_secs(1);

/// Runs a command that moves images, on all cores; `again` says what it finds after it was ended by a signal.
fn moving(
    global: &Global,
    again: &'static str,
    work: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<(), Failure> {
    logging::start(log_format(global, Format::Text), Level::Warn, global.verbose)?;
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    // The other half of the cores is for the threads that hash, compress and write.
    threads.worker_threads(std::thread::available_parallelism().map_or(1, |cores| cores.get().div_ceil(2)));
    let runtime = runtime(threads)?;
    // A task goes on in the thread that hears of what arrived; this thread would have to be woken for each piece.
    let work = runtime.spawn(work);
    let outcome = runtime.block_on(interrupted::unless_ended(again, work));
    match &outcome {
        // What still reads standard input or an engine must not keep the process.
        Ok(()) => runtime.shutdown_background(),
        // What writes beside its place is given the time to clear that away.
        Err(_) => runtime.shutdown_timeout(CLEARING),
    }
    outcome
}

/// A runtime made by `builder`.
fn runtime(mut builder: tokio::runtime::Builder) -> Result<tokio::runtime::Runtime, Failure> {
    builder
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Failed, format!("The async runtime cannot be started: {error}")))
}

/// The flag wins over the configuration.
fn log_format(global: &Global, configured: Format) -> Format {
    match global.log {
        Some(LogForm::Text) => Format::Text,
        Some(LogForm::Json) => Format::Json,
        None => configured,
    }
}

/// The flags of every command that reads the server's configuration.
fn server_flags(source: &ConfigSource) -> Flags {
    Flags::default().with("data_dir", source.data_dir.as_ref())
}
