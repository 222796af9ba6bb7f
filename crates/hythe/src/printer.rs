//! The one place that prints: standard output is data, standard error is talk.
//!
//! Invariant: with `--output json` or `yaml` standard output carries one document per command and nothing
//! else, and with `quiet` one identifier a line and nothing else. A reader that closes the pipe early
//! (`| head`) is not an error. Nothing printed steers a terminal.

use std::fmt::Display;
use std::io::{self, BufRead as _, IsTerminal, Write};
use std::process::ExitCode;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::arguments::Output;
use crate::failure::{Exit, Failure};
use crate::harmless;

/// The identifiers of a result that has none.
pub(crate) const NO_NAMES: [&str; 0] = [];

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

    /// Whether standard output is read by a program, which wants a document or identifiers in any case.
    pub(crate) fn is_for_programs(self) -> bool {
        self.output != Output::Table
    }

    /// Prints a list whose first column identifies: a table for people, the items for programs.
    pub(crate) fn table<T: Serialize + ?Sized>(
        self,
        items: &T,
        headers: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Quiet => lines(rows.into_iter().filter_map(|row| row.into_iter().next())),
            Output::Table => write(&arrange(headers, rows)),
            Output::Json | Output::Yaml => self.document(items),
        }
    }

    /// Prints a list whose identifiers are no column of its own.
    pub(crate) fn listing<T: Serialize + ?Sized>(
        self,
        items: &T,
        names: impl IntoIterator<Item = impl Display>,
        headers: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Quiet => lines(names),
            _ => self.table(items, headers, rows),
        }
    }

    /// Prints one result that has no identifier: the sentence for people, the value for programs.
    pub(crate) fn result<T: Serialize + ?Sized>(self, value: &T, sentence: &str) -> Result<(), Failure> {
        self.named(value, NO_NAMES, sentence)
    }

    /// Prints one result: the sentence for people, the value for programs, its identifiers for `quiet`.
    pub(crate) fn named<T: Serialize + ?Sized>(
        self,
        value: &T,
        names: impl IntoIterator<Item = impl Display>,
        sentence: &str,
    ) -> Result<(), Failure> {
        match self.output {
            Output::Quiet => lines(names),
            Output::Table => write(&harmless::lines(sentence)),
            Output::Json | Output::Yaml => self.document(value),
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

    /// Asks whoever sits at the terminal; only `y` and `yes` are consent.
    pub(crate) fn is_agreed(self, question: &str) -> bool {
        let mut err = io::stderr().lock();
        if write!(err, "{question} [y/N] ").and_then(|()| err.flush()).is_err() {
            return false;
        }
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// Tells why the command did not succeed, on standard error.
    pub(crate) fn failure(self, failure: &Failure) {
        say(&format!("error: {failure}"));
        if let Some(hint) = failure.hint_text() {
            say(&format!("hint: {hint}"));
        }
    }

    /// Prints the document that programs read.
    fn document<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failure> {
        let failed = |form: &str, error: &dyn Display| {
            Failure::new(Exit::Failed, format!("The result cannot be written as {form}: {error}"))
        };
        if self.output == Output::Yaml {
            let text = serde_saphyr::to_string(&value).map_err(|error| failed("YAML", &error))?;
            if harmless::is_harmless(&text) {
                return write(text.trim_end_matches('\n'));
            }
            // JSON is YAML, too, and can write every character by its number.
        }
        let text = serde_json::to_string_pretty(value).map_err(|error| failed("JSON", &error))?;
        write(&harmless::json(&text))
    }
}

/// Writes one identifier a line; no identifiers are no line.
fn lines(names: impl IntoIterator<Item = impl Display>) -> Result<(), Failure> {
    let names: Vec<String> =
        names.into_iter().map(|name| harmless::one_line(&name.to_string()).into_owned()).collect();
    if names.is_empty() { Ok(()) } else { write(&names.join("\n")) }
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

/// A number and what is counted, whose plural has an `s`.
pub(crate) fn counted(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// A moment (RFC 3339) as people read it: without the parts of a second.
pub(crate) fn moment(text: &str) -> String {
    match text.split_once('.') {
        Some((seconds, rest)) => {
            format!("{seconds}{}", rest.trim_start_matches(|letter: char| letter.is_ascii_digit()))
        }
        None => text.to_owned(),
    }
}

/// Whether somebody sits there who can answer a question.
pub(crate) fn is_attended() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// An archive is for a file or a pipe: on a terminal it is only noise.
pub(crate) fn no_terminal() -> Result<(), Failure> {
    if !io::stdout().is_terminal() {
        return Ok(());
    }
    Err(Failure::new(Exit::Usage, "An archive is not written to a terminal")
        .hint("name a file, or send standard output to a file or a program"))
}

/// The columns of the terminal that standard output is; `None` where it is none, and lines may be of any length.
pub(crate) fn width() -> Option<usize> {
    let columns = if io::stdout().is_terminal() { Table::new().width().map(usize::from) } else { None };
    // A terminal that does not know says 0.
    columns.filter(|columns| *columns > 0)
}

/// A borderless table, without headers if there are none; on a terminal it is folded to fit, in a pipe it is never folded.
pub(crate) fn arrange(headers: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if !headers.is_empty() {
        table.set_header(headers.iter().map(|header| header.to_uppercase()));
    }
    if io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let harmless =
        |row: Vec<String>| row.iter().map(|cell| harmless::one_line(cell).into_owned()).collect::<Vec<_>>();
    table.add_rows(rows.into_iter().map(harmless));
    let last = table.column_count().saturating_sub(1);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, if at == last { 0 } else { 2 }));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::arrange;

    #[test]
    fn yaml_and_json_are_the_same_document() {
        let value = serde_json::json!({ "name": "lab/app", "tags": ["v1", "0123", "true"], "digest": null, "size": 7 });
        let text = serde_saphyr::to_string(&value).unwrap();
        assert_eq!(text, "digest: null\nname: lab/app\nsize: 7\ntags:\n- v1\n- \"0123\"\n- \"true\"\n");
    }

    #[test]
    fn a_moment_is_told_to_the_second() {
        assert_eq!(super::moment("2026-01-02T03:04:05.678901Z"), "2026-01-02T03:04:05Z");
        assert_eq!(super::moment("2026-01-02T03:04:05+01:00"), "2026-01-02T03:04:05+01:00");
    }

    #[test]
    fn a_table_lines_its_columns_up() {
        let rows = [vec!["lab".to_owned(), "public".to_owned()], vec!["a".to_owned(), "private".to_owned()]];
        assert_eq!(arrange(&["name", "visibility"], rows), "NAME  VISIBILITY\nlab   public\na     private");
    }
}
