//! `hythe manual --to DIR`: a manual page for each command, made of what the command line says of itself.
//!
//! What stands in the help stands in the page; exit codes, environment, files and examples are added here.

mod examples;
mod sections;

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_mangen::Man;
use serde::Serialize;

use crate::arguments::{Arguments, ManualArguments};
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// What `hythe manual` says to programs.
#[derive(Serialize)]
struct Written<'a> {
    folder: &'a Path,
    pages: Vec<String>,
}

/// One page: its file's name and its text.
struct Page {
    file: String,
    text: Vec<u8>,
}

pub(super) fn run(arguments: ManualArguments, printer: Printer) -> Result<(), Failure> {
    let folder = arguments.to;
    let unwritten = |path: &Path, error: std::io::Error| {
        Failure::new(Exit::Failed, format!("{} cannot be written: {error}", path.display()))
    };
    std::fs::create_dir_all(&folder).map_err(|error| unwritten(&folder, error))?;
    let pages = pages().map_err(|error| unwritten(&folder, error))?;
    for page in &pages {
        let path: PathBuf = folder.join(&page.file);
        std::fs::write(&path, &page.text).map_err(|error| unwritten(&path, error))?;
    }
    let sentence = format!("Wrote {} manual pages to {}", pages.len(), folder.display());
    printer.result(
        &Written { folder: &folder, pages: pages.into_iter().map(|page| page.file).collect() },
        &sentence,
    )
}

/// The page of `hythe` and those of all its commands.
fn pages() -> std::io::Result<Vec<Page>> {
    // The generated `help` has nothing to say in a manual.
    let mut whole = Arguments::command().disable_help_subcommand(true);
    whole.build();
    let mut pages = Vec::new();
    let others: Vec<_> =
        whole.get_subcommands().filter(|command| !command.is_hide_set()).map(page_name).collect();
    add(&whole, "hythe", &others, &mut pages)?;
    Ok(pages)
}

fn page_name(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn add(command: &clap::Command, name: &str, beside: &[String], pages: &mut Vec<Page>) -> std::io::Result<()> {
    let below: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    // `hythe push` is how it is typed, `hythe-push` how its page is called.
    let typed = command.get_bin_name().unwrap_or(name).to_owned();
    let man = Man::new(command.clone());
    let mut text = sections::title(name).into_bytes();
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    if command.get_arguments().any(|argument| !argument.is_hide_set()) {
        man.render_options_section(&mut text)?;
    }
    if !below.is_empty() {
        man.render_subcommands_section(&mut text)?;
    }
    let is_whole = name == "hythe";
    sections::exit_status(is_whole, &mut text)?;
    sections::environment(command, is_whole, &mut text)?;
    if is_whole {
        sections::files(&mut text)?;
    }
    sections::examples(&examples::of(&typed), &mut text)?;
    let related = if is_whole { beside.to_vec() } else { vec!["hythe".to_owned()] };
    sections::see_also(related, &mut text)?;
    pages.push(Page { file: format!("{name}.1"), text });
    for command in below {
        add(command, &page_name(command), beside, pages)?;
    }
    Ok(())
}
