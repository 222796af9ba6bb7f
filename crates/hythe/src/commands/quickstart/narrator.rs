//! Telling what happens: bars on a terminal, a line per finished step elsewhere.

use std::io::IsTerminal;

use hythe_client::sample::Part;
use indicatif::{DecimalBytes, ProgressBar, ProgressStyle};

use crate::configuration::Format;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// Digits of a digest that are shown: enough to tell a handful of blobs apart.
const SHOWN_DIGITS: usize = 12;

/// Speaks to the person on standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Narrator {
    printer: Printer,
    format: Format,
}

/// One transfer under way.
#[derive(Debug, Clone)]
pub(super) struct Transfer {
    narrator: Narrator,
    bar: ProgressBar,
    what: String,
    size: u64,
}

impl Narrator {
    pub(super) fn new(printer: Printer, format: Format) -> Self {
        Narrator { printer, format }
    }

    /// Says a sentence.
    pub(super) fn say(self, sentence: &str) {
        match self.format {
            Format::Text => self.printer.talk(sentence),
            // Standard error is JSON lines then, and a sentence would break them.
            Format::Json => tracing::warn!("{sentence}"),
        }
    }

    /// Begins to show a transfer.
    pub(super) fn transfer(self, kind: &str, part: &Part) -> Result<Transfer, Failure> {
        let digits: String = part.digest.hex().chars().take(SHOWN_DIGITS).collect();
        let what = format!("{kind:<8} {digits}");
        let visible = self.format == Format::Text && std::io::stderr().is_terminal();
        let bar = if visible { ProgressBar::new(part.size()) } else { ProgressBar::hidden() };
        let style =
            ProgressStyle::with_template("  {prefix} {bar:28} {decimal_bytes:>10} of {decimal_total_bytes}")
                .map_err(|error| {
                    Failure::new(Exit::Failed, format!("The progress bar cannot be drawn: {error}"))
                })?;
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(what.clone());
        Ok(Transfer { narrator: self, bar, what, size: part.size() })
    }
}

impl Transfer {
    /// So many more bytes went by.
    pub(super) fn moved(&self, bytes: usize) {
        self.bar.inc(bytes as u64);
    }

    /// Ends the transfer; `how` says what became of it.
    pub(super) fn end(self, how: &str) {
        self.bar.finish_and_clear();
        let size = DecimalBytes(self.size).to_string();
        self.narrator.say(&format!("  {} {size:>10}  {how}", self.what));
    }
}
