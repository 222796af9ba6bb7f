//! Where the processes of one person share an access token: a file that they alone can read, and a lock beside it.
//!
//! The shelf is a convenience: where it cannot be used, each keeper has what it fetched itself, and nothing fails.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hythe_oci::{Algorithm, Digest};
use hythe_outbound::Url;
use tokio::time::{Instant, sleep};

use super::keeper::Kept;

/// How long to wait for another process that fetches a token; then one fetches another.
const LONGEST_TURN: Duration = Duration::from_secs(20);

/// The most bytes of a shelf's file that are read.
const LONGEST_FILE: u64 = 64 * 1024;

/// The token of one user at one server.
#[derive(Clone)]
pub(super) struct Shelf {
    file: Option<PathBuf>,
    own: Arc<Mutex<Option<Kept>>>,
    turns: Arc<tokio::sync::Mutex<()>>,
}

/// The right to fetch a token: nobody else of the same person does meanwhile.
pub(super) struct Turn<'a> {
    _own: tokio::sync::MutexGuard<'a, ()>,
    /// Closing the file releases its lock.
    _lock: Option<File>,
}

impl Shelf {
    /// The shelf in the person's own cache, if there is one.
    pub(super) fn default_for(server: &Url, username: &str) -> Self {
        Self::of(folder().as_deref(), server, username)
    }

    pub(super) fn of(folder: Option<&Path>, server: &Url, username: &str) -> Self {
        let key = Digest::of(Algorithm::Sha256, format!("{server}\n{username}").as_bytes());
        let file = folder.map(|folder| folder.join(format!("{}.json", key.hex())));
        Self { file, own: Arc::default(), turns: Arc::default() }
    }

    /// The token that lies here, if it can be read.
    pub(super) fn look(&self) -> Option<Kept> {
        let shared = self.file.as_deref().and_then(read);
        shared.or_else(|| self.own.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(super) fn put(&self, kept: &Kept) {
        *self.own.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.clone());
        if let Some(file) = &self.file
            && let Err(error) = write(file, kept)
        {
            tracing::debug!(%error, "an access token is not shared with other processes");
        }
    }

    /// Waits for the right to fetch.
    pub(super) async fn turn(&self) -> Turn<'_> {
        let own = self.turns.lock().await;
        let lock = match &self.file {
            Some(file) => lock(&file.with_extension("lock")).await,
            None => None,
        };
        Turn { _own: own, _lock: lock }
    }
}

/// Shows no token.
impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("file", &self.file).finish_non_exhaustive()
    }
}

fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("hythe").join("tokens"))
}

fn read(path: &Path) -> Option<Kept> {
    let file = File::open(path).ok()?;
    // Whoever else could read or write it may know or have made what it holds.
    let state = file.metadata().ok()?;
    if state.mode() & 0o077 != 0 || state.len() > LONGEST_FILE {
        return None;
    }
    serde_json::from_reader(file).ok()
}

fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let beside = path.with_extension(format!("json.{}", std::process::id()));
    let written = private(&beside).and_then(|mut file| file.write_all(&serde_json::to_vec(kept)?));
    let placed = written.and_then(|()| std::fs::rename(&beside, path));
    if placed.is_err() {
        // The first error is the one that counts.
        drop(std::fs::remove_file(&beside));
    }
    placed
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// The lock, or none when the place cannot be used or another process holds it for too long.
async fn lock(path: &Path) -> Option<File> {
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).ok()?;
    }
    let file = private(path).ok()?;
    let end = Instant::now() + LONGEST_TURN;
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(_) if Instant::now() >= end => return None,
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
