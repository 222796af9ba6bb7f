//! From the words that were typed to the offers: the engine of clap knows commands and flags, the names come from here.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, complete};
use hythe_client::account::OwnLogins;
use hythe_client::image::ClusterName;
use hythe_client::profiles::Profiles;
use url::Url;

use super::matching::{Wanted, matching};
use super::names::Shelf;
use super::{local, renewal};
use crate::arguments::{Arguments, Connection, Server, parse_server};
use crate::commands::session;

/// What stands for which kind of name, by command (as a path) and argument.
enum Kind {
    Remote(Wanted),
    Local,
    Profile,
}

/// The kind of name that an argument takes. The names of arguments mean the same wherever they stand.
fn kind(path: &str, argument: &str) -> Option<Kind> {
    let (family, command) = path.rsplit_once(' ').unwrap_or(("", path));
    let wanted = match (command, argument) {
        (_, "profile") => return Some(Kind::Profile),
        (_, "name") if family == "profile" => return Some(Kind::Profile),
        // What is pushed lies here.
        ("push", "image") => return Some(Kind::Local),
        ("tags", "image") => Wanted::Repository,
        (_, "image" | "from" | "remote") | ("copy", "to") => Wanted::Image,
        // What is created has no name yet, so `name` stands for something only here.
        ("show" | "set" | "delete" | "rm", "name") | (_, "of") => Wanted::Anything,
        (_, "project") => Wanted::Project,
        _ => return None,
    };
    Some(Kind::Remote(wanted))
}

/// The lines of the answer: an offer, and after a tabulator what it is, if there is something to say.
pub(super) fn offers(mut words: Vec<OsString>, connection: &Connection) -> Vec<String> {
    let place = Place::of(&words, connection);
    if words.len() < 2 {
        words.resize(2, OsString::new());
    }
    let mut command = with_names(Arguments::command(), "", &place);
    let last = words.len() - 1;
    let folder = std::env::current_dir().ok();
    // Somebody who has not typed a dash wants no flag yet.
    let flags = words[last].as_encoded_bytes().first() == Some(&b'-');
    let found = complete(&mut command, words, last, folder.as_deref()).unwrap_or_default();
    let found = found.iter().filter(|offer| !offer.is_hide_set());
    let found = found.filter(|offer| flags || offer.get_value().as_encoded_bytes().first() != Some(&b'-'));
    found.filter_map(line).collect()
}

/// One offer as a line; `None` for what cannot stand in one.
fn line(offer: &CompletionCandidate) -> Option<String> {
    let value = offer.get_value().to_str().filter(|value| !value.contains(char::is_control))?;
    let help = offer.get_help().map(ToString::to_string).unwrap_or_default();
    let help: String = help.lines().next().unwrap_or_default().chars().filter(|c| !c.is_control()).collect();
    Some(if help.is_empty() { value.to_owned() } else { format!("{value}\t{help}") })
}

/// The command line, its arguments knowing where their names are.
fn with_names(command: clap::Command, name: &str, place: &Place) -> clap::Command {
    let name = name.to_owned();
    let command = command.mut_args(|argument| match kind(&name, argument.get_id().as_str()) {
        None => argument,
        Some(Kind::Local) => argument.add(ArgValueCompleter::new(|typed: &OsStr| {
            let images = local::images();
            candidates(
                images
                    .into_iter()
                    .filter(|image| typed.to_str().is_some_and(|typed| image.starts_with(typed))),
            )
        })),
        Some(Kind::Profile) => argument.add(ArgValueCompleter::new(|typed: &OsStr| {
            let profiles = Profiles::load();
            let names = profiles.iter().flat_map(Profiles::entries).map(|entry| entry.name.to_string());
            candidates(names.filter(|name| typed.to_str().is_some_and(|typed| name.starts_with(typed))))
        })),
        Some(Kind::Remote(wanted)) => {
            let place = place.clone();
            argument.add(ArgValueCompleter::new(move |typed: &OsStr| candidates(place.names(typed, wanted))))
        }
    });
    command.mut_subcommands(|below| {
        let name = format!("{name} {}", below.get_name());
        let name = name.trim_start();
        with_names(below, name, place)
    })
}

fn candidates(names: impl IntoIterator<Item = String>) -> Vec<CompletionCandidate> {
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// The server that the words are about, and who asks.
#[derive(Clone, Debug)]
struct Place {
    server: Option<Url>,
    user: Option<String>,
    authority: Option<String>,
    project: Option<String>,
}

impl Place {
    fn of(words: &[OsString], connection: &Connection) -> Self {
        let stored = OwnLogins::load().ok();
        let named = Server {
            url: flag(words, "--server")
                .and_then(|text| parse_server(&text).ok())
                .or_else(|| connection.server.url.clone()),
            profile: flag(words, "--profile").and_then(|name| ClusterName::parse(&name).ok()),
            ca: flag(words, "--ca").map(PathBuf::from).or_else(|| connection.server.ca.clone()),
        };
        // A file of profiles that cannot be read is told by the command itself.
        let profile = session::profile(&named).ok().flatten();
        let (server, authority, of_profile) = match profile {
            Some(profile) => (Some(profile.server), named.ca.or(profile.ca), profile.project),
            None => (named.url.or_else(|| stored.as_ref()?.latest().cloned()), named.ca, None),
        };
        let user = flag(words, "--username").or_else(|| connection.username.clone());
        let kept = || {
            server.as_ref().and_then(|server| stored.as_ref()?.for_server(server)).map(|login| login.username)
        };
        let user = user.or_else(kept);
        let authority = authority.and_then(|path| path.into_os_string().into_string().ok());
        let variable = || std::env::var("HYTHE_PROJECT").ok().filter(|project| !project.is_empty());
        let project =
            flag(words, "--project").or_else(variable).or_else(|| of_profile.map(|name| name.to_string()));
        Self { server, user, authority, project }
    }

    /// The names at the server that begin so, as far as they are known; others are looked for afterwards.
    fn names(&self, typed: &OsStr, wanted: Wanted) -> Vec<String> {
        let (Some(server), Some(typed)) = (&self.server, typed.to_str()) else { return Vec::new() };
        let Some(shelf) = Shelf::of(server, self.user.as_deref()) else { return Vec::new() };
        let (names, stale) = shelf.look();
        if stale {
            let mut arguments = vec!["--server".to_owned(), server.to_string()];
            for (name, value) in [("--username", &self.user), ("--ca", &self.authority)] {
                arguments.extend(value.iter().flat_map(|value| [name.to_owned(), value.clone()]));
            }
            renewal::begin(&shelf, &arguments);
        }
        names.map(|names| matching(&names, typed, wanted, self.project.as_deref())).unwrap_or_default()
    }
}

/// The value of a flag among the words before the last one.
fn flag(words: &[OsString], name: &str) -> Option<String> {
    let (_, words) = words.split_last()?;
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        if word == name {
            return words.next().map(ToOwned::to_owned);
        }
        if let Some(value) = word.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}
