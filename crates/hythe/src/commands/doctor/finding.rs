//! What a check found, and how it is shown.
//!
//! Invariant: the names of checks and verdicts are a contract with programs (`docs/cli.md`), and whatever is wrong comes
//! with what to do about it.

use serde::Serialize;
use tokio::sync::mpsc::UnboundedSender;

/// The columns that a finding fills at most.
const WIDTH: usize = 80;

/// The columns before the message.
const MARGIN: usize = 26;

/// What is looked at, in the order in which it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Check {
    /// The way to the server: directly or through a proxy.
    Proxy,
    /// The addresses of its name.
    Name,
    /// Whether somebody listens there.
    Connection,
    /// Whether its certificate is trusted.
    Tls,
    /// Whether it is a registry, and how it signs people in.
    Registry,
    /// Whether it is a Hythe, and its condition.
    Hythe,
    /// Its clock beside ours.
    Clock,
    /// The login that `hythe` uses there.
    Login,
    /// The login that docker, podman and skopeo use there.
    DockerLogin,
    /// The largest piece of an upload that gets through.
    UploadSize,
    /// The folder of what can be found out again.
    Cache,
    /// The folder of the logins.
    Configuration,
    /// The registries that have a name.
    Profiles,
    /// The engine of this name.
    Docker,
    /// The engine of this name.
    Podman,
    /// The engine of this name.
    Containerd,
}

impl Check {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Proxy => "proxy",
            Self::Name => "name",
            Self::Connection => "connection",
            Self::Tls => "tls",
            Self::Registry => "registry",
            Self::Hythe => "hythe",
            Self::Clock => "clock",
            Self::Login => "login",
            Self::DockerLogin => "docker_login",
            Self::UploadSize => "upload_size",
            Self::Cache => "cache",
            Self::Configuration => "configuration",
            Self::Profiles => "profiles",
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
        }
    }
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and will bite.
    Warning,
    /// It does not work.
    Failed,
    /// It was not looked at; the message says why.
    NotChecked,
}

impl Verdict {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotChecked => "not checked",
        }
    }
}

/// The outcome of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: Check,
    pub(super) verdict: Verdict,
    /// A sentence.
    message: String,
    /// What to do, as a sentence; `null` when there is nothing to do.
    fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: Check, message: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, message: message.into(), fix: None }
    }

    pub(super) fn warning(check: Check, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, message: message.into(), fix: Some(fix.into()) }
    }

    pub(super) fn failed(check: Check, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Failed, message: message.into(), fix: Some(fix.into()) }
    }

    pub(super) fn not_checked(check: Check, message: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::NotChecked, message: message.into(), fix: None }
    }

    /// Adds what to do about it.
    pub(super) fn with_fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }

    /// Whether it was not looked at for the same reason: people need not read that ten times.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        self.verdict == Verdict::NotChecked
            && other.verdict == Verdict::NotChecked
            && self.message == other.message
    }

    /// As lines of at most eighty columns.
    pub(super) fn lines(&self) -> String {
        let mut lines = wrapped(&self.message);
        if let Some(fix) = &self.fix {
            lines.extend(wrapped(&format!("fix: {fix}")));
        }
        let mut text = String::new();
        for (at, line) in lines.iter().enumerate() {
            let (verdict, check) = if at == 0 { (self.verdict.name(), self.check.name()) } else { ("", "") };
            text.push_str(format!("{verdict:<12}{check:<14}{line}").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A sentence in lines that fit beside the margin. A word longer than a line, an address say, stays whole, so that it can be
/// copied. What steers a terminal is not let through, whoever said it.
fn wrapped(sentence: &str) -> Vec<String> {
    let clean: String = sentence.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut lines = vec![String::new()];
    for word in clean.split_whitespace() {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= WIDTH - MARGIN {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

/// Where findings go as they are made.
#[derive(Clone, Debug)]
pub(super) struct Report(UnboundedSender<Finding>);

impl Report {
    pub(super) fn new(sender: UnboundedSender<Finding>) -> Self {
        Self(sender)
    }

    pub(super) fn tell(&self, finding: Finding) {
        // The reader is gone only when the program ends.
        drop(self.0.send(finding));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_finding_fits_into_eighty_columns() {
        let finding = Finding::failed(
            Check::Connection,
            "Nobody listens at registry.example.org:443, which is 192.0.2.7: the connection was refused",
            "check that the server runs, and that the port is right",
        );
        assert_eq!(
            finding.lines(),
            "failed      connection    Nobody listens at registry.example.org:443, which is\n\
             \x20                         192.0.2.7: the connection was refused\n\
             \x20                         fix: check that the server runs, and that the port is\n\
             \x20                         right\n"
        );
    }

    proptest! {
        #[test]
        fn nothing_said_from_outside_steers_the_terminal(text in ".{0,200}") {
            let lines = Finding::ok(Check::Name, text).lines();
            prop_assert!(lines.chars().all(|c| c == '\n' || !c.is_control()));
        }

        #[test]
        fn words_are_wrapped_at_the_eightieth_column(text in "([a-z]{1,40} ){0,30}") {
            for line in Finding::ok(Check::UploadSize, text).lines().lines() {
                prop_assert!(line.chars().count() <= WIDTH);
            }
        }
    }
}
