//! The text of a file of profiles: read into types, changed in place, written as a whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hythe_oci::ProjectName;
use hythe_outbound::Url;
use toml_edit::{DocumentMut, Item, TableLike, Value, value};

use super::{ProfilesError, StoredProfile};
use crate::image::{ClusterName, Registry};

/// Most bytes of a file of profiles.
pub const PROFILES_BYTES: u64 = 256 * 1024;

/// Most profiles of a person.
pub const PROFILES: usize = 100;

/// The keys of the file.
const KEYS: [&str; 2] = ["default", "profiles"];

/// The keys of a profile.
const PROFILE_KEYS: [&str; 4] = ["server", "organisation", "project", "ca"];

/// How alike a key must be to be offered, from 0 to 1.
const ALIKE: f64 = 0.65;

/// `$XDG_CONFIG_HOME/hythe/profiles.toml`, or below `~/.config`.
pub(super) fn usual_path() -> Result<PathBuf, ProfilesError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("hythe").join("profiles.toml")).ok_or(ProfilesError::NoPlace)
}

/// The text of the file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, ProfilesError> {
    let failed = |source| ProfilesError::File { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = String::new();
    file.take(PROFILES_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    Ok(Some(text))
}

/// Writes the file beside its place and renames it: whole, or not at all. Others need not know where a person works.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), ProfilesError> {
    let written = || {
        if let Some(folder) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = path.with_extension(format!("toml.{}", std::process::id()));
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside);
        let placed = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&beside, path)
        });
        if placed.is_err() {
            // The first error is the one that counts.
            drop(std::fs::remove_file(&beside));
        }
        placed
    };
    written().map_err(|source| ProfilesError::File { path: path.to_owned(), source })
}

/// What a file of profiles says.
type Read = (DocumentMut, Vec<StoredProfile>, Option<ClusterName>);

/// Reads the text, or says what is wrong with it.
pub(super) fn parse(text: &str) -> Result<Read, String> {
    if u64::try_from(text.len()).is_ok_and(|length| length > PROFILES_BYTES) {
        return Err(format!("it is longer than {PROFILES_BYTES} bytes"));
    }
    let document = text.parse::<DocumentMut>().map_err(|error| one_line(&error.to_string()))?;
    known(document.as_table(), &KEYS, "")?;
    let mut entries = Vec::new();
    if let Some(profiles) = document.get("profiles") {
        let profiles = profiles.as_table_like().ok_or("`profiles` is not a table of profiles")?;
        for (name, item) in profiles.iter() {
            if entries.len() == PROFILES {
                return Err(format!("it has more than {PROFILES} profiles"));
            }
            entries.push(profile(name, item)?);
        }
    }
    let default = match text_of(document.as_table(), "default", "")? {
        None => None,
        Some(name) => {
            let default = ClusterName::parse(name).map_err(|error| format!("`default`: {error}"))?;
            if !entries.iter().any(|entry| entry.name == default) {
                let near = nearest(name, entries.iter().map(|entry| entry.name.as_str()));
                return Err(format!("`default` names `{default}`, which is no profile of the file{near}"));
            }
            Some(default)
        }
    };
    Ok((document, entries, default))
}

fn profile(name: &str, item: &Item) -> Result<StoredProfile, String> {
    let place = format!("profiles.{}.", name.escape_debug());
    let table =
        item.as_table_like().ok_or_else(|| format!("`profiles.{}` is not a table", name.escape_debug()))?;
    known(table, &PROFILE_KEYS, &place)?;
    let name = ClusterName::parse(name).map_err(|error| error.to_string())?;
    let server = read_key::<Url>(table, "server", &place)?
        .ok_or_else(|| format!("`{place}server` is missing: write `server = \"https://HOST\"`"))?;
    Registry::of_url(&server).map_err(|error| format!("`{place}server`: {error}"))?;
    let ca = text_of(table, "ca", &place)?.map(PathBuf::from);
    if ca.as_ref().is_some_and(|ca| !ca.is_absolute()) {
        return Err(format!("`{place}ca` must be an absolute path, for commands run anywhere"));
    }
    let organisation = read_key::<ProjectName>(table, "organisation", &place)?;
    let project = read_key::<ProjectName>(table, "project", &place)?;
    Ok(StoredProfile { name, server, organisation, project, ca })
}

/// Refuses keys that mean nothing.
fn known(table: &dyn TableLike, keys: &[&'static str], place: &str) -> Result<(), String> {
    for (key, _) in table.iter() {
        if !keys.contains(&key) {
            let near = nearest(key, keys.iter().copied());
            return Err(format!("the key `{place}{}` is not known{near}", key.escape_debug()));
        }
    }
    Ok(())
}

fn text_of<'t>(table: &'t dyn TableLike, key: &str, place: &str) -> Result<Option<&'t str>, String> {
    let Some(item) = table.get(key) else { return Ok(None) };
    item.as_str().map(Some).ok_or_else(|| format!("`{place}{key}` is not a text in quotes"))
}

fn read_key<T: FromStr<Err: std::fmt::Display>>(
    table: &dyn TableLike,
    key: &str,
    place: &str,
) -> Result<Option<T>, String> {
    let read = |text: &str| text.parse().map_err(|error| format!("`{place}{key}`: {error}"));
    text_of(table, key, place)?.map(read).transpose()
}

/// `; did you mean …?`, or nothing when no candidate is alike.
fn nearest<'c>(word: &str, candidates: impl Iterator<Item = &'c str>) -> String {
    let alike = candidates.map(|candidate| (strsim::jaro_winkler(word, candidate), candidate));
    let best = alike.filter(|(likeness, _)| *likeness > ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b));
    best.map_or_else(String::new, |(_, candidate)| format!("; did you mean `{candidate}`?"))
}

/// A parser's message of several lines, without the picture of the text that it draws.
fn one_line(message: &str) -> String {
    let words = message.lines().filter(|line| !line.contains('|')).map(str::trim);
    words.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(": ")
}

/// Writes a profile into the document. What is there stays, with its comments; what the profile does not have goes.
pub(super) fn set(document: &mut DocumentMut, entry: &StoredProfile) {
    let profiles = document.entry("profiles").or_insert_with(implicit_table);
    let Some(profiles) = profiles.as_table_like_mut() else { return };
    let table = profiles.entry(entry.name.as_str()).or_insert_with(toml_edit::table);
    let Some(table) = table.as_table_like_mut() else { return };
    let ca = entry.ca.as_ref().map(|ca| ca.display().to_string());
    // Without the slash that every address ends in, as a person writes it.
    let server = entry.server.as_str().trim_end_matches('/').to_owned();
    let organisation = entry.organisation.as_ref().map(ToString::to_string);
    let project = entry.project.as_ref().map(ToString::to_string);
    for (key, text) in PROFILE_KEYS.into_iter().zip([Some(server), organisation, project, ca]) {
        match (text, table.get_mut(key).and_then(Item::as_value_mut)) {
            (Some(text), Some(there)) => {
                let decor = there.decor().clone();
                *there = Value::from(text);
                *there.decor_mut() = decor;
            }
            (Some(text), None) => {
                table.insert(key, value(text));
            }
            (None, _) => {
                table.remove(key);
            }
        }
    }
}

/// A table whose header is not written: `[profiles.a]` says it.
fn implicit_table() -> Item {
    let mut table = toml_edit::Table::new();
    table.set_implicit(true);
    Item::Table(table)
}

/// Names the default.
pub(super) fn set_default(document: &mut DocumentMut, name: Option<&ClusterName>) {
    match name {
        Some(name) => document["default"] = value(name.as_str()),
        None => {
            document.remove("default");
        }
    }
}

/// Takes a profile out.
pub(super) fn remove(document: &mut DocumentMut, name: &ClusterName) {
    if let Some(profiles) = document.get_mut("profiles").and_then(Item::as_table_like_mut) {
        profiles.remove(name.as_str());
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
