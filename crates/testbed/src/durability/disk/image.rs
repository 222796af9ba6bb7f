//! The platter as a file: a FUSE file system with nothing but `disk.img` in it.
//!
//! Invariant: an `fsync` of the file is answered after everything written to it before is durable. A loop device
//! sends one for each flush, and the kernel turns a forced unit access into a write and a flush.

use std::ffi::OsStr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    Errno, FileAttr, FileHandle, FileType, Filesystem, Generation, INodeNo, LockOwner, OpenFlags, ReplyAttr,
    ReplyData, ReplyEmpty, ReplyEntry, ReplyWrite, Request, WriteFlags,
};

use super::plug::Powered;

pub(super) const NAME: &str = "disk.img";

/// Nothing but the bytes ever changes.
const VALID: Duration = Duration::from_hours(1);
const FILE: INodeNo = INodeNo(2);

pub(super) struct Image {
    pub(super) disk: Arc<Mutex<Powered>>,
    pub(super) size: usize,
}

impl Image {
    fn disk(&self) -> MutexGuard<'_, Powered> {
        self.disk.lock().expect("nobody panics at the disk")
    }

    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let (kind, perm, size) = match inode {
            INodeNo::ROOT => (FileType::Directory, 0o700, 0),
            FILE => (FileType::RegularFile, 0o600, self.size as u64),
            _ => return None,
        };
        Some(FileAttr {
            ino: inode,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        })
    }

    /// The part of a stretch that lies on the disk.
    fn within(&self, offset: u64, length: usize) -> Option<(usize, usize)> {
        let offset = usize::try_from(offset).ok().filter(|offset| *offset <= self.size)?;
        Some((offset, length.min(self.size - offset)))
    }
}

impl Filesystem for Image {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        match self.attributes(FILE) {
            Some(file) if parent == INodeNo::ROOT && name == NAME => {
                reply.entry(&VALID, &file, Generation(0));
            }
            _ => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(inode) {
            Some(attributes) => reply.attr(&VALID, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some((offset, length)) = self.within(offset, size as usize) else {
            return reply.error(Errno::EINVAL);
        };
        let mut bytes = vec![0; length];
        self.disk().platter.read(offset, &mut bytes);
        reply.data(&bytes);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let Some((offset, length)) = self.within(offset, bytes.len()) else {
            return reply.error(Errno::ENOSPC);
        };
        self.disk().write(offset, &bytes[..length]);
        reply.written(u32::try_from(length).expect("the kernel asks for less than 4 GiB"));
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.disk().flush();
        reply.ok();
    }
}
