//! `hythe completions SHELL`: the script by which a shell asks us what may stand next.
//!
//! bash, zsh and fish ask `hythe complete` each time, so that names of images are offered as well; the other shells get
//! what is known beforehand.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::printer::Printer;

const BASH: &str = include_str!("hythe.bash");
const ZSH: &str = include_str!("hythe.zsh");
const FISH: &str = include_str!("hythe.fish");

pub(super) fn run(shell: Shell, printer: Printer) -> Result<(), Failure> {
    match shell {
        Shell::Bash => printer.raw(BASH),
        Shell::Zsh => printer.raw(ZSH),
        Shell::Fish => printer.raw(FISH),
        other => {
            let mut script = Vec::new();
            clap_complete::generate(other, &mut Arguments::command(), "hythe", &mut script);
            printer.raw(&String::from_utf8_lossy(&script))
        }
    }
}
