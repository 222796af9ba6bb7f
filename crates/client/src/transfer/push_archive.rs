//! Pushing from an archive that comes as a stream: layers are compressed and sent while they are read, in the order in
//! which they come; which image they belong to is known at the end.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::Path;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Algorithm, Descriptor, Digest, Hasher, Reference, Tag, media_type};
use hythe_remote::{Expected, chunks};

use super::archived::{blobs, documents, is_complete, too_late};
use super::held::Held;
use super::memory::KnownBlob;
use super::push_layout::{parse, push_document};
use super::pushing::{Pushing, cut};
use super::reading::archive_in_file;
use super::target::{PushOptions, Pushed};
use super::written::NamedLayer;
use super::{Target, TransferError};
use crate::engine::Archive;
use crate::pack::pack;
use crate::progress::{Event, Plan, Reporter, TransferKind};
use crate::source::{
    ArchiveImage, ArchiveIndex, Body, Document, Entries, Entry, SourceError, blob_path, refused,
};

pub(super) const GZIP: &[u8] = &[0x1f, 0x8b];
pub(super) const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];

/// What is never a layer, however large it is.
const DOCUMENTS: &[&str] = &["manifest.json", "index.json", "oci-layout", "repositories"];

/// A layer of the archive that is at the registry.
#[derive(Clone, Debug)]
struct Placed {
    /// The digest of its uncompressed content, where that was computed.
    diff_id: Option<Digest>,
    blob: NamedLayer,
}

struct Push<'a> {
    pushing: Pushing<'a>,
    index: ArchiveIndex,
    /// By the path in the archive.
    placed: HashMap<String, Placed>,
    /// The file that the archive lies in, if it can be read again.
    file: Option<&'a Path>,
}

/// An archive and where it comes from.
pub(super) struct Source<'a> {
    pub(super) archive: Archive,
    /// The file that it lies in, if it can be read again.
    pub(super) file: Option<&'a Path>,
}

impl<'a> Source<'a> {
    /// The archive in a file, or in what is called like one: a pipe is read once.
    pub(super) fn in_file(path: &'a Path) -> Result<Self, TransferError> {
        let archive = archive_in_file(path)?;
        Ok(Self { archive, file: path.is_file().then_some(path) })
    }
}

impl From<Archive> for Source<'_> {
    fn from(archive: Archive) -> Self {
        Self { archive, file: None }
    }
}

pub(super) async fn push(
    target: &Target,
    source: Source<'_>,
    name: Option<&str>,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let plan = Plan::new(TransferKind::Push, "archive".to_owned(), target.named(tag), Vec::new());
    reporter.tell(|| Event::Plan(plan));
    push_stream(target, source, name, tag, options, reporter).await
}

pub(super) async fn push_stream(
    target: &Target,
    Source { archive, file }: Source<'_>,
    name: Option<&str>,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let pushing = Pushing::new(target, options, reporter);
    let mut push = Push { pushing, index: ArchiveIndex::default(), placed: HashMap::new(), file };
    let mut entries = Entries::read(archive);
    while let Some(entry) = entries.next().await.map_err(SourceError::Stream)? {
        match entry {
            Entry::Whole(path, content) => push.index.note(path, content)?,
            Entry::Link(path, target) => push.index.note_link(path, target)?,
            Entry::Large(path, size, body) => push.large(path, size, body).await?,
        }
    }
    push.finish(name, tag).await
}

impl Push<'_> {
    /// A large file: a layer, unless it is something that nobody needs.
    async fn large(&mut self, path: String, size: u64, body: Body) -> Result<(), TransferError> {
        if DOCUMENTS.contains(&path.as_str()) {
            return Err(refused(format!("{path} has {size} bytes, more than any real one")).into());
        }
        let as_is = if body.begins_with(GZIP) {
            Some(media_type::OCI_LAYER_GZIP)
        } else if body.begins_with(ZSTD) {
            Some(media_type::OCI_LAYER_ZSTD)
        } else {
            None
        };
        let named = digest_of(&path);
        let placed = match (as_is, named) {
            (Some(media_type), Some(digest)) => {
                Some(self.bring_as_is(media_type, Expected { digest, size }, body).await?)
            }
            (Some(media_type), None) => self.send_as_is(media_type, size, body).await?,
            // What is no tar is no layer of a container: another program's content, which is stored as it is.
            (None, Some(digest)) if !body.is_tar() => {
                let placed = self.bring_as_is(media_type::OCI_LAYER, Expected { digest, size }, body).await?;
                Some(Placed { diff_id: Some(digest), ..placed })
            }
            // docker names an uncompressed layer by its content, or by a path that says the same.
            (None, diff_id) => self.pack(&path, diff_id, size, body).await?,
        };
        if let Some(placed) = placed {
            let digest = placed.blob.digest;
            let former = self.placed.insert(path.clone(), placed);
            // Programs disagree on which of the two counts.
            if former.is_some_and(|former| former.blob.digest != digest) {
                return Err(refused(format!("{path:?} is in it twice")).into());
            }
        }
        Ok(())
    }

    /// A blob whose digest is its name.
    async fn bring_as_is(
        &mut self,
        media_type: &'static str,
        blob: Expected,
        body: Body,
    ) -> Result<Placed, TransferError> {
        let layer = self.pushing.layer(Some(blob.digest), None, Some(blob.size));
        let body = Held::new(body.into_stream());
        let Pushing { target, options, .. } = self.pushing;
        let brought = target.bring(blob, |offset| body.from(offset), options, &layer).await?;
        self.pushing.tally.count(brought);
        let blob = NamedLayer { media_type, digest: blob.digest, size: blob.size };
        Ok(Placed { diff_id: None, blob })
    }

    /// A compressed layer of unknown digest.
    async fn send_as_is(
        &mut self,
        media_type: &'static str,
        size: u64,
        body: Body,
    ) -> Result<Option<Placed>, TransferError> {
        let layer = self.pushing.layer(None, None, Some(size));
        let (told, hash) = tokio::sync::oneshot::channel();
        let hashing = Hashing { hasher: Hasher::new(Algorithm::Sha256), told: Some(told) };
        let hashed =
            stream::try_unfold((body.into_stream(), hashing), |(mut body, mut hashing)| async move {
                let Some(piece): Option<Bytes> = body.try_next().await? else {
                    return Ok::<_, io::Error>(None);
                };
                hashing.hasher.update(&piece);
                Ok(Some((piece, (body, hashing))))
            });
        let streamed = self.pushing.target.stream_up(hashed.boxed(), Some(size), &layer).await?;
        let digest = hash.await.map_err(|_| cut())?;
        self.pushing.close(streamed, &layer, KnownBlob { digest, size }).await?;
        Ok(Some(Placed { diff_id: None, blob: NamedLayer { media_type, digest, size } }))
    }

    /// An uncompressed layer: not read at all if it is remembered and there, else packed and sent while it is read.
    async fn pack(
        &mut self,
        path: &str,
        named: Option<Digest>,
        size: u64,
        body: Body,
    ) -> Result<Option<Placed>, TransferError> {
        let memory = self.pushing.options.memory.as_ref();
        let diff_id = named.or_else(|| memory?.layer_at(path));
        let layer = self.pushing.layer(None, diff_id, None);
        if let Some(diff_id) = diff_id
            && let Some(blob) = self.pushing.remembered(&diff_id, &layer).await?
        {
            return Ok(Some(Placed { diff_id: Some(diff_id), blob }));
        }
        let (packed, blob) = self.pushing.pack(body.into_stream(), size, None, &layer).await?;
        if let Some(memory) = memory {
            memory.note_path(path, &packed.diff_id);
        }
        Ok(Some(Placed { diff_id: Some(packed.diff_id), blob }))
    }

    async fn finish(mut self, name: Option<&str>, tag: Option<&Tag>) -> Result<Pushed, TransferError> {
        let complete = |root: &Document| {
            let as_named = |layer: &Descriptor| {
                let path = blob_path(&layer.digest);
                // An uncompressed layer was packed: it is not there under this digest.
                match self.placed.get(&path) {
                    Some(placed) => placed.blob.digest == layer.digest,
                    None => self
                        .index
                        .document(&path)
                        .is_some_and(|small| small.starts_with(GZIP) || small.starts_with(ZSTD)),
                }
            };
            is_complete(self.documents(root.clone()), as_named)
        };
        match self.index.choose(name, complete)? {
            ArchiveImage::Docker(image) => {
                let mut layers = Vec::new();
                for (diff_id, path) in image.layers {
                    let placed = match self.placed.get(&path) {
                        Some(placed) => placed.clone(),
                        None => self.small(&path, &diff_id).await?,
                    };
                    if placed.diff_id.is_some_and(|computed| computed != diff_id) {
                        let problem = format!("not what lies at {path:?} in the archive");
                        return Err(SourceError::Content { digest: diff_id, problem }.into());
                    }
                    layers.push(placed.blob);
                }
                self.pushing.write_image(image.config, &layers, tag).await
            }
            ArchiveImage::Oci(document) => self.finish_oci(document, tag).await,
        }
    }

    /// A layer so small that it was kept.
    async fn small(&mut self, path: &str, diff_id: &Digest) -> Result<Placed, TransferError> {
        let absent =
            || SourceError::Content { digest: *diff_id, problem: format!("not at {path:?} in the archive") };
        let content = self.index.document(path).ok_or_else(absent)?.clone();
        if content.starts_with(GZIP) || content.starts_with(ZSTD) {
            let media_type = if content.starts_with(GZIP) {
                media_type::OCI_LAYER_GZIP
            } else {
                media_type::OCI_LAYER_ZSTD
            };
            let known = self.pushing.bring_whole(content).await?;
            return Ok(Placed { diff_id: None, blob: NamedLayer::of(media_type, known) });
        }
        let compression = self.pushing.options.compression();
        let packing = pack(chunks(content), compression);
        let packed = packing.stream.try_collect::<Vec<_>>().await.map_err(TransferError::Stream)?.concat();
        let outcome = packing.outcome.await.map_err(|_| cut())?;
        if let Some(memory) = &self.pushing.options.memory {
            memory.note_blob(&outcome, compression);
        }
        let known = self.pushing.bring_whole(packed.into()).await?;
        let blob = NamedLayer::of(compression.media_type(), known);
        let placed = Placed { diff_id: Some(outcome.diff_id), blob };
        self.placed.insert(path.to_owned(), placed.clone());
        Ok(placed)
    }

    /// The manifests of an OCI layout that are pushed, the image last.
    fn documents(&self, root: Document) -> Result<Vec<Document>, TransferError> {
        let has = |digest: &Digest| self.placed.contains_key(&blob_path(digest)) || self.index.has(digest);
        documents(&self.index, root, self.pushing.options.platform.as_ref(), &has)
    }

    /// An OCI layout: what came by large is there; the small blobs and the manifests are brought now.
    async fn finish_oci(mut self, root: Document, tag: Option<&Tag>) -> Result<Pushed, TransferError> {
        let documents = self.documents(root)?;
        let mut packed = HashSet::new();
        for document in &documents {
            for blob in blobs(&parse(document)?) {
                if !self.pushing.tally.met.insert(blob.digest) {
                    continue;
                }
                match self.placed.get(&blob_path(&blob.digest)) {
                    Some(placed) if placed.blob.digest == blob.digest => {}
                    Some(_) => drop(packed.insert(blob.digest)),
                    None => drop(self.pushing.bring_whole(self.index.blob(&blob.digest)?).await?),
                }
            }
        }
        self.bring_again(packed).await?;
        let Some((root, parts)) = documents.split_last() else {
            return Err(TransferError::Invalid("The archive names no manifest.".to_owned()));
        };
        for part in parts {
            push_document(self.pushing.target, part, &Reference::Digest(part.digest)).await?;
        }
        self.pushing.write(root, tag).await
    }

    /// Brings blobs as they are that were packed when they came by: whose they are was not known yet.
    async fn bring_again(&mut self, mut wanted: HashSet<Digest>) -> Result<(), TransferError> {
        let Some(first) = wanted.iter().next().copied() else { return Ok(()) };
        let file = self.file.ok_or_else(|| too_late(&first))?;
        let mut entries = Entries::read(archive_in_file(file)?);
        while !wanted.is_empty()
            && let Some(entry) = entries.next().await.map_err(SourceError::Stream)?
        {
            if let Entry::Large(path, size, body) = entry
                && let Some(digest) = digest_of(&path)
                && wanted.remove(&digest)
            {
                self.bring_as_is(media_type::OCI_LAYER, Expected { digest, size }, body).await?;
            }
        }
        match wanted.into_iter().next() {
            Some(digest) => {
                Err(SourceError::Content { digest, problem: "not in the archive any more".to_owned() }.into())
            }
            None => Ok(()),
        }
    }
}

/// The digest by which a file of an OCI layout is named.
pub(super) fn digest_of(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// Hashes what goes by, and tells the digest once it is all through.
struct Hashing {
    hasher: Hasher,
    told: Option<tokio::sync::oneshot::Sender<Digest>>,
}

impl Drop for Hashing {
    fn drop(&mut self) {
        if let Some(told) = self.told.take() {
            let hasher = std::mem::replace(&mut self.hasher, Hasher::new(Algorithm::Sha256));
            let _ = told.send(hasher.finish());
        }
    }
}
