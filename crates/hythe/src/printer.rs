//! The one place that prints: standard output is data, standard error is talk.
//!
//! Invariant: with `--output json` standard output carries one JSON document per command and nothing
//! else. A reader that closes the pipe early (`| head`) is not an error. Nothing printed steers a terminal.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::arguments::Output;
use crate::failure::{Exit, Failure};
use crate::harmless;

/// Writes a command's results and remarks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Printer {
    output: Output,
}

#[expect(
    clippy::unused_self,
    reason = "whoever prints holds the one handle that may, whatever the kind of output"
)]
impl Printer {
    /// A printer for the chosen output format.
    pub(crate) fn new(output: Output) -> Self {
        Printer { output }
    }

    /// The chosen output format.
    pub(crate) fn output(self) -> Output {
        self.output
    }

    /// Prints a list: a table for people, the items as JSON for programs.
    pub(crate) fn table<T: Serialize + ?Sized>(
        self,
        items: &T,
        headers: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Json => self.json(items),
            Output::Text => write(&arrange(headers, rows)),
        }
    }

    /// Prints one result: the sentence for people, the value as JSON for programs.
    pub(crate) fn result<T: Serialize + ?Sized>(self, value: &T, sentence: &str) -> Result<(), Failure> {
        match self.output {
            Output::Json => self.json(value),
            Output::Text => write(&harmless::lines(sentence)),
        }
    }

    /// Prints text that is data in itself (a script, a file), whatever the output format.
    pub(crate) fn raw(self, text: &str) -> Result<(), Failure> {
        write(text.trim_end_matches('\n'))
    }

    /// Says something to the person, on standard error.
    pub(crate) fn talk(self, sentence: &str) {
        say(sentence);
    }

    /// Says something the person should act on, on standard error.
    pub(crate) fn warn(self, sentence: &str) {
        say(&format!("warning: {sentence}"));
    }

    /// Tells why the command did not succeed, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        say(&format!("error: {failure}"));
        if let Some(hint) = failure.hint_text() {
            say(&format!("hint: {hint}"));
        }
    }

    fn json<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| {
            Failure::new(Exit::Failed, format!("The result cannot be written as JSON: {error}"))
        })?;
        write(&harmless::json(&text))
    }
}

/// Writes data and its line end.
fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|error| {
            Failure::new(Exit::Failed, format!("The result cannot be written to standard output: {error}"))
        }),
    }
}

/// Writes talk. Standard error is the last place to report to: when it is gone, nobody listens.
fn say(text: &str) {
    drop(writeln!(io::stderr().lock(), "{}", harmless::lines(text)));
}

/// Prints what the argument parser answers instead of arguments: help and version, or what is wrong.
pub(crate) fn usage(answer: &clap::Error) -> ExitCode {
    // A closed pipe is no reason to complain about help nobody reads any more.
    drop(answer.print());
    if answer.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

/// A borderless table; on a terminal it is folded to fit, in a pipe it is never folded.
fn arrange(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(headers.iter().map(|header| header.to_uppercase()));
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let harmless =
        |row: Vec<String>| row.iter().map(|cell| harmless::one_line(cell).into_owned()).collect::<Vec<_>>();
    table.add_rows(rows.into_iter().map(harmless));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::arrange;

    #[test]
    fn a_table_lines_its_columns_up() {
        let rows = [vec!["lab".to_owned(), "public".to_owned()], vec!["a".to_owned(), "private".to_owned()]];
        assert_eq!(arrange(&["name", "visibility"], rows), "NAME  VISIBILITY\nlab   public\na     private");
    }
}
