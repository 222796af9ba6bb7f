//! The folder in which docker keeps its images, for those who may read it: one layer at a time, while the engine would lay
//! the whole image down as an archive before its first byte.
//!
//! docker keeps the files of a layer (`overlay2/ID/diff`) and the rest of its archive ([`tar_split`]), and makes the
//! archive of the two when it is asked. The same is done here.
//!
//! Invariant: nothing of this is docker's promise. What a layer turns out to be is compared with the digest in the image's
//! configuration, which is compared with the image's own, by whoever reads it; and whatever is amiss means that the
//! engine has to be asked.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};
use hythe_oci::{Algorithm, Digest};
use rustix::buffer::spare_capacity;
use tokio::sync::mpsc;

use super::archive::diff_ids;
use super::layout::verified;
use super::tar_split::{Part, parts};
use super::{DOCUMENT_BYTES, SourceError, beneath};
use crate::blocking::blocking;
use crate::spare::{Spare, kept};

/// The pieces in which a layer is handed over.
const PIECE: usize = 256 * 1024;

/// Pieces that may wait.
const WAITING: usize = 2;

/// docker's folder, of the driver `overlay2`.
#[derive(Clone, Debug)]
pub(crate) struct DockerStore {
    root: PathBuf,
}

/// An image in it.
pub(crate) struct StoredImage {
    pub(crate) config: Bytes,
    /// Lowest first.
    pub(crate) layers: Vec<StoredLayer>,
}

/// A layer that can be read.
pub(crate) struct StoredLayer {
    /// What its digest must turn out to be.
    pub(crate) diff_id: Digest,
    split: PathBuf,
    files: File,
}

impl DockerStore {
    /// The store in docker's folder.
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// An image by the digest of its configuration, if all that it needs is there.
    pub(crate) async fn image(&self, id: Digest) -> Result<StoredImage, SourceError> {
        let store = self.clone();
        blocking(move || store.opened(&id)).await.map_err(SourceError::Stream)?
    }

    fn opened(&self, id: &Digest) -> Result<StoredImage, SourceError> {
        let of_driver = self.root.join("image/overlay2");
        let path = of_driver.join("imagedb/content").join(id.algorithm().as_str()).join(id.hex());
        let config = verified(id, read(&path, DOCUMENT_BYTES)?.into())?;
        let mut layers: Vec<StoredLayer> = Vec::new();
        let mut chain: Option<Digest> = None;
        for diff_id in diff_ids(&config, "the image")? {
            // A layer is known by all that lie below it (image specification, "Layer ChainID").
            let id = match chain {
                Some(below) => Digest::of(Algorithm::Sha256, format!("{below} {diff_id}").as_bytes()),
                None => diff_id,
            };
            chain = Some(id);
            layers.push(self.layer(diff_id, &of_driver.join("layerdb/sha256").join(id.hex()))?);
        }
        Ok(StoredImage { config, layers })
    }

    fn layer(&self, diff_id: Digest, described: &Path) -> Result<StoredLayer, SourceError> {
        let path = described.join("cache-id");
        let folder = read(&path, 200)?;
        let folder = std::str::from_utf8(&folder).map(str::trim).unwrap_or_default();
        if folder.is_empty() || !folder.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            let source = io::Error::other("it names no folder");
            return Err(SourceError::File { path, source });
        }
        let files = self.root.join("overlay2").join(folder).join("diff");
        let files = File::open(&files).map_err(|source| SourceError::File { path: files, source })?;
        let split = described.join("tar-split.json.gz");
        File::open(&split).map_err(|source| SourceError::File { path: split.clone(), source })?;
        Ok(StoredLayer { diff_id, split, files })
    }
}

impl StoredLayer {
    /// The bytes of its archive.
    pub(crate) async fn size(&self) -> Result<u64, SourceError> {
        let split = self.split.clone();
        let counted = move || {
            parts(File::open(split)?).try_fold(0u64, |size, part| {
                Ok(size.saturating_add(match part? {
                    Part::Bytes(bytes) => bytes.len() as u64,
                    Part::File(_, size) => size,
                }))
            })
        };
        let counted = blocking(counted).await.and_then(|counted| counted);
        counted.map_err(|source| SourceError::File { path: self.split.clone(), source })
    }

    /// The layer's archive.
    pub(crate) fn into_stream(self) -> BoxStream<'static, io::Result<Bytes>> {
        let (sender, mut pieces) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let mut given = Given { buffer: Vec::new(), spare: Spare::new(), sender };
            if let Err(error) = self.put_together(&mut given) {
                // Whoever does not listen any more has no use for it.
                let _ = given.sender.blocking_send(Err(error));
            }
        });
        stream::poll_fn(move |context| pieces.poll_recv(context)).boxed()
    }

    fn put_together(self, given: &mut Given) -> io::Result<()> {
        for part in parts(File::open(self.split)?) {
            match part? {
                Part::Bytes(bytes) => given.bytes(&bytes)?,
                // There need not be a file where there is nothing in it.
                Part::File(_, 0) => {}
                Part::File(path, size) => {
                    let path = path.strip_prefix("/").unwrap_or(&path);
                    given.file(&beneath::open_in(&self.files, path)?, size)?;
                }
            }
        }
        given.hand_over()
    }
}

/// What is put together, on its way to whoever reads it.
struct Given {
    buffer: Vec<u8>,
    spare: Spare<Vec<u8>>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Given {
    fn bytes(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()?));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn file(&mut self, file: &File, size: u64) -> io::Result<()> {
        let mut left = size;
        while left > 0 {
            self.room()?;
            let read = rustix::io::read(file, spare_capacity(&mut self.buffer))? as u64;
            if read == 0 || read > left {
                return Err(io::Error::other(format!("a file of the layer has not the {size} bytes it had")));
            }
            left -= read;
        }
        Ok(())
    }

    /// How many bytes fit into the buffer: at least one.
    fn room(&mut self) -> io::Result<usize> {
        if self.buffer.len() == self.buffer.capacity() {
            self.hand_over()?;
            self.buffer = self.spare.take().unwrap_or_else(|| Vec::with_capacity(PIECE));
        }
        Ok(self.buffer.capacity() - self.buffer.len())
    }

    fn hand_over(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = kept(std::mem::take(&mut self.buffer), &self.spare);
        self.sender.blocking_send(Ok(piece)).map_err(|_| io::Error::other("nobody reads the layer any more"))
    }
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 <= most => Ok(bytes),
        Ok(_) => {
            let source = io::Error::other(format!("it is larger than the {most} bytes of any real one"));
            Err(SourceError::File { path: path.to_owned(), source })
        }
        Err(source) => Err(SourceError::File { path: path.to_owned(), source }),
    }
}
