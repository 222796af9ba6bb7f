//! `hythe login --docker`: docker, podman and skopeo use this login through a credential helper.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use hythe_client::credentials::LoginKey;
use serde_json::{Value, json};

use crate::failure::{Exit, Failure};
use crate::helper::NAME;

/// The most bytes of docker's file that are read.
const LONGEST_FILE: u64 = 4 * 1024 * 1024;

/// What was put in place.
#[derive(Debug)]
pub(super) struct Placed {
    /// docker's file.
    pub(super) config: PathBuf,
    /// The helper.
    pub(super) helper: PathBuf,
    /// Whether docker will find the helper by `PATH`.
    pub(super) found: bool,
}

/// Puts the helper into a folder of `PATH`, and names it for a registry in docker's file, which podman and skopeo read
/// as well.
pub(super) fn place(key: &LoginKey) -> Result<Placed, Failure> {
    let helper = place_helper()?;
    let config = docker_file()?;
    name_helper(&config, key).map_err(|error| failed(&config, &error))?;
    let folder = helper.parent().map(Path::to_owned);
    let found = path_folders().any(|known| Some(&known) == folder.as_ref());
    Ok(Placed { config, helper, found })
}

/// A link to this program under the helper's name: beside it if that may be written, else in `~/.local/bin`.
fn place_helper() -> Result<PathBuf, Failure> {
    let program = std::env::current_exe().and_then(fs::canonicalize);
    let program = program.map_err(|error| failed(Path::new("this program"), &error))?;
    let beside = program.with_file_name(NAME);
    let local = home()?.join(".local/bin").join(NAME);
    // Where docker looks, if it can be.
    let mut places = vec![beside, local];
    places.sort_by_key(|place| !path_folders().any(|folder| Some(folder.as_path()) == place.parent()));
    let mut problem = None;
    for place in places {
        match link(&program, &place) {
            Ok(()) => return Ok(place),
            Err(error) => problem = Some(failed(&place, &error)),
        }
    }
    Err(problem.unwrap_or_else(|| Failure::new(Exit::Failed, "There is no place for the credential helper")))
}

fn link(program: &Path, place: &Path) -> io::Result<()> {
    if fs::canonicalize(place).is_ok_and(|there| there == program) {
        return Ok(());
    }
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = place.with_extension(std::process::id().to_string());
    symlink(program, &beside)?;
    fs::rename(&beside, place)
}

fn docker_file() -> Result<PathBuf, Failure> {
    let named = std::env::var_os("DOCKER_CONFIG").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    Ok(named.map_or_else(|| home().map(|home| home.join(".docker")), Ok)?.join("config.json"))
}

/// Adds the helper to docker's file and leaves everything else in it.
fn name_helper(config: &Path, key: &LoginKey) -> io::Result<()> {
    let text = match fs::metadata(config) {
        Ok(state) if state.len() > LONGEST_FILE => {
            return Err(io::Error::other("it is too large for docker's file"));
        }
        Ok(_) => fs::read(config)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => b"{}".to_vec(),
        Err(error) => return Err(error),
    };
    let mut content: Value = serde_json::from_slice(&text)?;
    let all = content.as_object_mut().ok_or_else(|| io::Error::other("it is no JSON object"))?;
    let server = key.as_docker_server();
    let helpers = all.entry("credHelpers").or_insert_with(|| json!({}));
    let helpers =
        helpers.as_object_mut().ok_or_else(|| io::Error::other("its credHelpers is no JSON object"))?;
    helpers.insert(server.clone(), json!("hythe"));
    // A login that is kept there as well would be used by podman.
    if let Some(logins) = all.get_mut("auths").and_then(Value::as_object_mut) {
        logins.remove(&server);
    }
    if let Some(folder) = config.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = config.with_extension(format!("json.{}", std::process::id()));
    fs::write(&beside, serde_json::to_vec_pretty(&content)?)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600))?;
    fs::rename(&beside, config)
}

fn path_folders() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

fn home() -> Result<PathBuf, Failure> {
    let home = std::env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    home.ok_or_else(|| Failure::new(Exit::Usage, "HOME is not set, so docker's file cannot be found"))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("{} cannot be used: {error}", path.display()))
}
