//! What a command says when it does not succeed: a complete sentence, perhaps a hint, and an exit code.
//!
//! The exit codes are a contract (`docs/cli.md`): scripts branch on them, so a code never changes its
//! meaning.

use std::fmt;
use std::process::ExitCode;

/// The exit codes other than 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It was tried and did not work.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was tried.
    Usage = 2,
    /// Another process holds the data folder.
    FolderBusy = 3,
    /// Not signed in, or not allowed.
    Refused = 4,
    /// The thing named does not exist (or must look so).
    NotFound = 5,
    /// The thing exists already, or its state forbids the change.
    Conflict = 6,
    /// The server did not answer.
    Unreachable = 7,
    /// The check found acknowledged data missing or corrupt.
    Damaged = 8,
    /// The image is not ready yet, and the time is over.
    NotReady = 9,
    /// SIGINT ended it (128 + 2, as shells count).
    Interrupted = 130,
    /// SIGTERM ended it (128 + 15).
    Terminated = 143,
}

impl Exit {
    /// All of them, by number.
    pub(crate) const ALL: [Self; 11] = [
        Self::Failed,
        Self::Usage,
        Self::FolderBusy,
        Self::Refused,
        Self::NotFound,
        Self::Conflict,
        Self::Unreachable,
        Self::Damaged,
        Self::NotReady,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// What it means, as a sentence for the manual.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Failed => "It was tried and did not work.",
            Self::Usage => "The command line or the configuration is wrong; nothing was tried.",
            Self::FolderBusy => "Another process holds the data folder.",
            Self::Refused => "You are not signed in, or may not do this.",
            Self::NotFound => "The thing named does not exist, or must look so.",
            Self::Conflict => "It exists already, or its state forbids the change.",
            Self::Unreachable => "The server did not answer.",
            Self::Damaged => "Acknowledged data is missing, corrupt or unreadable.",
            Self::NotReady => "The image is not ready, and the time to wait is over.",
            Self::Interrupted => "It was interrupted (Ctrl-C) before it was done.",
            Self::Terminated => "It was terminated (SIGTERM) before it was done.",
        }
    }
}

/// Why a command did not succeed.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    sentence: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure told by one complete sentence, without a full stop.
    pub(crate) fn new(exit: Exit, sentence: impl Into<String>) -> Self {
        Failure { exit, sentence: sentence.into(), hint: None }
    }

    /// Adds what the person can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The hint, if there is one.
    pub(crate) fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Failure {}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// A library's message as the beginning of a sentence: with a capital letter unless it is an address or a digest.
pub(crate) fn sentence(message: impl fmt::Display) -> String {
    let message = message.to_string();
    if ["http", "sha256:", "sha512:"].iter().any(|start| message.starts_with(start)) {
        // An address keeps its case.
        return message;
    }
    let mut letters = message.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// An error and everything that caused it, in one line: `a: b: c`.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some libraries repeat their cause in their own message.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
