//! A little disk space set aside while there is plenty, so that a start on a full disk finds room for the
//! few pages SQLite needs before it can even read.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{FallocateFlags, fallocate};

use crate::folder::DataFolder;

/// Room for the log's shared index and a first stretch of log.
const BYTES: u64 = 1 << 20;

pub(super) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    pub(super) fn in_folder(folder: &DataFolder) -> Self {
        Self { path: folder.dir().join("reserve") }
    }

    /// Frees the space; whether there was any.
    pub(super) fn give_up(&self) -> bool {
        fs::remove_file(&self.path).is_ok()
    }

    /// Sets the space aside if it is not. Not being able to is no reason to refuse to start.
    pub(super) fn set_aside(&self) {
        if fs::metadata(&self.path).is_ok_and(|m| m.len() >= BYTES) {
            return;
        }
        if let Err(error) = self.allocate() {
            tracing::warn!(%error, "cannot set disk space aside: the next start on a full disk may fail");
            // A half-made one would only take the space that is missing.
            let _ = self.give_up();
        }
    }

    fn allocate(&self) -> io::Result<()> {
        let file: File =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.path)?;
        Ok(fallocate(&file, FallocateFlags::empty(), 0, BYTES)?)
    }
}
