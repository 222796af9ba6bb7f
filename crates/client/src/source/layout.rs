//! An OCI image layout in a folder (image specification, "Image Layout"): any blob, at any time. Whoever filled the
//! folder is not trusted: see [`beneath`].

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use hythe_oci::{Digest, Manifest, MediaType, media_type};

use super::{DOCUMENT_BYTES, SourceError, beneath};

/// The annotation by which an entry of `index.json` has a name.
const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// A manifest or index, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) digest: Digest,
    pub(crate) media_type: MediaType,
    pub(crate) bytes: Bytes,
}

/// A layout.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// The layout in this folder.
    pub(crate) fn open(folder: &Path) -> Result<Self, SourceError> {
        let layout = Self { folder: folder.to_owned() };
        layout.file("oci-layout").map_err(|error| SourceError::Form {
            what: folder.display().to_string(),
            problem: error.to_string(),
        })?;
        Ok(layout)
    }

    /// The image of this name, or the only one.
    pub(crate) fn choose(&self, name: Option<&str>) -> Result<Document, SourceError> {
        let index = self.read("index.json")?;
        choose(&index, &self.folder.display().to_string(), name, |digest| self.document(digest))
    }

    /// A manifest, index or configuration, compared with its digest.
    pub(crate) fn document(&self, digest: &Digest) -> Result<Bytes, SourceError> {
        let bytes = self.read(&blob_path(digest))?;
        verified(digest, bytes)
    }

    /// A blob's file and its size in bytes. Whoever reads it computes its digest.
    pub(crate) fn blob(&self, digest: &Digest) -> Result<(File, u64), SourceError> {
        let path = blob_path(digest);
        let file = self.file(&path)?;
        let size = file.metadata().map_err(|source| self.failed(&path, source))?.len();
        Ok((file, size))
    }

    fn read(&self, path: &str) -> Result<Bytes, SourceError> {
        // Room for most of them: a file behind a limit does not tell how long it is.
        let mut bytes = Vec::with_capacity(8 << 10);
        let read = self.file(path)?.take(DOCUMENT_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|source| self.failed(path, source))?;
        if bytes.len() as u64 > DOCUMENT_BYTES {
            let problem = format!("{path} is larger than the {DOCUMENT_BYTES} bytes of any real one");
            return Err(SourceError::Form { what: self.folder.display().to_string(), problem });
        }
        Ok(bytes.into())
    }

    fn file(&self, path: &str) -> Result<File, SourceError> {
        beneath::open(&self.folder, path).map_err(|source| self.failed(path, source))
    }

    fn failed(&self, path: &str, source: std::io::Error) -> SourceError {
        SourceError::File { path: self.folder.join(path), source }
    }
}

/// Where a blob lies in a layout.
pub(crate) fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().as_str(), digest.hex())
}

/// Bytes that must have this digest.
pub(crate) fn verified(digest: &Digest, bytes: Bytes) -> Result<Bytes, SourceError> {
    if Digest::of(digest.algorithm(), &bytes) == *digest {
        return Ok(bytes);
    }
    Err(SourceError::Content { digest: *digest, problem: "not what is stored under its name".to_owned() })
}

/// The entry of an `index.json` with this name, or the only one.
pub(crate) fn choose(
    index: &[u8],
    what: &str,
    name: Option<&str>,
    read: impl Fn(&Digest) -> Result<Bytes, SourceError>,
) -> Result<Document, SourceError> {
    let kind = MediaType::parse(media_type::OCI_INDEX).ok();
    let index = Manifest::parse(kind.as_ref(), index).map_err(|error| SourceError::Form {
        what: what.to_owned(),
        problem: format!("its index.json cannot be read: {error}"),
    })?;
    let named = |child: &hythe_oci::Descriptor| child.annotations.get(REF_NAME).cloned();
    let fitting: Vec<_> = match name {
        Some(name) => index.children.iter().filter(|child| named(child).as_deref() == Some(name)).collect(),
        None => index.children.iter().collect(),
    };
    let [child] = fitting[..] else {
        let held = index.children.iter().filter_map(named).collect();
        let problem = match name {
            Some(name) => format!("{what} holds no image {name:?}"),
            None if fitting.is_empty() => format!("{what} holds no image"),
            None => format!("{what} holds several images, and none was named"),
        };
        return Err(SourceError::Choice { problem, held });
    };
    let media_type = child.essence().ok_or_else(|| SourceError::Form {
        what: what.to_owned(),
        problem: format!("its index.json names {} without a media type", child.digest),
    })?;
    Ok(Document { digest: child.digest, media_type, bytes: read(&child.digest)? })
}
