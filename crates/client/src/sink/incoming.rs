//! A blob on its way into a layout: written beside its place, past the page cache, and hashed.
//!
//! What is pulled has to reach the disk before it is said to be there, so that to copy it into the page cache first is more work,
//! and drives out what others use. Who reads it next has it from the disk. Figures: `docs/performance.md`, "Clients".

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hythe_oci::{Digest, Hasher};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use super::block::{ALIGNMENT, BLOCK_BYTES, Block};
use super::lock::{Lock, is_at, unfollowed};

/// What goes through the page cache after all is brought on the disk's way whenever so many bytes have gathered, so that the
/// last sync is short.
const SYNC_EVERY: u64 = 8 * 1024 * 1024;

/// A disk that takes longer for a block is better written to through the page cache, which gathers more: one behind a network,
/// say, that syncs each.
const SLOW: Duration = Duration::from_millis(20);

/// How often a file is looked for again that another pull has just put in its place.
const TRIES: usize = 8;

/// A blob that is being written.
pub(crate) struct Incoming {
    /// Before the file: what is to go, goes while the lock is held.
    partial: Partial,
    file: Arc<File>,
    /// Whether whole blocks go past the page cache.
    direct: bool,
    place: PathBuf,
    digest: Digest,
    hasher: Hasher,
    size: u64,
    unsynced: u64,
    /// A sync of what was written before, beside what is written now. The system tells of a lost write once: here.
    syncing: Option<JoinHandle<io::Result<()>>>,
}

/// A file that goes if it holds nothing that a later pull could go on with.
struct Partial {
    path: PathBuf,
    kept: bool,
    /// Whether the next pull would look for it.
    known: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.kept {
            // Whoever pulls next clears it away if it stays.
            drop(fs::remove_file(&self.path));
        }
    }
}

impl Incoming {
    /// Begins behind what an earlier pull that was interrupted has left, as far as that can be gone on with.
    pub(super) fn begin(place: PathBuf, digest: &Digest) -> io::Result<Self> {
        Self::begin_with(place, digest, Lock::of)
    }

    fn begin_with(place: PathBuf, digest: &Digest, lock: impl Fn(&File) -> Lock) -> io::Result<Self> {
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let (file, partial, known) =
            if let Some((file, partial)) = locked(place.with_extension("partial"), lock)? {
                (file, partial, true)
            } else {
                // Another pull may be at it: this one goes its own way.
                let partial = place.with_extension(format!("partial.{:x}", fastrand::u64(..)));
                (open(&partial)?, partial, false)
            };
        let length = file.metadata()?.len();
        let size = length - length % ALIGNMENT as u64;
        if size < length {
            file.set_len(size)?;
        }
        let hasher = hashed(&file, digest, size)?;
        let partial = Partial { path: partial, kept: known && size > 0, known };
        let direct = fcntl_setfl(&file, OFlags::DIRECT).is_ok();
        let (file, digest) = (Arc::new(file), *digest);
        Ok(Self { partial, file, direct, place, digest, hasher, size, unsynced: 0, syncing: None })
    }

    /// How many bytes are here.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Writes a block behind what is here, hashes it meanwhile, and gives it back; on a thread of a runtime that may wait.
    pub(crate) fn write(&mut self, block: Block) -> io::Result<Block> {
        if self.direct && !block.is_aligned() {
            self.buffered()?;
        }
        let (file, block) = (Arc::clone(&self.file), Arc::new(block));
        let same = Arc::clone(&block);
        let writing = spawn_blocking(move || {
            let begun = Instant::now();
            file.write_all_at(same.bytes(), same.offset()).map(|()| begun.elapsed())
        });
        self.hasher.update(block.bytes());
        match Handle::current().block_on(writing).map_err(io::Error::other)? {
            Err(error) if self.direct && error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => {
                // A disk that wants more than is known here.
                self.buffered()?;
                self.file.write_all_at(block.bytes(), block.offset())?;
            }
            written => {
                if written? > SLOW && self.direct {
                    self.buffered()?;
                }
            }
        }
        self.size = block.end();
        self.partial.kept = self.partial.known && self.size > 0;
        if !self.direct {
            self.unsynced += block.bytes().len() as u64;
            self.sync_meanwhile()?;
        }
        Ok(Arc::into_inner(block).unwrap_or_else(|| Block::new(self.size)))
    }

    /// From here on through the page cache.
    fn buffered(&mut self) -> io::Result<()> {
        self.direct = false;
        Ok(fcntl_setfl(&self.file, OFlags::empty())?)
    }

    fn sync_meanwhile(&mut self) -> io::Result<()> {
        if self.unsynced >= SYNC_EVERY && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.synced()?;
            let file = Arc::clone(&self.file);
            (self.unsynced, self.syncing) = (0, Some(spawn_blocking(move || file.sync_data())));
        }
        Ok(())
    }

    /// Waits for the sync that is under way.
    fn synced(&mut self) -> io::Result<()> {
        match self.syncing.take() {
            Some(syncing) => Handle::current().block_on(syncing).map_err(io::Error::other)?,
            None => Ok(()),
        }
    }

    /// Starts over: what was here is not the beginning of the blob.
    pub(crate) fn clear(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        (self.hasher, self.size) = (Hasher::new(self.digest.algorithm()), 0);
        self.partial.kept = false;
        Ok(())
    }

    /// Puts the blob in its place if it is the right one; else removes it and says what it was.
    pub(crate) fn finish(mut self) -> io::Result<Result<(), Digest>> {
        self.synced()?;
        let received = self.hasher.finish();
        if received != self.digest {
            self.partial.kept = false;
            return Ok(Err(received));
        }
        self.file.sync_data()?;
        fs::rename(&self.partial.path, &self.place)?;
        self.partial.kept = true;
        Ok(Ok(()))
    }

    /// Removes what is here.
    pub(crate) fn discard(mut self) {
        self.partial.kept = false;
    }
}

/// A file that nobody else writes to, and its path; `None` if somebody else does, or may.
fn locked(path: PathBuf, lock: impl Fn(&File) -> Lock) -> io::Result<Option<(File, PathBuf)>> {
    for _ in 0..TRIES {
        let file = open(&path)?;
        if lock(&file) != Lock::Held {
            return Ok(None);
        }
        // The pull that had it may have put it in its place in between: then it is a blob, and not to be touched.
        if is_at(&file, &path)? {
            return Ok(Some((file, path)));
        }
    }
    Ok(None)
}

/// A file to be written, which may have a beginning already.
fn open(path: &Path) -> io::Result<File> {
    unfollowed(OpenOptions::new().read(true).write(true).create(true).truncate(false)).open(path)
}

/// The hash of so many bytes of a file.
fn hashed(file: &File, digest: &Digest, size: u64) -> io::Result<Hasher> {
    let mut hasher = Hasher::new(digest.algorithm());
    let (mut at, mut piece) = (0, vec![0; if size > 0 { BLOCK_BYTES } else { 0 }]);
    while at < size {
        let read = file.read_at(&mut piece, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hasher.update(piece.get(..read).unwrap_or_default());
        at += read as u64;
    }
    Ok(hasher)
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    /// Long enough for whole blocks and a rest that is none.
    fn content() -> Vec<u8> {
        (0..=250).cycle().take(2 * BLOCK_BYTES + 5000).collect()
    }

    struct Shelf {
        folder: tempfile::TempDir,
        content: Vec<u8>,
        digest: Digest,
    }

    impl Shelf {
        fn new(folder: tempfile::TempDir) -> Self {
            let content = content();
            let digest = Digest::of(Algorithm::Sha256, &content);
            Self { folder, content, digest }
        }

        fn place(&self) -> PathBuf {
            self.folder.path().join("blob")
        }

        fn begin(&self) -> Incoming {
            Incoming::begin(self.place(), &self.digest).unwrap()
        }

        fn files(&self) -> usize {
            fs::read_dir(self.folder.path()).unwrap().count()
        }
    }

    /// Writes as a pull does: in blocks, from where it is on.
    async fn write(mut incoming: Incoming, content: Vec<u8>) -> Incoming {
        let writing = spawn_blocking(move || {
            let mut rest = content.get(usize::try_from(incoming.size()).unwrap()..).unwrap();
            let mut block = Block::new(incoming.size());
            while !rest.is_empty() {
                rest = block.take(rest);
                block = incoming.write(block).unwrap();
                block = block.reused(incoming.size());
            }
            incoming
        });
        writing.await.unwrap()
    }

    async fn finish(incoming: Incoming) -> Result<(), Digest> {
        spawn_blocking(move || incoming.finish().unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn a_blob_appears_whole_and_right_or_not_at_all() {
        // A disk, as a rule, and a file system in memory.
        for base in [std::env::temp_dir(), PathBuf::from("/dev/shm")] {
            let shelf = Shelf::new(tempfile::tempdir_in(base).unwrap());
            let content = &shelf.content;
            // Begun and given up, it leaves nothing.
            drop(shelf.begin());
            assert_eq!(shelf.files(), 0);
            // Cut where no block ends.
            let cut = BLOCK_BYTES + 4097;
            drop(write(shelf.begin(), content[..cut].to_vec()).await);
            assert!(!shelf.place().exists());
            // Taken up where it was left, or a little before; another pull of the same blob meanwhile.
            let incoming = shelf.begin();
            assert_eq!(incoming.size(), (BLOCK_BYTES + 4096) as u64);
            let other = shelf.begin();
            assert_eq!(other.size(), 0);
            let other = write(other, b"wrong".to_vec()).await;
            assert_eq!(finish(other).await, Err(Digest::of(Algorithm::Sha256, b"wrong")));
            finish(write(incoming, content.clone()).await).await.unwrap();
            assert!(fs::read(shelf.place()).unwrap() == *content);
            assert_eq!(shelf.files(), 1);
        }
    }

    #[tokio::test]
    async fn what_a_disk_does_not_take_goes_through_the_cache() {
        let shelf = Shelf::new(tempfile::tempdir().unwrap());
        let mut incoming = shelf.begin();
        incoming = spawn_blocking(move || {
            // It ends where no disk takes it.
            let mut block = Block::new(0);
            block.take(b"x");
            incoming.write(block).unwrap();
            assert!(!incoming.direct);
            incoming.clear().unwrap();
            incoming
        })
        .await
        .unwrap();
        finish(write(incoming, shelf.content.clone()).await).await.unwrap();
        assert!(fs::read(shelf.place()).unwrap() == shelf.content);
    }

    /// Another pull opens the file just before the one that has it puts it in its place, and is asked for its lock then.
    #[tokio::test]
    async fn a_blob_that_came_meanwhile_is_not_touched() {
        let shelf = Shelf::new(tempfile::tempdir().unwrap());
        let incoming = write(shelf.begin(), shelf.content.clone()).await;
        let first = std::sync::Mutex::new(Some(incoming));
        let (place, digest, runtime) = (shelf.place(), shelf.digest, Handle::current());
        let other = spawn_blocking(move || {
            let lock = |file: &File| {
                if let Some(incoming) = first.lock().unwrap().take() {
                    // As in the other thread, which waits for nothing here.
                    runtime.block_on(finish(incoming)).unwrap();
                }
                Lock::of(file)
            };
            Incoming::begin_with(place, &digest, lock).unwrap()
        });
        let other = other.await.unwrap();
        assert_eq!(other.size(), 0, "it went on with the blob itself");
        assert!(fs::read(shelf.place()).unwrap() == shelf.content);
        drop(other);
        assert_eq!(shelf.files(), 1);
    }

    #[tokio::test]
    async fn a_file_system_without_locks_is_written_to_all_the_same() {
        let shelf = Shelf::new(tempfile::tempdir().unwrap());
        let begin = || Incoming::begin_with(shelf.place(), &shelf.digest, |_| Lock::Unsupported).unwrap();
        // Nobody knows of the other one, so none goes on with what another may be at.
        let (one, other) = (begin(), begin());
        let one = write(one, shelf.content.clone()).await;
        assert_eq!(other.size(), 0);
        finish(write(other, shelf.content.clone()).await).await.unwrap();
        finish(one).await.unwrap();
        assert!(fs::read(shelf.place()).unwrap() == shelf.content);
    }

    #[test]
    fn a_link_in_the_place_of_a_blob_is_not_written_through() {
        let shelf = Shelf::new(tempfile::tempdir().unwrap());
        let own = shelf.folder.path().join("own");
        fs::write(&own, b"mine").unwrap();
        std::os::unix::fs::symlink(&own, shelf.place().with_extension("partial")).unwrap();
        assert!(Incoming::begin(shelf.place(), &shelf.digest).is_err());
        assert_eq!(fs::read(&own).unwrap(), b"mine");
    }
}
