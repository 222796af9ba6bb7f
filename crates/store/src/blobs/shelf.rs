//! Where blob files and staged uploads lie, and the durable steps between the two places.
//!
//! Layout: `blobs/<algorithm>/<first two hex digits>/<hex>`, `uploads/<id>` with `uploads/<id>.state`;
//! damaged files under `quarantine/` (see [`super::quarantine`]).
//! Invariant: a file under `blobs/` is complete, synced and never changed again.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, UploadId};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, StatVfsMountFlags};
use rustix::io::Errno;

use super::write::write_at;
use super::{BlobError, BlobFile, Disk, FileState};
use crate::condition::{Condition, StorageFault};
use crate::durable;
use crate::folder::DataFolder;

/// Something else than a file may lie in a blob's place by now, and opening a pipe would wait for its writer.
const NONBLOCKING: OFlags = OFlags::NONBLOCK;

/// With this much more room than must be left free, the disk is asked again only after [`PLENTY_TIME`]: it
/// cannot fill up in between.
const PLENTY_BYTES: u64 = 16 << 30;
const PLENTY_TIME: Duration = Duration::from_secs(1);

/// What is staged is its server's alone to read and write.
const STAGED_MODE: u32 = 0o600;

/// The file that is written to see whether the disk takes writes; no upload is called so.
const PROBE: &str = "probe";

pub(super) struct Shelf {
    blobs: PathBuf,
    uploads: PathBuf,
    quarantine: PathBuf,
    /// Directories known to be durable in their parent, by algorithm and first byte of the digest.
    durable: [[AtomicBool; 256]; 2],
    /// Staged files whose bytes may be lost and that could not be removed.
    lost: Mutex<HashSet<UploadId>>,
    /// How the writes fare.
    condition: Condition,
    /// Random per boot of the kernel: what was written under another one may not have reached the disk.
    boot: String,
    /// Bytes of the disk that uploads leave free, for records and for what is under way.
    reserve: u64,
    plenty_until: Mutex<Option<Instant>>,
    #[expect(dead_code, reason = "keeps the folder locked while any handle on the blobs lives")]
    folder: DataFolder,
}

impl Shelf {
    pub(super) fn open(folder: &DataFolder, reserve: u64) -> io::Result<Self> {
        let (blobs, uploads) = (folder.blobs_path(), folder.uploads_path());
        durable::create_directory(&uploads)?;
        durable::create_directory(&blobs)?;
        for algorithm in Algorithm::ALL {
            durable::create_directory(&blobs.join(algorithm.as_str()))?;
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned();
        Ok(Self {
            blobs,
            uploads,
            quarantine: folder.quarantine_path(),
            durable: [const { [const { AtomicBool::new(false) }; 256] }; 2],
            lost: Mutex::default(),
            condition: Condition::of("blobs"),
            boot,
            reserve,
            plenty_until: Mutex::default(),
            folder: folder.clone(),
        })
    }

    pub(super) fn boot(&self) -> &str {
        &self.boot
    }

    fn directory_of(&self, hex: &str, algorithm: Algorithm) -> PathBuf {
        self.blobs.join(algorithm.as_str()).join(&hex[..2])
    }

    pub(super) fn quarantine_dir(&self) -> &Path {
        &self.quarantine
    }

    pub(super) fn blob_path(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.directory_of(&hex, digest.algorithm()).join(hex)
    }

    pub(super) fn staged_path(&self, id: &UploadId) -> PathBuf {
        self.uploads.join(id.to_string())
    }

    pub(super) fn state_path(&self, id: &UploadId) -> PathBuf {
        self.uploads.join(format!("{id}.state"))
    }

    pub(super) fn state_draft_path(&self, id: &UploadId) -> PathBuf {
        self.uploads.join(format!("{id}.state.tmp"))
    }

    /// Creates the staged file of a new upload; an id is used once.
    pub(super) fn create_staged(&self, id: &UploadId) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(STAGED_MODE)
            .open(self.staged_path(id))
    }

    /// The same, noted if it fails; a checkpoint that outlived the bytes it was of is forgotten.
    pub(super) fn begin_staged(&self, id: &UploadId) -> Result<File, BlobError> {
        let begun = self.create_staged(id).and_then(|file| {
            for stale in [self.state_path(id), self.state_draft_path(id)] {
                found(fs::remove_file(stale))?;
            }
            Ok(file)
        });
        self.noted(begun.map_err(BlobError::from))
    }

    /// Opens the staged file of an upload; `None` if there is none.
    pub(super) fn open_staged(&self, id: &UploadId) -> io::Result<Option<File>> {
        if self.lost().contains(id) {
            self.discard_staged(id)?;
        }
        let path = self.staged_path(id);
        let open = || OpenOptions::new().read(true).write(true).open(&path);
        found(open().or_else(|error| match error.kind() {
            // One that was about to become a blob when its request or the process ended.
            io::ErrorKind::PermissionDenied => {
                fs::set_permissions(&path, Permissions::from_mode(STAGED_MODE))?;
                open()
            }
            _ => Err(error),
        }))
    }

    /// Removes whatever is staged under `id`.
    pub(super) fn discard_staged(&self, id: &UploadId) -> io::Result<()> {
        fail::fail_point!("upload-before-unlink");
        for path in [self.staged_path(id), self.state_path(id), self.state_draft_path(id)] {
            found(fs::remove_file(path))?;
        }
        self.lost().remove(id);
        Ok(())
    }

    fn lost(&self) -> MutexGuard<'_, HashSet<UploadId>> {
        // Adding and removing leave the set whole, so a panic elsewhere cannot have spoilt it.
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that a write failed, if that was the disk's doing.
    pub(super) fn note(&self, error: &BlobError) {
        if let Some(fault) = error.storage_fault() {
            self.condition.failed(fault, error);
        }
    }

    /// The outcome of a write, noted if it failed.
    pub(super) fn noted<T>(&self, outcome: Result<T, BlobError>) -> Result<T, BlobError> {
        outcome.inspect_err(|error| self.note(error))
    }

    pub(super) fn fault(&self) -> Option<StorageFault> {
        self.condition.fault()
    }

    /// Takes the steps of a push with a few bytes, to see whether the disk takes writes.
    pub(super) fn probe(&self) -> Result<(), BlobError> {
        let (draft, name) = (self.uploads.join(format!("{PROBE}.tmp")), self.uploads.join(PROBE));
        let tried = || {
            let file = File::create(&draft)?;
            write_at(&file, &[Bytes::from_static(PROBE.as_bytes())], 0)?;
            file.sync_data()?;
            fs::rename(&draft, &name)?;
            durable::sync_directory(&self.uploads)?;
            Ok(())
        };
        let tried = tried();
        let removed = [&draft, &name].into_iter().try_for_each(|path| found(fs::remove_file(path)).map(drop));
        self.noted(tried.and_then(|()| Ok(removed?)))?;
        self.condition.worked();
        Ok(())
    }

    pub(super) fn staged_size(&self, id: &UploadId) -> io::Result<Option<u64>> {
        Ok(found(fs::metadata(self.staged_path(id)))?.map(|metadata| metadata.len()))
    }

    pub(super) fn check_room(&self) -> Result<(), BlobError> {
        let disk = self.disk()?;
        let plenty = disk.fault.is_none() && disk.free_bytes > self.reserve.saturating_add(PLENTY_BYTES);
        *self.plenty_until() = plenty.then(|| Instant::now() + PLENTY_TIME);
        match disk.fault {
            Some(StorageFault::Full) => Err(BlobError::NoSpace),
            Some(StorageFault::ReadOnly) => Err(BlobError::ReadOnly),
            _ => Ok(()),
        }
    }

    /// The same for the next bytes of an upload under way, which may use half of the reserve: what ends it, and what
    /// gives its bytes back, is a record, and needs the rest.
    pub(super) fn check_room_to_go_on(&self) -> Result<(), BlobError> {
        if self.reserve == 0 || self.had_plenty_of_room() {
            return Ok(());
        }
        match self.check_room() {
            Err(BlobError::NoSpace) if self.disk()?.free_bytes >= self.reserve / 2 => Ok(()),
            checked => checked,
        }
    }

    /// Whether there was so much room a moment ago that there must be enough now.
    pub(super) fn had_plenty_of_room(&self) -> bool {
        self.plenty_until().is_some_and(|until| Instant::now() < until)
    }

    fn plenty_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.plenty_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn disk(&self) -> Result<Disk, BlobError> {
        let disk = rustix::fs::statvfs(&self.uploads).map_err(io::Error::from)?;
        let free_bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
        // Some file systems do not count inodes and say 0 for all of them.
        let out_of_inodes = disk.f_files > 0 && disk.f_favail == 0;
        let fault = if disk.f_flag.contains(StatVfsMountFlags::RDONLY) {
            Some(StorageFault::ReadOnly)
        } else {
            (free_bytes < self.reserve || out_of_inodes).then_some(StorageFault::Full)
        };
        let size_bytes = disk.f_blocks.saturating_mul(disk.f_frsize);
        Ok(Disk { free_bytes, size_bytes, free_inodes: disk.f_favail, fault })
    }

    /// The ids of everything staged, leftovers of interrupted steps included.
    pub(super) fn list_staged(&self) -> io::Result<Vec<UploadId>> {
        let mut ids = Vec::new();
        for entry in fs::read_dir(&self.uploads)? {
            let name = entry?.file_name();
            // Anything that is not named by an id was not put here by us and is left alone.
            let id: Option<UploadId> =
                name.to_str().and_then(|name| name.split('.').next()).and_then(|id| id.parse().ok());
            ids.extend(id);
        }
        ids.sort_unstable_by_key(UploadId::to_string);
        ids.dedup();
        Ok(ids)
    }

    /// Puts the data of a staged file on the disk.
    ///
    /// If that fails, the file is removed: after such a failure the kernel may have dropped the pages, and a
    /// second sync would succeed without having written them.
    pub(super) fn sync_staged(&self, id: &UploadId, file: &File) -> Result<(), BlobError> {
        durable::sync_data(file).map_err(|error| {
            self.lost().insert(*id);
            if let Err(left) = self.discard_staged(id) {
                tracing::warn!(error = %left, "cannot remove an upload whose data could not be synced yet");
            }
            error.into()
        })
    }

    /// Makes a staged file the blob of this digest, and notes how that fared.
    pub(super) fn place(&self, id: &UploadId, file: &File, digest: &Digest) -> Result<FileState, BlobError> {
        let placed = self.noted(self.place_durably(id, file, digest));
        if placed.is_ok() {
            self.condition.worked();
        }
        placed
    }

    /// Makes a staged file the blob of this digest: data on disk first, then the name, then the directory.
    /// An existing file is replaced, which heals it if it was damaged. Answers what the file looks like now.
    fn place_durably(&self, id: &UploadId, file: &File, digest: &Digest) -> Result<FileState, BlobError> {
        let hex = digest.hex();
        let algorithm = digest.algorithm();
        fail::fail_point!("blob-before-sync", |kind| Err(super::injected(kind)));
        self.sync_staged(id, file)?;
        let directory = self.make_directory_of(digest)?;
        let known = self.durable_flag(algorithm, &hex);
        // As late as can be: a failure above leaves a file that a later request may still write to.
        file.set_permissions(Permissions::from_mode(0o444))?;
        fail::fail_point!("blob-before-rename", |kind| Err(super::injected(kind)));
        let (from, to) = (self.staged_path(id), directory.join(&hex));
        let renamed = fs::rename(&from, &to).or_else(|error| match error.kind() {
            // No file can replace a folder that somebody put there.
            io::ErrorKind::IsADirectory => self.set_aside(digest).and_then(|_| Ok(fs::rename(&from, &to)?)),
            _ => Err(error.into()),
        });
        if let Err(error) = renamed {
            // Either the upload was discarded meanwhile, or somebody removed the directory: look again next time.
            known.store(false, Ordering::Release);
            return Err(error.gone_if_not_found());
        }
        fail::fail_point!("blob-after-rename", |kind| Err(super::injected(kind)));
        // On failure the file stays: it may have replaced one that others rely on, and its data is whole.
        durable::sync_directory(&directory)?;
        fail::fail_point!("blob-after-dirsync", |kind| Err(super::injected(kind)));
        found(fs::remove_file(self.state_path(id)))?;
        Ok(FileState::of(&file.metadata()?))
    }

    /// The directory of a blob, made and durable in its parent.
    pub(super) fn make_directory_of(&self, digest: &Digest) -> Result<PathBuf, BlobError> {
        let hex = digest.hex();
        let directory = self.directory_of(&hex, digest.algorithm());
        let known = self.durable_flag(digest.algorithm(), &hex);
        if !known.load(Ordering::Acquire) {
            durable::make_directory(&directory)?;
            fail::fail_point!("blob-directory-made", |kind| Err(super::injected(kind)));
            durable::sync_parent(&directory)?;
            known.store(true, Ordering::Release);
        }
        Ok(directory)
    }

    fn durable_flag(&self, algorithm: Algorithm, hex: &str) -> &AtomicBool {
        let row = match algorithm {
            Algorithm::Sha256 => &self.durable[0],
            Algorithm::Sha512 => &self.durable[1],
        };
        let first = u8::from_str_radix(&hex[..2], 16).expect("a digest is told in hex digits");
        &row[usize::from(first)]
    }

    /// Opens a blob for reading; `None` if there is no such file.
    pub(super) fn open_blob(&self, digest: &Digest) -> Result<Option<BlobFile>, BlobError> {
        let opened = OpenOptions::new()
            .read(true)
            .custom_flags(NONBLOCKING.bits().cast_signed())
            .open(self.blob_path(digest));
        found(opened).map_err(BlobError::reading)?.map(regular).transpose()
    }

    /// The same without waiting for the disk; `None` if only the disk can tell.
    pub(super) fn open_blob_at_once(&self, digest: &Digest) -> Option<Result<Option<BlobFile>, BlobError>> {
        let (flags, mode) = (OFlags::RDONLY | OFlags::CLOEXEC | NONBLOCKING, Mode::empty());
        match rustix::fs::openat2(CWD, self.blob_path(digest), flags, mode, ResolveFlags::CACHED) {
            Ok(file) => Some(regular(file.into()).map(Some)),
            Err(Errno::NOENT) => Some(Ok(None)),
            // Not in the kernel's caches, or a kernel (or a sandbox) without this call.
            Err(_) => None,
        }
    }

    /// What a blob's file looks like; `None` if there is none.
    pub(super) fn blob_state(&self, digest: &Digest) -> Result<Option<FileState>, BlobError> {
        match found(fs::metadata(self.blob_path(digest))).map_err(BlobError::reading)? {
            Some(metadata) if metadata.is_file() => Ok(Some(FileState::of(&metadata))),
            Some(_) => Err(BlobError::Unreadable(Arc::new(io::ErrorKind::IsADirectory.into()))),
            None => Ok(None),
        }
    }

    /// The blobs whose digests begin with this byte. Files of other names are left alone.
    pub(super) fn list_blobs(&self, algorithm: Algorithm, first: u8) -> io::Result<Vec<Digest>> {
        let directory = self.directory_of(&format!("{first:02x}"), algorithm);
        let Some(entries) = found(fs::read_dir(directory))? else {
            return Ok(Vec::new());
        };
        let mut digests = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let digest: Option<Digest> =
                name.to_str().and_then(|hex| format!("{}:{hex}", algorithm.as_str()).parse().ok());
            digests.extend(digest);
        }
        Ok(digests)
    }

    /// Removes a blob, durably; whether it was there.
    pub(super) fn remove(&self, digest: &Digest) -> Result<bool, BlobError> {
        let changed = self.unlink(digest)?;
        if let Some(directory) = &changed {
            durable::sync_directory(directory)?;
        }
        Ok(changed.is_some())
    }

    /// Takes the names of blobs away; the directories that have to be [synced](Self::sync_all) then.
    pub(super) fn unlink_all<'a>(
        &self,
        digests: impl Iterator<Item = &'a Digest>,
    ) -> Result<BTreeSet<PathBuf>, BlobError> {
        let mut changed = BTreeSet::new();
        for digest in digests {
            changed.extend(self.unlink(digest)?);
        }
        Ok(changed)
    }

    /// Makes the entries of these directories durable, each once.
    pub(super) fn sync_all(changed: impl Iterator<Item = PathBuf>) -> Result<(), BlobError> {
        let directories: BTreeSet<PathBuf> = changed.collect();
        Ok(directories.iter().try_for_each(|directory| durable::sync_directory(directory))?)
    }

    /// Takes a blob's name away; the directory that has to be synced then, if there was one.
    fn unlink(&self, digest: &Digest) -> Result<Option<PathBuf>, BlobError> {
        fail::fail_point!("blob-before-unlink", |kind| Err(super::injected(kind)));
        let hex = digest.hex();
        let directory = self.directory_of(&hex, digest.algorithm());
        let removed = match found(fs::remove_file(directory.join(hex))) {
            // A folder that somebody put there is not ours to delete.
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => self.set_aside(digest)?,
            removed => removed?.is_some(),
        };
        fail::fail_point!("blob-after-unlink", |kind| Err(super::injected(kind)));
        Ok(removed.then_some(directory))
    }
}

/// An opened blob, if it is a file.
fn regular(file: File) -> Result<BlobFile, BlobError> {
    let metadata = file.metadata()?;
    if metadata.is_file() {
        Ok(BlobFile::of(file, FileState::of(&metadata)))
    } else {
        Err(BlobError::Unreadable(Arc::new(io::ErrorKind::IsADirectory.into())))
    }
}

/// Turns "not found" from an error into an answer.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
