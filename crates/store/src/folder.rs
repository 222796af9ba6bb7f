//! The data folder: everything that is kept lies under it, and one process at a time may serve it.
//!
//! Invariant: whoever holds a [`DataFolder`] (or a clone, or a store opened from it) is its only holder on
//! this machine. The lock is the kernel's and dies with the process, so a crash leaves nothing to clean up.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use crate::durable;

/// Why a data folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process (or another part of this one) serves the folder.
    #[error("the data folder is in use by {}", holder(*pid))]
    Busy {
        /// The holder's process id; `None` when it has not written one yet.
        pid: Option<u32>,
    },
    /// The folder or its lock file could not be created or opened.
    #[error("cannot use the data folder: {0}")]
    Io(#[from] io::Error),
}

fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

/// A data folder locked by this process. Clones share the lock; it is released with the last of them.
#[derive(Debug, Clone)]
pub struct DataFolder {
    dir: Arc<Path>,
    records: &'static str,
    #[expect(dead_code, reason = "held for its lock, which ends when the file is closed")]
    lock: Arc<File>,
}

impl DataFolder {
    /// Creates the folder if it is missing (mode 700), locks it and writes this process's id into the lock
    /// file. Waits at most a second, and only to learn who holds it.
    pub fn lock(dir: impl AsRef<Path>) -> Result<Self, FolderError> {
        let dir = dir.as_ref();
        durable::create_directories(dir)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join("lock"))?;
        if let Err(error) = flock(&file, FlockOperation::NonBlockingLockExclusive) {
            if error == rustix::io::Errno::WOULDBLOCK {
                return Err(FolderError::Busy { pid: read_pid(&dir.join("lock")) });
            }
            return Err(FolderError::Io(error.into()));
        }
        // Fixed width and written in place: a restart on a full disk needs no new block for it.
        file.write_all_at(format!("{:<11}\n", std::process::id()).as_bytes(), 0)?;
        Ok(Self { dir: dir.into(), records: "records.sqlite", lock: Arc::new(file) })
    }

    /// Where the running server listens for maintenance commands.
    pub fn socket_path(&self) -> PathBuf {
        socket_path(&self.dir)
    }

    /// Where a generated first password of `admin` is left.
    pub fn admin_password_path(&self) -> PathBuf {
        self.dir.join("admin-password")
    }

    /// The socket of whatever process may be serving `dir`, for a caller that holds no lock on it.
    pub fn socket_path_in(dir: &Path) -> PathBuf {
        socket_path(dir)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn records_path(&self) -> PathBuf {
        self.dir.join(self.records)
    }

    /// The same folder with its records under another name.
    pub(crate) fn with_records(&self, name: &'static str) -> Self {
        Self { records: name, ..self.clone() }
    }

    pub(crate) fn blobs_path(&self) -> PathBuf {
        self.dir.join("blobs")
    }

    pub(crate) fn quarantine_path(&self) -> PathBuf {
        self.dir.join("quarantine")
    }

    /// There while a restore fills the folder.
    pub(crate) fn restoring_path(&self) -> PathBuf {
        Self::restoring_path_in(&self.dir)
    }

    /// The same in `dir`, for a caller that holds no lock on it yet.
    pub(crate) fn restoring_path_in(dir: &Path) -> PathBuf {
        dir.join("restoring")
    }

    pub(crate) fn uploads_path(&self) -> PathBuf {
        self.dir.join("uploads")
    }
}

fn socket_path(dir: &Path) -> PathBuf {
    dir.join("hythe.sock")
}

/// Reads the holder's process id. The holder writes it just after it has the lock, so look a few times.
fn read_pid(path: &Path) -> Option<u32> {
    for _ in 0..20 {
        let mut text = String::new();
        let read = File::open(path).and_then(|f| f.take(64).read_to_string(&mut text));
        if read.is_ok()
            && let Ok(pid) = text.trim().parse()
        {
            return Some(pid);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_lock_names_the_holder() {
        let home = tempfile::tempdir().unwrap();
        let held = DataFolder::lock(home.path().join("a/b/data")).unwrap();
        match DataFolder::lock(home.path().join("a/b/data")) {
            Err(FolderError::Busy { pid }) => assert_eq!(pid, Some(std::process::id())),
            other => panic!("expected Busy, got {other:?}"),
        }
        drop(held);
        DataFolder::lock(home.path().join("a/b/data")).unwrap();
    }

    #[test]
    fn a_clone_keeps_the_lock() {
        let home = tempfile::tempdir().unwrap();
        let first = DataFolder::lock(home.path()).unwrap();
        let clone = first.clone();
        drop(first);
        assert!(matches!(DataFolder::lock(home.path()), Err(FolderError::Busy { .. })));
        drop(clone);
        DataFolder::lock(home.path()).unwrap();
    }

    #[test]
    fn a_new_folder_is_private() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("data");
        let folder = DataFolder::lock(&dir).unwrap();
        assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(folder.socket_path(), dir.join("hythe.sock"));
        assert_eq!(folder.admin_password_path(), dir.join("admin-password"));
    }

    #[test]
    fn the_refusal_is_a_sentence() {
        assert_eq!(FolderError::Busy { pid: Some(7) }.to_string(), "the data folder is in use by process 7");
        assert_eq!(
            FolderError::Busy { pid: None }.to_string(),
            "the data folder is in use by another process"
        );
    }
}
