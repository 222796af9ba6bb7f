//! Locks of files, between programs and within one: whoever has one is alone at its file until the file is closed.
//!
//! Some file systems know none (Lustre, as it is often mounted). There nobody is alone, and what is done must be right
//! without.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// How a file is opened in a folder where others may have laid out links and pipes: neither is followed nor waited for.
pub(super) fn unfollowed(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
}

/// What came of asking for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lock {
    /// It is ours.
    Held,
    /// Somebody else has it.
    Elsewhere,
    /// The file system has none.
    Unsupported,
}

impl Lock {
    /// Asks for the lock of a file.
    pub(super) fn of(file: &File) -> Self {
        match file.try_lock() {
            Ok(()) => Self::Held,
            Err(TryLockError::WouldBlock) => Self::Elsewhere,
            Err(TryLockError::Error(_)) => Self::Unsupported,
        }
    }
}

/// Whether a file is the one at this path: what was opened may have been renamed or removed before it was locked.
pub(super) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let here = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (here.dev(), here.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
