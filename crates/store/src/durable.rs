//! Small file-system steps whose order makes a name survive a power loss.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Makes the data of a file durable.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    fail::fail_point!("defect-no-sync", |_| Ok(()));
    fail::fail_point!("defect-no-data-sync", |_| Ok(()));
    file.sync_data()
}

/// SQLite's setting by which every commit is durable before it is answered.
pub(crate) fn synchronous() -> &'static str {
    fail::fail_point!("defect-no-sync", |_| "off");
    "full"
}

/// Makes the entries of a directory durable.
pub(crate) fn sync_directory(dir: &Path) -> io::Result<()> {
    fail::fail_point!("defect-no-sync", |_| Ok(()));
    File::open(dir)?.sync_all()
}

/// Creates `dir` and every missing directory above it (mode 700), each durable in its parent.
pub(crate) fn create_directories(dir: &Path) -> io::Result<()> {
    let mut missing: Vec<PathBuf> = Vec::new();
    let mut at = dir;
    while !at.as_os_str().is_empty() && !at.try_exists()? {
        missing.push(at.to_owned());
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    for made in missing.iter().rev() {
        create_directory(made)?;
    }
    Ok(())
}

/// Creates one directory (mode 700) if it is missing, and makes it durable in its parent either way: a
/// process before this one may have died between the two steps.
pub(crate) fn create_directory(dir: &Path) -> io::Result<()> {
    make_directory(dir)?;
    sync_parent(dir)
}

/// Creates one directory (mode 700) if it is missing; it may be gone after a power loss until its
/// [parent is synced](sync_parent).
pub(crate) fn make_directory(dir: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes a directory durable in its parent.
///
/// If that fails, the directory is removed unless it is in use: a second sync may succeed without having written
/// what the first one lost, so the work before it has to be done again.
pub(crate) fn sync_parent(dir: &Path) -> io::Result<()> {
    let synced = match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => sync_directory(Path::new(".")),
    };
    if synced.is_err() {
        let _ = std::fs::remove_dir(dir);
    }
    synced
}
