//! `hythe profile`: the registries that a person works with, by name.

use hythe_client::image::{ClusterName, ImageNameError};
use hythe_client::profiles::{Profiles, ProfilesError, StoredProfile};
use serde::Serialize;

use crate::arguments::ProfileCommand;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;

/// A profile as programs see it.
#[derive(Serialize)]
struct Shown {
    name: String,
    server: String,
    organisation: Option<String>,
    project: Option<String>,
    ca: Option<String>,
    default: bool,
}

pub(super) fn run(command: ProfileCommand, printer: Printer) -> Result<(), Failure> {
    let mut profiles = Profiles::load().map_err(no_profile)?;
    match command {
        ProfileCommand::Ls => list(&profiles, printer),
        ProfileCommand::Set { name, server, organisation, project, ca } => {
            let there = profiles.entries().iter().find(|entry| entry.name == name).cloned();
            let known = there.is_some();
            let mut entry = match (there, server) {
                (Some(entry), None) => entry,
                (Some(mut entry), Some(server)) => {
                    entry.server = server;
                    entry
                }
                (None, Some(server)) => StoredProfile::new(name.clone(), server),
                (None, None) => {
                    return Err(Failure::new(Exit::Usage, format!("There is no profile `{name}` yet")).hint(
                        format!("say where its server answers: hythe profile set {name} --server URL"),
                    ));
                }
            };
            entry.organisation = organisation.or(entry.organisation);
            entry.project = project.or(entry.project);
            if let Some(ca) = ca {
                // Read from wherever a command is run later.
                entry.ca = Some(std::path::absolute(&ca).map_err(|error| {
                    Failure::new(Exit::Usage, format!("{} is no path: {error}", ca.display()))
                })?);
            }
            profiles.set(&entry).map_err(no_profile)?;
            let verb = if known { "Changed" } else { "Added" };
            let path = profiles.path().display();
            printer.named(
                &shown(&profiles, &entry),
                [&name],
                &format!("{verb} the profile `{name}` in {path}"),
            )
        }
        ProfileCommand::Use { name } => {
            profiles.use_by_default(&name).map_err(no_profile)?;
            told(&profiles, &name, format!("`{name}` is used where no profile is named"), printer)
        }
        ProfileCommand::Rm { name } => {
            profiles.remove(&name).map_err(no_profile)?;
            printer.named(
                &super::Deleted::new(name.as_str()),
                [&name],
                &format!("Removed the profile `{name}`; the login of its server stays"),
            )
        }
    }
}

fn list(profiles: &Profiles, printer: Printer) -> Result<(), Failure> {
    let all: Vec<Shown> = profiles.entries().iter().map(|entry| shown(profiles, entry)).collect();
    let rows = all.iter().map(|profile| {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let name = if profile.default { format!("{} *", profile.name) } else { profile.name.clone() };
        vec![name, profile.server.clone(), text(&profile.organisation), text(&profile.project)]
    });
    let names = all.iter().map(|profile| &profile.name);
    printer.listing(&all, names, &["name", "server", "organisation", "project"], rows)
}

fn told(profiles: &Profiles, name: &ClusterName, sentence: String, printer: Printer) -> Result<(), Failure> {
    let entry = profiles.entry(name).map_err(no_profile)?;
    printer.named(&shown(profiles, entry), [name], &sentence)
}

fn shown(profiles: &Profiles, entry: &StoredProfile) -> Shown {
    Shown {
        name: entry.name.to_string(),
        server: entry.server.to_string(),
        organisation: entry.organisation.as_ref().map(ToString::to_string),
        project: entry.project.as_ref().map(ToString::to_string),
        ca: entry.ca.as_ref().map(|ca| ca.display().to_string()),
        default: profiles.default_entry().is_some_and(|default| default.name == entry.name),
    }
}

/// What it means that profiles cannot be read or changed.
pub(super) fn no_profile(error: ProfilesError) -> Failure {
    match &error {
        ProfilesError::Unknown { .. } => Failure::new(Exit::Usage, error.to_string())
            .hint("`hythe profile ls` lists them, `hythe profile set NAME --server URL` adds one"),
        ProfilesError::Unreadable { .. } => {
            Failure::new(Exit::Usage, error.to_string()).hint("correct it there, or move the file away")
        }
        ProfilesError::NoPlace => {
            Failure::new(Exit::Usage, error.to_string()).hint("or pass --server URL each time")
        }
        _ => Failure::new(Exit::Failed, error.to_string()),
    }
}

/// A profile whose server is no registry; the file was checked when it was read.
pub(super) fn misnamed(error: ImageNameError) -> Failure {
    Failure::new(Exit::Usage, error.to_string())
}
