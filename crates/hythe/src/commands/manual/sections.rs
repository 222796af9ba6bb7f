//! The sections of a manual page that the arguments do not tell.

use std::io::{self, Write};

use clap_mangen::roff::{Roff, bold, italic, roman};

use super::examples::Example;
use crate::failure::Exit;

/// The variables that no flag stands for, and what they do.
const VARIABLES: &[(&str, &str)] = &[
    ("HYTHE_PASSWORD", "Your password, where no login is kept. It is never taken from the command line."),
    ("HYTHE_NEW_PASSWORD", "The password that `user create` and `user password` set."),
    (
        "HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy for requests, and the hosts reached without it.",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificate authorities in place of the system's."),
    ("DOCKER_HOST, CONTAINER_HOST, CONTAINERD_ADDRESS", "The sockets of docker, podman and containerd."),
    ("DOCKER_CONFIG, REGISTRY_AUTH_FILE", "Where the logins of docker and podman are."),
    ("XDG_CONFIG_HOME, XDG_CACHE_HOME", "Where logins are kept, and what can be found out again."),
    ("NO_COLOR", "No colours when it is set."),
];

/// The files, and what is in them.
const FILES: &[(&str, &str)] = &[
    ("/etc/hythe/hythe.toml", "The server's configuration; `hythe config example` explains it."),
    ("$XDG_CONFIG_HOME/hythe/credentials.json", "Logins, readable by you alone."),
    ("$XDG_CACHE_HOME/hythe/", "What is remembered of layers, tokens and names. It may be deleted."),
    ("DIR/hythe.sock", "Where a running server takes the commands that keep its data folder in order."),
    ("~/.docker/config.json", "Where `hythe login --docker` names itself to docker."),
];

/// The head line. It is written by hand, for the library leaves an empty date out, and the rest would take its place; a date
/// would make the pages of one version differ from build to build.
pub(super) fn title(name: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(".TH \"{}\" \"1\" \"\" \"hythe {version}\" \"Hythe Manual\"\n", name.to_uppercase())
}

/// A section with a list of terms.
fn list<'a>(
    title: &str,
    terms: impl IntoIterator<Item = (String, &'a str)>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut terms = terms.into_iter().peekable();
    if terms.peek().is_none() {
        return Ok(());
    }
    let mut roff = Roff::new();
    roff.control("SH", [title]);
    for (term, meaning) in terms {
        roff.control("TP", []);
        roff.text([bold(term)]);
        roff.text([roman(meaning)]);
    }
    roff.to_writer(out)
}

/// The exit codes: all of them in the page of `hythe`, which the others point to.
pub(super) fn exit_status(is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    if is_whole {
        let codes = Exit::ALL.iter().map(|exit| ((*exit as u8).to_string(), exit.meaning()));
        return list("EXIT STATUS", std::iter::once(("0".to_owned(), "Done.")).chain(codes), out);
    }
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    roff.text([
        roman("0 when it is done, 1 when it was tried and did not work, 2 when the command line is wrong; the others stand in "),
        bold("hythe"),
        roman("(1)."),
    ]);
    roff.to_writer(out)
}

/// The variables of the command's own flags; in the page of `hythe`, those without a flag.
pub(super) fn environment(command: &clap::Command, is_whole: bool, out: &mut dyn Write) -> io::Result<()> {
    if is_whole {
        return list(
            "ENVIRONMENT",
            VARIABLES.iter().map(|(name, meaning)| ((*name).to_owned(), *meaning)),
            out,
        );
    }
    let of_flags: Vec<(String, String)> = command
        .get_arguments()
        .filter_map(|argument| {
            let name = argument.get_env()?.to_str()?.to_owned();
            Some((name, format!("Stands for --{}.", argument.get_long()?)))
        })
        .collect();
    list("ENVIRONMENT", of_flags.iter().map(|(name, meaning)| (name.clone(), meaning.as_str())), out)
}

pub(super) fn files(out: &mut dyn Write) -> io::Result<()> {
    list("FILES", FILES.iter().map(|(path, meaning)| ((*path).to_owned(), *meaning)), out)
}

pub(super) fn examples(examples: &[Example], out: &mut dyn Write) -> io::Result<()> {
    if examples.is_empty() {
        return Ok(());
    }
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    for Example { purpose, line } in examples {
        roff.control("TP", []);
        roff.text([roman(format!("{purpose}:"))]);
        roff.text([bold(*line)]);
    }
    roff.to_writer(out)
}

pub(super) fn see_also(pages: Vec<String>, out: &mut dyn Write) -> io::Result<()> {
    let mut roff = Roff::new();
    roff.control("SH", ["SEE ALSO"]);
    let mut inlines = Vec::new();
    for page in pages {
        if !inlines.is_empty() {
            inlines.push(roman(", "));
        }
        inlines.push(italic(page));
        inlines.push(roman("(1)"));
    }
    roff.text(inlines);
    roff.to_writer(out)
}
