//! What the file system says of a blob's file without reading it.
//!
//! A blob's file is written once and only ever replaced by another file, so size, time of last modification
//! and inode stay as they are until somebody meddles. The time of the last change of the inode (ctime) is left
//! out on purpose: a backup by hard links changes it and leaves the bytes alone.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

/// Size, modification time and inode of a blob's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileState {
    /// Its length in bytes.
    pub size: u64,
    /// When its content was last modified, in nanoseconds since the Unix epoch.
    pub modified: i64,
    /// Its number in the file system. A copy has another.
    pub inode: u64,
}

impl FileState {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size: metadata.size(),
            modified: metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec()),
            inode: metadata.ino(),
        }
    }
}
