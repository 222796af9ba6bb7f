//! The names of a server, as they were when somebody last looked: a file for each server and user.
//!
//! Invariants: the file holds names alone, is readable by its owner alone and has a bounded size; it is replaced as a whole.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use hythe_oci::{Algorithm, Digest};
use hythe_store::{Clock as _, SystemClock};
use serde::{Deserialize, Serialize};
use url::Url;

/// The most bytes of a file; what is left out is not offered.
pub(super) const LONGEST_FILE: usize = 1 << 20;

/// Names younger than this are as good as new.
const FRESH: Duration = Duration::from_mins(1);

/// Names older than this are not offered any more.
const LONGEST_USE: Duration = Duration::from_hours(24);

/// After an attempt to renew, the next one waits so long, or a server that is down would be asked with each key.
const PAUSE: Duration = Duration::from_secs(5);

/// The bits of a file's mode by which others may use it.
const OTHERS: u32 = 6;

/// What can be named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names {
    /// Projects, in order.
    #[serde(default)]
    pub(super) projects: Vec<String>,
    /// Repositories, project first, with their tags.
    #[serde(default)]
    pub(super) repositories: BTreeMap<String, Vec<String>>,
}

/// Where names lie.
#[derive(Clone, Debug)]
pub(super) struct Shelf {
    file: PathBuf,
}

/// The right to renew; nobody else does meanwhile.
pub(super) struct Turn {
    /// Closing it releases its lock.
    _lock: File,
}

impl Shelf {
    /// The place for the names that `user` may see at `server`; `None` when there is no cache.
    pub(super) fn of(server: &Url, user: Option<&str>) -> Option<Self> {
        let key = Digest::of(Algorithm::Sha256, format!("{server}\n{}", user.unwrap_or_default()).as_bytes());
        Some(Self::in_folder(&folder()?, &key.hex()))
    }

    /// The place for the images of this machine's engines.
    pub(super) fn of_this_machine() -> Option<Self> {
        Some(Self::in_folder(&folder()?, "local"))
    }

    fn in_folder(folder: &Path, name: &str) -> Self {
        Self { file: folder.join(format!("{name}.json")) }
    }

    /// The names that lie here, unless they are too old, too many or open to others; and whether it is time to renew them.
    pub(super) fn look(&self) -> (Option<Names>, bool) {
        let read = || {
            let file = File::open(&self.file).ok()?;
            let state = file.metadata().ok()?;
            let private = state.mode().trailing_zeros() >= OTHERS && state.len() <= LONGEST_FILE as u64;
            let age = age(state.mtime());
            (private && age <= LONGEST_USE.as_secs()).then_some((file, age))
        };
        let Some((file, age)) = read() else { return (None, true) };
        (serde_json::from_reader(io::BufReader::new(file)).ok(), age > FRESH.as_secs())
    }

    /// Whether an attempt to renew was begun a moment ago.
    pub(super) fn was_tried(&self) -> bool {
        self.lock_file().metadata().is_ok_and(|state| age(state.mtime()) < PAUSE.as_secs())
    }

    /// The right to renew; `None` when somebody else has it, or the place cannot be used.
    pub(super) fn turn(&self) -> Option<Turn> {
        make_folder(&self.file).ok()?;
        let mut lock = private(&self.lock_file()).ok()?;
        lock.try_lock().ok()?;
        // The time of this tells when it was last tried.
        lock.write_all(b"\n").ok()?;
        Some(Turn { _lock: lock })
    }

    /// Puts names here.
    pub(super) fn put(&self, names: &Names, _turn: &Turn) -> io::Result<()> {
        let text = serde_json::to_vec(names)?;
        if text.len() > LONGEST_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let beside = self.file.with_extension("new");
        private(&beside)?.write_all(&text)?;
        std::fs::rename(&beside, &self.file)
    }

    fn lock_file(&self) -> PathBuf {
        self.file.with_extension("lock")
    }
}

impl Names {
    /// Roughly the bytes that a name takes in the file.
    pub(super) fn cost(name: &str) -> usize {
        name.len() + 8
    }
}

/// How many seconds ago that was; a moment in the future is now.
fn age(seconds: i64) -> u64 {
    u64::try_from(SystemClock.now().as_secs().saturating_sub(seconds)).unwrap_or(0)
}

fn folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(cache.join("hythe").join("names"))
}

fn make_folder(file: &Path) -> io::Result<()> {
    file.parent().map_or(Ok(()), |folder| DirBuilder::new().recursive(true).mode(0o700).create(folder))
}

fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn names_are_kept_privately_and_read_by_their_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::in_folder(&folder.path().join("names"), "one");
        assert_eq!(shelf.look(), (None, true));
        assert!(!shelf.was_tried());
        let names = Names {
            projects: vec!["lab".to_owned()],
            repositories: [("lab/app".to_owned(), vec!["v1".to_owned()])].into(),
        };
        let turn = shelf.turn().unwrap();
        assert!(shelf.turn().is_none() && shelf.was_tried());
        shelf.put(&names, &turn).unwrap();
        assert_eq!(shelf.look(), (Some(names.clone()), false));
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&shelf.file), mode(shelf.file.parent().unwrap())), (0o600, 0o700));
        let set_age = |seconds: u64| {
            let then = SystemClock.now().minus(Duration::from_secs(seconds)).as_secs();
            let then = std::time::UNIX_EPOCH + Duration::from_secs(u64::try_from(then).unwrap());
            File::options().write(true).open(&shelf.file).unwrap().set_modified(then).unwrap();
        };
        set_age(70);
        assert_eq!(shelf.look(), (Some(names), true));
        set_age(90_000);
        assert_eq!(shelf.look(), (None, true));
        set_age(0);
        std::fs::set_permissions(&shelf.file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(shelf.look(), (None, true));
        let many = Names { projects: vec!["x".repeat(LONGEST_FILE)], ..Names::default() };
        assert!(shelf.put(&many, &turn).is_err());
    }
}
