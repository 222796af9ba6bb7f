//! Folders that hold a backup, and folders that are being filled from one.
//!
//! A backup lies as a data folder does, but for two places for its records, and a description that says which of
//! them holds. Invariants: what a description speaks of is on the disk before it is written, and is not touched
//! until the next one is; a data folder is opened by nobody else until its restore has ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hythe_oci::{Algorithm, Digest, Hasher};
use serde::{Deserialize, Serialize};

use crate::{
    BlobError, DataFolder, FileState, FolderError, RecordError, Records, SharedClock, Store, StoreError,
    StoreOptions, durable,
};

const DESCRIPTION: &str = "backup.json";
const DRAFT: &str = "backup.json.new";

/// Why a folder cannot take part in a backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupFolderError {
    /// Something else than a backup lies there.
    #[error("the folder is not empty, and what it holds is no backup")]
    Foreign,
    /// Something lies where a restore needs an empty folder.
    #[error("the folder is not empty")]
    NotEmpty,
    /// The folder is in use or cannot be used.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The disk answered with an error.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// One of the two places for a backup's records: while the next are written to one, the last keep the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordsPlace {
    /// `records-a.sqlite`.
    A,
    /// `records-b.sqlite`.
    B,
}

impl RecordsPlace {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::A => "records-a.sqlite",
            Self::B => "records-b.sqlite",
        }
    }
}

/// A folder that a backup is written to, locked.
#[derive(Debug)]
pub struct BackupFolder(DataFolder);

impl BackupFolder {
    /// Takes a new or empty folder, or one with an earlier backup.
    pub fn take(dir: &Path) -> Result<Self, BackupFolderError> {
        // A run that was ended at once leaves its lock and a draft.
        if !dir.join(DESCRIPTION).exists() && !holds_at_most(dir, &["lock", DRAFT])? {
            return Err(BackupFolderError::Foreign);
        }
        Ok(Self(DataFolder::lock(dir)?))
    }

    /// The description of the backup in a folder, if it holds one.
    pub fn description(dir: &Path) -> io::Result<Option<Vec<u8>>> {
        match fs::read(dir.join(DESCRIPTION)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the description, durably.
    pub fn describe(&self, text: &[u8]) -> io::Result<()> {
        let draft = self.0.dir().join(DRAFT);
        let mut file = private_file(&draft)?;
        file.write_all(text)?;
        file.sync_all()?;
        fail::fail_point!("backup-before-description");
        fs::rename(&draft, self.0.dir().join(DESCRIPTION))?;
        durable::sync_directory(self.0.dir())?;
        fail::fail_point!("backup-after-description");
        Ok(())
    }

    /// Takes the records as they are now to a place of which no description speaks.
    pub async fn take_records(&self, from: &Records, to: RecordsPlace) -> Result<(), RecordError> {
        let (dir, path) = (self.0.dir().to_owned(), self.0.with_records(to.file()).records_path());
        from.read(move |reader| {
            let prepared = remove_database(&path).and_then(|()| private_file(&path).map(drop));
            prepared.map_err(RecordError::opening)?;
            reader.copy_to(&path)?;
            fail::fail_point!("backup-records-copied");
            File::open(&path)
                .and_then(|file| file.sync_all())
                .and_then(|()| durable::sync_directory(&dir))
                .map_err(RecordError::opening)
        })
        .await
    }

    /// Removes the records in a place of which no description speaks any more.
    pub fn drop_records(&self, from: RecordsPlace) -> io::Result<()> {
        remove_database(&self.0.with_records(from.file()).records_path())
    }

    /// The store in the folder, with the records of this place.
    pub fn store(&self, records: RecordsPlace, clock: SharedClock) -> Result<Store, StoreError> {
        Store::open(&self.0.with_records(records.file()), clock, StoreOptions::default())
    }

    /// The digest of the records in a place, which must be closed.
    pub fn records_digest(&self, place: RecordsPlace) -> io::Result<Digest> {
        digest_of(&self.0.with_records(place.file()).records_path())
    }
}

/// A folder that is being filled from a backup, locked; until [`RestoreFolder::finish`] nothing else opens it.
#[derive(Debug)]
pub struct RestoreFolder {
    folder: DataFolder,
    from: PathBuf,
}

impl RestoreFolder {
    /// Takes a new or empty folder, or one whose restore was interrupted. The backup in `from` is only read.
    pub fn take(dir: &Path, from: &Path) -> Result<Self, BackupFolderError> {
        if !DataFolder::restoring_path_in(dir).exists() && !holds_at_most(dir, &["lock"])? {
            return Err(BackupFolderError::NotEmpty);
        }
        let folder = DataFolder::lock(dir)?;
        private_file(&folder.restoring_path())?.sync_all()?;
        durable::sync_directory(folder.dir())?;
        fail::fail_point!("restore-begun");
        Ok(Self { folder, from: from.to_owned() })
    }

    /// Copies the records of a place; answers their digest.
    pub fn take_records(&self, from: RecordsPlace) -> io::Result<Digest> {
        let name = self.folder.records_path();
        remove_database(&name)?;
        let mut file = private_file(&name)?;
        io::copy(&mut File::open(self.from.join(from.file()))?, &mut file)?;
        fail::fail_point!("restore-records-copied");
        file.sync_all()?;
        durable::sync_directory(self.folder.dir())?;
        digest_of(&name)
    }

    /// The store in the folder.
    pub fn store(&self, clock: SharedClock) -> Result<Store, StoreError> {
        Store::open_unfinished(&self.folder, clock, StoreOptions::default())
    }

    /// Copies a blob of the backup and compares it with its digest; `None` if it is missing or damaged there.
    pub async fn take_blob(&self, into: &Store, digest: Digest) -> Result<Option<FileState>, BlobError> {
        let hex = digest.hex();
        let path = self.from.join("blobs").join(digest.algorithm().as_str()).join(&hex[..2]).join(&hex);
        into.blobs.copy_file(path, digest).await
    }

    /// Opens the folder to everybody.
    pub fn finish(self) -> io::Result<()> {
        fail::fail_point!("restore-before-end");
        fs::remove_file(self.folder.restoring_path())?;
        durable::sync_directory(self.folder.dir())
    }
}

fn holds_at_most(dir: &Path, names: &[&str]) -> io::Result<bool> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let name = entry?.file_name();
        if !names.iter().any(|known| name == *known) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Removes a database with what SQLite keeps beside it.
fn remove_database(path: &Path) -> io::Result<()> {
    for beside in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        match fs::remove_file(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    let (mut file, mut hasher) = (File::open(path)?, Hasher::new(Algorithm::Sha256));
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(buffer.get(..read).unwrap_or_default()),
        }
    }
}
