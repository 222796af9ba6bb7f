//! The images of this machine's engines, for `hythe push`. An engine answers in a few milliseconds; one that does not is
//! waited for by another process.

use std::time::Duration;

use futures_util::future::join_all;
use hythe_client::engine::{Engine, EngineAddress};
use tokio::time::timeout;

use super::names::{LONGEST_FILE, Names, Shelf};
use super::renewal;

/// How long the shell may wait for engines.
const MOMENT: Duration = Duration::from_millis(25);

/// The images that can be pushed from here.
pub(super) fn images() -> Vec<String> {
    let asked = crate::commands::runtime(tokio::runtime::Builder::new_current_thread()).ok().map(|runtime| {
        let asked = runtime.block_on(async { timeout(MOMENT, ask()).await });
        runtime.shutdown_background();
        asked
    });
    if let Some(Ok(images)) = asked {
        return images;
    }
    let Some(shelf) = Shelf::of_this_machine() else { return Vec::new() };
    let (names, _) = shelf.look();
    renewal::begin(&shelf, &[]);
    names.map(|names| names.repositories.into_keys().collect()).unwrap_or_default()
}

/// Notes the images for the next time.
pub(super) async fn renew() {
    let Some(shelf) = Shelf::of_this_machine() else { return };
    let Some(turn) = shelf.turn() else { return };
    let images = ask().await.into_iter().map(|name| (name, Vec::new())).collect();
    let names = Names { repositories: images, ..Names::default() };
    if let Err(error) = shelf.put(&names, &turn) {
        tracing::debug!(%error, "the images of this machine are not noted");
    }
}

async fn ask() -> Vec<String> {
    let engines = EngineAddress::found()
        .into_iter()
        .map(|address| async move { Engine::connect(address).await.ok()?.names().await.ok() });
    let mut names: Vec<String> = join_all(engines).await.into_iter().flatten().flatten().collect();
    names.sort();
    names.dedup();
    let mut room = LONGEST_FILE * 3 / 4;
    names.retain(|name| {
        room = room.saturating_sub(Names::cost(name));
        room > 0
    });
    names
}
