//! `hythe complete`: what may stand next on a command line that is being typed.
//!
//! Invariants: the shell never waits for a server: names come out of a small file ([`names`]), which another process
//! renews after this one has answered; no error is shown, for it would stand in the middle of what is typed; and nothing is
//! completed that the command line itself would not take.

mod answer;
mod line;
mod local;
mod matching;
mod names;
mod renewal;

use crate::arguments::CompleteArguments;
use crate::failure::Failure;
use crate::printer::Printer;

/// Answers a shell, or renews the names for the next time.
pub(super) fn run(arguments: CompleteArguments, printer: Printer) -> Result<(), Failure> {
    if arguments.renew {
        // Nobody is there to be told; the next one who asks tries again.
        drop(renewal::run(&arguments.connection));
        return Ok(());
    }
    let words = match &arguments.line {
        Some(line) => line::split(line),
        None => arguments.words.clone(),
    };
    let offers = answer::offers(words, &arguments.connection);
    if offers.is_empty() { Ok(()) } else { printer.raw(&offers.join("\n")) }
}
