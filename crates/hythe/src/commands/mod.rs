//! One file per command: ask the room that knows, hand the answer to the printer.

mod backup;
mod config;
mod docker;
mod fsck;
mod gc;
mod images;
mod login;
mod maintenance;
mod project;
mod quickstart;
mod repository;
mod serve;
mod session;
mod upload;
mod user;

use clap::CommandFactory;
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
        Command::Completions(arguments) => completions(arguments.shell, printer),
        Command::Version => {
            let version = Version { name: "hythe", version: env!("CARGO_PKG_VERSION") };
            printer.named(&version, [version.version], &format!("{} {}", version.name, version.version))
        }
        Command::Push(arguments) => moving(&global, images::push(arguments, printer)),
        Command::Pull(arguments) => moving(&global, images::pull(arguments, printer)),
        Command::Copy(arguments) => moving(&global, images::copy(arguments, printer)),
        Command::Save(arguments) => moving(&global, images::save(arguments, printer)),
        Command::Load(arguments) => moving(&global, images::load(arguments, printer)),
        Command::Commit(arguments) => moving(&global, images::commit(arguments, printer)),
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
        Command::Project(command) => asking(&global, project::run(command, printer)),
        Command::User(command) => asking(&global, user::run(command, printer)),
        Command::Repo(command) => asking(&global, repository::run(command, printer)),
        Command::Upload(command) => asking(&global, upload::run(command, printer)),
        Command::Login(arguments) => asking(&global, login::login(arguments, printer)),
        Command::Logout(arguments) => login::logout(arguments, printer),
    }
}

/// Runs a command that asks a server; its log is quiet unless more is asked for.
fn asking(global: &Global, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    logging::start(log_format(global, Format::Text), Level::Warn, global.verbose)?;
    runtime(tokio::runtime::Builder::new_current_thread())?.block_on(work)
}

/// Runs a command that moves images: on all cores.
fn moving(global: &Global, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    logging::start(log_format(global, Format::Text), Level::Warn, global.verbose)?;
    let runtime = runtime(tokio::runtime::Builder::new_multi_thread())?;
    let outcome = runtime.block_on(work);
    // What still reads standard input or an engine must not keep the process.
    runtime.shutdown_background();
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

fn completions(shell: clap_complete::Shell, printer: Printer) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "hythe", &mut script);
    printer.raw(&String::from_utf8_lossy(&script))
}
