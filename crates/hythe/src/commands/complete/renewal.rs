//! Looking at the server and at the engines for names, in a process of its own that nobody waits for.

use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use hythe_client::account::OwnLogins;
use hythe_client::{Api, ApiError};
use tokio::time::timeout;

use super::local;
use super::names::{LONGEST_FILE, Names, Shelf};
use crate::arguments::Connection;
use crate::commands::session::{self, Session, no_account};
use crate::failure::{Exit, Failure};

/// How long looking may take.
const TIME: Duration = Duration::from_secs(30);

/// Starts another process that renews, unless one did a moment ago. It belongs to nobody: the shell does not wait for it.
pub(super) fn begin(shelf: &Shelf, arguments: &[String]) {
    if shelf.was_tried() {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = Command::new(program);
    command.args(["complete", "--renew"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    // Without it, the next answer is as old as this one.
    drop(command.spawn());
}

/// Renews the names of the server and of this machine.
pub(super) fn run(connection: &Connection) -> Result<(), Failure> {
    let runtime = crate::commands::runtime(tokio::runtime::Builder::new_current_thread())?;
    let work = async { tokio::join!(server(connection), local::renew()) };
    let (outcome, ()) = runtime
        .block_on(async { timeout(TIME, work).await })
        .map_err(|_| Failure::new(Exit::Unreachable, "The server did not answer in time"))?;
    outcome
}

async fn server(connection: &Connection) -> Result<(), Failure> {
    let stored = OwnLogins::load().map_err(no_account)?;
    let server = session::server(&connection.server, &stored)?;
    let login = session::login(connection, &server, &stored, true)?;
    let user = login.as_ref().map(|login| login.username.as_str());
    let shelf = Shelf::of(&server, user);
    let Some((shelf, turn)) =
        shelf.and_then(|shelf| Some((shelf.turn()?, shelf))).map(|(turn, shelf)| (shelf, turn))
    else {
        return Ok(());
    };
    let api = Session::with(&connection.server, &server, login.as_ref())?.api;
    let names = look(&api).await.map_err(session::refused)?;
    shelf.put(&names, &turn).map_err(|error| Failure::new(Exit::Failed, error.to_string()))
}

/// Everything that may be named, as far as the file takes it.
async fn look(api: &Api) -> Result<Names, ApiError> {
    let (mut names, mut room) = (Names::default(), LONGEST_FILE * 3 / 4);
    let mut pays = |name: &str| match room.checked_sub(Names::cost(name)) {
        Some(left) => {
            room = left;
            true
        }
        None => false,
    };
    let mut projects = api.projects()?;
    let mut found = Vec::new();
    while let Some(project) = projects.next().await? {
        if !pays(project.name.as_str()) {
            return Ok(names);
        }
        names.projects.push(project.name.to_string());
        found.push(project.name);
    }
    for project in found {
        let mut repositories = api.repositories(&project)?;
        while let Some(repository) = repositories.next().await? {
            let name = repository.name.to_string();
            if !pays(&name) {
                return Ok(names);
            }
            names.repositories.insert(name, Vec::new());
        }
        let mut images = api.images(&project)?;
        while let Some(image) = images.next().await? {
            let tag = image.tag.to_string();
            if !pays(&tag) {
                return Ok(names);
            }
            names.repositories.entry(image.repository.to_string()).or_default().push(tag);
        }
    }
    Ok(names)
}
