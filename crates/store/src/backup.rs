//! Folders that hold a backup, and folders that are being filled from one.
//!
//! A backup lies as a data folder does, with a description beside it. Invariants: the description says
//! "complete" only while everything it speaks of is on the disk; a data folder is opened by nobody else until its
//! restore has ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hythe_oci::{Algorithm, Digest, Hasher};

use crate::{
    BlobError, DataFolder, FileState, FolderError, RecordError, Records, SharedClock, Store, StoreError,
    StoreOptions, durable,
};

const DESCRIPTION: &str = "backup.json";

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

/// A folder that a backup is written to, locked.
#[derive(Debug)]
pub struct BackupFolder(DataFolder);

impl BackupFolder {
    /// Takes a new or empty folder, or one with an earlier backup.
    pub fn take(dir: &Path) -> Result<Self, BackupFolderError> {
        if !is_empty(dir)? && !dir.join(DESCRIPTION).exists() {
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
        let draft = self.0.dir().join("backup.json.new");
        let mut file = private_file(&draft)?;
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&draft, self.0.dir().join(DESCRIPTION))?;
        durable::sync_directory(self.0.dir())
    }

    /// Takes the records as they are now, in place of those of an earlier backup.
    pub async fn take_records(&self, from: &Records) -> Result<(), RecordError> {
        let (dir, path) = (self.0.dir().to_owned(), self.0.records_path());
        from.read(move |reader| {
            let prepared = remove_database(&path).and_then(|()| private_file(&path).map(drop));
            prepared.map_err(RecordError::opening)?;
            reader.copy_to(&path)?;
            File::open(&path)
                .and_then(|file| file.sync_all())
                .and_then(|()| durable::sync_directory(&dir))
                .map_err(RecordError::opening)
        })
        .await
    }

    /// The store in the folder.
    pub fn store(&self, clock: SharedClock) -> Result<Store, StoreError> {
        Store::open(&self.0, clock, StoreOptions::default())
    }

    /// The digest of the records, which must be closed.
    pub fn records_digest(&self) -> io::Result<Digest> {
        digest_of(&self.0.records_path())
    }
}

/// A folder that is being filled from a backup, locked; until [`RestoreFolder::finish`] nothing else opens it.
#[derive(Debug)]
pub struct RestoreFolder {
    folder: DataFolder,
    from: PathBuf,
}

impl RestoreFolder {
    /// Takes a new or empty folder. The backup in `from` is only read.
    pub fn take(dir: &Path, from: &Path) -> Result<Self, BackupFolderError> {
        if !is_empty(dir)? {
            return Err(BackupFolderError::NotEmpty);
        }
        let folder = DataFolder::lock(dir)?;
        private_file(&folder.restoring_path())?.sync_all()?;
        durable::sync_directory(folder.dir())?;
        Ok(Self { folder, from: from.to_owned() })
    }

    /// Copies the records; answers their digest.
    pub fn take_records(&self) -> io::Result<Digest> {
        let name = self.folder.records_path();
        let source = self.from.join(name.file_name().unwrap_or_default());
        let mut file = private_file(&name)?;
        io::copy(&mut File::open(source)?, &mut file)?;
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
        fs::remove_file(self.folder.restoring_path())?;
        durable::sync_directory(self.folder.dir())
    }
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
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
