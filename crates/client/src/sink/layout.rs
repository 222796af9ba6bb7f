//! Writing an OCI image layout (image specification, "Image Layout").

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hythe_oci::{Digest, Hasher};
use rustix::fs::OFlags;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::source::{DOCUMENT_BYTES, Document, blob_path};

/// The annotation by which an entry of `index.json` has a name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// What is written at once ends at a multiple of so many bytes. The kernel takes pages as large as what is written, if its
/// place in the file is a multiple of their size, and keeps those of up to 32 KiB at hand; larger ones the host of a virtual
/// machine may have taken back, and to get them again costs. Measured in `docs/performance.md`, "Clients".
const WRITTEN: u64 = 32 * 1024;

/// What is written is brought on the disk's way whenever so many bytes have gathered, so that the last sync is short.
const SYNC_EVERY: u64 = 8 * 1024 * 1024;

/// A layout that is being written.
#[derive(Clone, Debug)]
pub(crate) struct LayoutFolder {
    folder: PathBuf,
}

/// A blob on its way into a layout: written beside its place, and hashed.
pub(crate) struct Incoming {
    file: File,
    partial: Partial,
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

impl LayoutFolder {
    /// A layout in this folder, which is made if it is not there.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder.join("blobs/sha256"))?;
        let mark = folder.join("oci-layout");
        if !mark.exists() {
            replace(&mark, br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// The layout that is in this folder or will be; nothing is made.
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Whether a blob of this size is there already. Its content was checked when it was written.
    pub(crate) fn has(&self, digest: &Digest, size: u64) -> bool {
        fs::metadata(self.folder.join(blob_path(digest))).is_ok_and(|state| state.len() == size)
    }

    /// Begins to write a blob, behind what an earlier pull that was interrupted has left of it.
    pub(crate) fn begin(&self, digest: &Digest) -> io::Result<Incoming> {
        let place = self.folder.join(blob_path(digest));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut partial = place.with_extension("partial");
        // What lies there may be a link that somebody has laid out: it is not written through.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let open = |path: &Path| {
            OpenOptions::new().read(true).append(true).create(true).custom_flags(flags).open(path)
        };
        let mut file = open(&partial)?;
        let known = file.try_lock().is_ok();
        if !known {
            // Another pull is at it: this one goes its own way.
            partial = place.with_extension(format!("partial.{:x}", fastrand::u64(..)));
            file = open(&partial)?;
            file.try_lock()?;
        }
        let mut hasher = Hasher::new(digest.algorithm());
        let mut size = 0;
        let mut piece = vec![0; 1024 * 1024];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hasher.update(piece.get(..read).unwrap_or_default());
            size += read as u64;
        }
        let partial = Partial { path: partial, kept: known && size > 0, known };
        Ok(Incoming { file, partial, place, digest: *digest, hasher, size, unsynced: 0, syncing: None })
    }

    /// Writes a manifest, index or configuration.
    pub(crate) fn document(&self, document: &Document) -> io::Result<()> {
        let place = self.folder.join(blob_path(&document.digest));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        replace(&place, &document.bytes)
    }

    /// Lists an image in `index.json`, under a name if it has one; whatever had the name loses it.
    pub(crate) fn list(&self, document: &Document, name: Option<&str>) -> io::Result<()> {
        let path = self.folder.join("index.json");
        let mut index = match File::open(&path) {
            Ok(file) => {
                let mut text = Vec::new();
                file.take(DOCUMENT_BYTES).read_to_end(&mut text)?;
                serde_json::from_slice(&text)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                json!({ "schemaVersion": 2, "mediaType": hythe_oci::media_type::OCI_INDEX, "manifests": [] })
            }
            Err(error) => return Err(error),
        };
        let entries = index.get_mut("manifests").and_then(Value::as_array_mut);
        let entries = entries.ok_or_else(|| io::Error::other("its index.json has no list of manifests"))?;
        let named = |entry: &Value| {
            entry
                .pointer("/annotations")
                .and_then(|all| all.get(REF_NAME))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        let digest = document.digest.to_string();
        entries.retain(|entry| match name {
            Some(name) => named(entry).as_deref() != Some(name),
            None => entry["digest"] != digest.as_str(),
        });
        let mut entry = json!({
            "mediaType": document.media_type.as_str(), "digest": digest, "size": document.bytes.len(),
        });
        if let Some(name) = name {
            entry["annotations"] = json!({ REF_NAME: name });
        }
        entries.push(entry);
        replace(&path, &serde_json::to_vec(&index)?)
    }
}

impl Incoming {
    /// How many bytes are here.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Writes these pieces behind what is here; on a thread of a runtime that may wait.
    pub(crate) fn write(&mut self, pieces: &[impl AsRef<[u8]>]) -> io::Result<()> {
        let before = self.size;
        for piece in pieces {
            self.hasher.update(piece.as_ref());
        }
        let mut together = Vec::new();
        let mut end = self.size;
        for mut piece in pieces.iter().map(AsRef::as_ref) {
            while !piece.is_empty() {
                let room = usize::try_from(WRITTEN - end % WRITTEN).unwrap_or(usize::MAX);
                let (now, later) = piece.split_at(piece.len().min(room));
                together.push(IoSlice::new(now));
                (piece, end) = (later, end + now.len() as u64);
                if end.is_multiple_of(WRITTEN) {
                    write_all(&mut self.file, &mut together)?;
                    self.size = end;
                }
            }
        }
        write_all(&mut self.file, &mut together)?;
        self.size = end;
        self.partial.kept = self.partial.known && self.size > 0;
        self.unsynced += self.size - before;
        if self.unsynced >= SYNC_EVERY && self.syncing.as_ref().is_none_or(JoinHandle::is_finished) {
            self.synced()?;
            let file = self.file.try_clone()?;
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

/// Writes all slices, and leaves none.
fn write_all(file: &mut File, slices: &mut Vec<IoSlice<'_>>) -> io::Result<()> {
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match file.write_vectored(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => IoSlice::advance_slices(&mut rest, written),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    slices.clear();
    Ok(())
}

/// A file written beside and renamed: whole, or as it was.
pub(crate) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("file");
    let beside = path.with_file_name(format!(".{name}.{:x}", fastrand::u64(..)));
    let placed = fs::write(&beside, text).and_then(|()| fs::rename(&beside, path));
    if placed.is_err() {
        // The first error is the one that counts.
        drop(fs::remove_file(&beside));
    }
    placed
}

#[cfg(test)]
mod tests {
    use hythe_oci::{Algorithm, MediaType, media_type};

    use super::*;
    use crate::source::Layout;

    fn document(text: &'static [u8]) -> Document {
        let media_type = MediaType::parse(media_type::OCI_INDEX).unwrap();
        Document { digest: Digest::of(Algorithm::Sha256, text), media_type, bytes: text.into() }
    }

    #[test]
    fn an_image_is_listed_under_its_name_alone() {
        let folder = tempfile::tempdir().unwrap();
        let layout = LayoutFolder::open(folder.path()).unwrap();
        let (one, two) = (
            document(b"{\"schemaVersion\":2,\"manifests\":[]}"),
            document(b"{\"schemaVersion\":2, \"manifests\":[]}"),
        );
        for (document, name) in [(&one, "v1"), (&two, "v2"), (&two, "v1")] {
            layout.document(document).unwrap();
            layout.list(document, Some(name)).unwrap();
        }
        let read = Layout::open(folder.path()).unwrap();
        assert_eq!(read.choose(Some("v1")).unwrap().digest, two.digest);
        assert_eq!(read.choose(Some("v2")).unwrap().digest, two.digest);
        assert!(read.choose(Some("v3")).is_err() && read.choose(None).is_err());
    }

    #[test]
    fn a_link_in_the_place_of_a_blob_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let layout = LayoutFolder::open(&folder.path().join("layout")).unwrap();
        let (digest, own) = (Digest::of(Algorithm::Sha256, b"x"), folder.path().join("own"));
        fs::write(&own, b"mine").unwrap();
        let place = folder.path().join("layout").join(blob_path(&digest));
        std::os::unix::fs::symlink(&own, place.with_extension("partial")).unwrap();
        assert!(layout.begin(&digest).is_err());
        assert_eq!(fs::read(&own).unwrap(), b"mine");
    }

    #[test]
    fn a_blob_appears_whole_and_right_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let layout = LayoutFolder::open(folder.path()).unwrap();
        let digest = Digest::of(Algorithm::Sha256, b"one two");
        // Begun and given up, it leaves nothing.
        drop(layout.begin(&digest).unwrap());
        assert_eq!(fs::read_dir(folder.path().join("blobs/sha256")).unwrap().count(), 0);
        let mut incoming = layout.begin(&digest).unwrap();
        incoming.write(&[b"one "]).unwrap();
        drop(incoming);
        assert!(!layout.has(&digest, 7));
        // Taken up where it was left.
        let mut incoming = layout.begin(&digest).unwrap();
        assert_eq!(incoming.size(), 4);
        // Another pull of the same blob meanwhile.
        let mut other = layout.begin(&digest).unwrap();
        assert_eq!(other.size(), 0);
        other.write(&[b"wrong"]).unwrap();
        assert_eq!(other.finish().unwrap(), Err(Digest::of(Algorithm::Sha256, b"wrong")));
        incoming.write(&[&b"t"[..], b"wo"]).unwrap();
        incoming.finish().unwrap().unwrap();
        assert!(layout.has(&digest, 7));
        let left: Vec<_> = fs::read_dir(folder.path().join("blobs/sha256")).unwrap().collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}
