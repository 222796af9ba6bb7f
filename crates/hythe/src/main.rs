//! The program `hythe`: parse the arguments, load the configuration, run the command, answer an exit code.
//!
//! Everything it does lies in the rooms beside it; here they are wired together. The exit codes are
//! documented in `docs/cli.md`.

mod arguments;
mod bar;
mod commands;
mod configuration;
mod control;
mod failure;
mod harmless;
mod helper;
mod logging;
mod printer;
mod serving;

use std::process::ExitCode;

use clap::Parser;

use arguments::Arguments;
#[cfg(feature = "failpoints")]
use failure::{Exit, Failure};
use printer::Printer;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    if helper::is_asked(words.next().as_deref()) {
        return helper::run(words.next().as_deref());
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(answer) => return printer::usage(&answer),
    };
    let printer = Printer::new(arguments.global.output);
    #[cfg(feature = "failpoints")]
    if let Err(error) = hythe_store::crash::arm_from_environment() {
        let failure = Failure::new(Exit::Usage, failure::sentence(error));
        printer.failure(&failure);
        return failure.exit().into();
    }
    match commands::run(arguments, printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.failure(&failure);
            failure.exit().into()
        }
    }
}
