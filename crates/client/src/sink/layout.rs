//! Writing an OCI image layout (image specification, "Image Layout").

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hythe_oci::Digest;
use serde_json::{Value, json};

use super::incoming::Incoming;
use super::lock::{Lock, is_at, unfollowed};
use crate::source::{DOCUMENT_BYTES, Document, blob_path};

/// The annotation by which an entry of `index.json` has a name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// How long another pull may take to list its image: far longer than any does.
const PATIENCE: Duration = Duration::from_secs(30);

/// A layout that is being written.
#[derive(Clone, Debug)]
pub(crate) struct LayoutFolder {
    folder: PathBuf,
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
        Incoming::begin(self.folder.join(blob_path(digest)), digest)
    }

    /// Writes a manifest, index or configuration.
    pub(crate) fn document(&self, document: &Document) -> io::Result<()> {
        let place = self.folder.join(blob_path(&document.digest));
        if let Some(parent) = place.parent() {
            fs::create_dir_all(parent)?;
        }
        replace(&place, &document.bytes)
    }

    /// Lists an image in `index.json`, under a name if it has one; whatever had the name loses it. An image that has a name
    /// there already needs none to be listed. It waits for other pulls that do the same.
    pub(crate) fn list(&self, document: &Document, name: Option<&str>) -> io::Result<()> {
        // Between reading and writing, another pull would be forgotten.
        let _alone = self.locked()?;
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
        let is_it = |entry: &Value| entry["digest"] == digest.as_str();
        if name.is_none() && entries.iter().any(|entry| is_it(entry) && named(entry).is_some()) {
            return Ok(());
        }
        entries.retain(|entry| match named(entry) {
            Some(other) => name != Some(other.as_str()),
            None => !is_it(entry),
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

    /// The layout's mark, locked until it is closed; nothing where there are no locks, or it may not be opened.
    fn locked(&self) -> io::Result<Option<File>> {
        let mark = self.folder.join("oci-layout");
        let begun = Instant::now();
        loop {
            // Some file systems lock only what may be written.
            let Ok(file) = open_mark(&mark, true).or_else(|_| open_mark(&mark, false)) else {
                return Ok(None);
            };
            match Lock::of(&file) {
                // Of two who make the layout at once, one replaces the mark of the other.
                Lock::Held if is_at(&file, &mark)? => return Ok(Some(file)),
                Lock::Held => {}
                Lock::Unsupported => return Ok(None),
                Lock::Elsewhere if begun.elapsed() > PATIENCE => {
                    return Err(io::Error::other("another program keeps its oci-layout locked"));
                }
                Lock::Elsewhere => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }
}

/// The layout's mark, unless it is a link that somebody has laid out.
fn open_mark(path: &Path, write: bool) -> io::Result<File> {
    unfollowed(OpenOptions::new().read(true).write(write)).open(path)
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
    fn an_image_keeps_its_names_when_it_is_listed_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let layout = LayoutFolder::open(folder.path()).unwrap();
        let one = document(b"{\"schemaVersion\":2,\"manifests\":[]}");
        layout.document(&one).unwrap();
        for name in [None, Some("v1"), None, Some("v2"), None] {
            layout.list(&one, name).unwrap();
        }
        let index: Value =
            serde_json::from_slice(&fs::read(folder.path().join("index.json")).unwrap()).unwrap();
        let named = |entry: &Value| entry["annotations"][REF_NAME].as_str().map(str::to_owned);
        let names: Vec<_> = index["manifests"].as_array().unwrap().iter().map(named).collect();
        assert_eq!(names, [Some("v1".to_owned()), Some("v2".to_owned())]);
    }

    #[test]
    fn pulls_at_once_forget_none_of_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    // Each makes the layout as well.
                    let layout = LayoutFolder::open(folder).unwrap();
                    let one = document(b"{\"schemaVersion\":2,\"manifests\":[]}");
                    for at in 0..10 {
                        layout.list(&one, Some(&format!("v{thread}-{at}"))).unwrap();
                    }
                });
            }
        });
        let index: Value =
            serde_json::from_slice(&fs::read(folder.path().join("index.json")).unwrap()).unwrap();
        assert_eq!(index["manifests"].as_array().unwrap().len(), 80);
    }
}
