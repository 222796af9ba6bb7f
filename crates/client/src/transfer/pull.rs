//! Pulling an image: into an OCI layout, or as an archive for an engine or a file.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest, Hasher, Manifest, ManifestKind, MediaType, Reference};
use hythe_remote::{PulledManifest, RangedPull, RemoteError};

use super::parts::{PART, Parts, Room};
use super::push_layout::{chosen, parse};
use super::{MOST_MANIFESTS, Target, TransferError};
use crate::engine::Engine;
use crate::progress::{Event, Layer, LayerReporter, Plan, Reporter, TransferKind};
use crate::sink::{LayoutFolder, Part, archive};
use crate::source::{DOCUMENT_BYTES, Document, Platform};

/// Larger blobs are fetched in parts side by side.
const WORTH_PARTS: u64 = 16 * 1024 * 1024;

/// Parts of one blob that are fetched at once, where nothing else is said.
const CONNECTIONS: usize = 4;

/// The most bytes of all manifests of one image together: they are held in memory.
const MOST_MANIFEST_BYTES: usize = 32 * 1024 * 1024;

/// What a pull may choose.
#[derive(Clone, Debug, Default)]
pub struct PullOptions {
    /// This part of an index alone. Left out, a layout gets everything and an engine what runs on this machine.
    pub platform: Option<Platform>,
    /// How many blobs move at once; 4 if left out.
    pub jobs: Option<NonZeroUsize>,
}

/// An image that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pulled {
    /// The digest of the manifest or index that is here now.
    pub digest: Digest,
    /// Blobs that were here already.
    pub skipped: usize,
    /// Blobs that came.
    pub received: usize,
}

impl From<PulledManifest> for Document {
    fn from(pulled: PulledManifest) -> Self {
        Self { digest: pulled.digest, media_type: pulled.media_type, bytes: pulled.bytes }
    }
}

impl Target {
    /// Pulls an image into an OCI layout in a folder, under a name if one is given. What is there is not fetched again,
    /// and what an interrupted pull has left is gone on with.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn pull_layout(
        &self,
        reference: &Reference,
        folder: &Path,
        name: Option<&str>,
        options: &PullOptions,
        reporter: &Reporter,
    ) -> Result<Pulled, TransferError> {
        told(self.fill_layout(reference, folder, name, options, reporter), reporter).await
    }

    /// Pulls an image into an engine, under this name; answers the digest of its manifest.
    ///
    /// # Errors
    /// See [`TransferError`].
    pub async fn pull_engine(
        &self,
        reference: &Reference,
        engine: &Engine,
        name: &str,
        options: &PullOptions,
        reporter: &Reporter,
    ) -> Result<Pulled, TransferError> {
        told(self.fill_engine(reference, engine, name, options, reporter), reporter).await
    }

    /// The image as an archive that docker, podman, containerd and skopeo load, and the digest of its manifest.
    ///
    /// # Errors
    /// See [`TransferError`]; what goes wrong later ends the stream.
    pub async fn pull_archive(
        &self,
        reference: &Reference,
        name: Option<&str>,
        options: &PullOptions,
        reporter: &Reporter,
    ) -> Result<(Digest, BoxStream<'static, io::Result<Bytes>>), TransferError> {
        let document = self.one_platform(reference, options).await?;
        let manifest = parse(&document)?;
        let config = manifest.config.clone().ok_or_else(|| {
            TransferError::Invalid(format!("{reference} is no image of a container: it has no configuration"))
        })?;
        // It is held in memory.
        if config.size > DOCUMENT_BYTES {
            return Err(TransferError::Invalid(format!(
                "{reference} has a configuration of {} bytes, more than any real one",
                config.size
            )));
        }
        let plan = plan(&manifest, self.named_reference(reference), name.unwrap_or("an archive"));
        reporter.tell(|| Event::Plan(plan));
        let parts = Parts::new();
        let whole = self.content(&config, 0, &parts, &reporter.layer(0));
        let whole: Vec<Bytes> = whole.try_collect().await.map_err(TransferError::from)?;
        reporter.layer(0).done(config.digest);
        let mut layers = Vec::new();
        for (layer, at) in manifest.layers.iter().zip(1..) {
            let told = reporter.layer(at);
            told.queued();
            let (target, parts, digest) = (self.clone(), parts.clone(), layer.digest);
            // Begun when the archive has come to it, not before.
            let content = {
                let (layer, told) = (layer.clone(), told.clone());
                let begun = async move {
                    let content = target.content(&layer, 0, &parts, &told);
                    Ok::<_, RemoteError>(checked(content, target.remote.origin().to_string(), layer.digest))
                };
                stream::once(begun).try_flatten()
            };
            let end = stream::once(async move {
                told.done(digest);
                Ok(Bytes::new())
            });
            let content = content.map_err(io::Error::from).chain(end);
            layers.push(Part { layer: layer.clone(), content: content.boxed() });
        }
        let archive = archive(&document, &manifest, whole.concat().into(), layers, name);
        Ok((document.digest, archive.map_err(TransferError::Stream)?))
    }

    async fn fill_engine(
        &self,
        reference: &Reference,
        engine: &Engine,
        name: &str,
        options: &PullOptions,
        reporter: &Reporter,
    ) -> Result<Pulled, TransferError> {
        let (digest, archive) = self.pull_archive(reference, Some(name), options, reporter).await?;
        let received = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let end = {
            let (reporter, received) = (reporter.clone(), Arc::clone(&received));
            stream::once(async move {
                received.store(true, std::sync::atomic::Ordering::Relaxed);
                reporter.tell(|| Event::Finalising);
                Ok(Bytes::new())
            })
        };
        engine.import(archive.chain(end).boxed()).await?;
        Ok(Pulled { digest, skipped: 0, received: 1 })
    }

    async fn fill_layout(
        &self,
        reference: &Reference,
        folder: &Path,
        name: Option<&str>,
        options: &PullOptions,
        reporter: &Reporter,
    ) -> Result<Pulled, TransferError> {
        let write = |source| TransferError::Write { path: folder.to_owned(), source };
        let root = match options.platform {
            Some(_) => self.one_platform(reference, options).await?,
            None => self.remote.pull_manifest(&self.repository, reference).await?.into(),
        };
        let (documents, blobs) = self.gather(&root).await?;
        // Nothing is made for an image that is not there or makes no sense.
        let layout = LayoutFolder::open(folder).map_err(write)?;
        let listed =
            blobs.iter().zip(0..).map(|(blob, at)| Layer::new(at, Some(blob.digest), None, Some(blob.size)));
        let plan = Plan::new(
            TransferKind::Pull,
            self.named_reference(reference),
            folder.display().to_string(),
            listed.collect(),
        );
        reporter.tell(|| Event::Plan(plan));
        let parts = Parts::new();
        let mut moving = stream::iter(blobs.iter().zip(0..))
            .map(|(blob, at)| self.blob_into(&layout, blob, &parts, reporter.layer(at), write))
            .buffer_unordered(options.jobs.map_or(CONNECTIONS, NonZeroUsize::get));
        let (mut skipped, mut received) = (0, 0);
        while let Some(came) = moving.try_next().await? {
            if came { received += 1 } else { skipped += 1 }
        }
        drop(moving);
        reporter.tell(|| Event::Finalising);
        for document in documents.iter().chain([&root]) {
            layout.document(document).map_err(write)?;
        }
        layout.list(&root, name).map_err(write)?;
        Ok(Pulled { digest: root.digest, skipped, received })
    }

    /// Fetches a blob into a layout; false if it was there.
    async fn blob_into(
        &self,
        layout: &LayoutFolder,
        blob: &Descriptor,
        parts: &Parts,
        told: LayerReporter,
        write: impl Fn(io::Error) -> TransferError,
    ) -> Result<bool, TransferError> {
        told.queued();
        if layout.has(&blob.digest, blob.size) {
            told.exists();
            return Ok(false);
        }
        let (folder, digest) = (layout.clone(), blob.digest);
        let mut incoming = blocking(move || folder.begin(&digest)).await.map_err(&write)?;
        if incoming.size() > blob.size {
            incoming.clear().map_err(&write)?;
        }
        let mut content = self.content(blob, incoming.size(), parts, &told).boxed();
        loop {
            let piece = match content.try_next().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                // What came is kept for the next pull, unless it cannot be right.
                Err(error) => {
                    if matches!(error, RemoteError::WrongSize { .. } | RemoteError::WrongDigest { .. }) {
                        incoming.discard();
                    }
                    return Err(error.into());
                }
            };
            incoming = blocking(move || incoming.write(&piece).map(|()| incoming)).await.map_err(&write)?;
        }
        // Its last count is told before the end.
        drop(content);
        match blocking(move || incoming.finish()).await.map_err(&write)? {
            Ok(()) => {
                told.done(blob.digest);
                Ok(true)
            }
            Err(received) => {
                let registry = self.remote.origin().to_string();
                Err(RemoteError::WrongDigest { registry, expected: blob.digest, received }.into())
            }
        }
    }

    /// A blob's bytes from an offset on, checked if it is from the beginning. Large ones come in parts, fetched side by
    /// side and given out in order.
    pub(super) fn content(
        &self,
        blob: &Descriptor,
        from: u64,
        parts: &Parts,
        told: &LayerReporter,
    ) -> BoxStream<'static, Result<Bytes, RemoteError>> {
        let meter = Arc::new(told.downloading(from, Some(blob.size)));
        let (target, blob, parts) = (self.clone(), blob.clone(), parts.clone());
        let remote = self.heard(told);
        let opened = async move {
            let target = Self { remote, ..target };
            if blob.size.saturating_sub(from) < WORTH_PARTS && from == 0 {
                let download =
                    target.remote.pull_blob(&target.repository, &blob.digest, Some(blob.size)).await?;
                return Ok(download.into_stream().boxed());
            }
            target.in_parts(blob, from, parts).await
        };
        let counted = stream::once(opened).try_flatten();
        counted.inspect_ok(move |piece: &Bytes| meter.add(piece.len() as u64)).boxed()
    }

    async fn in_parts(
        self,
        blob: Descriptor,
        from: u64,
        parts: Parts,
    ) -> Result<BoxStream<'static, Result<Bytes, RemoteError>>, RemoteError> {
        let size_at = move |first: u64| PART.min(blob.size - first);
        if from >= blob.size {
            return Ok(stream::empty().boxed());
        }
        // The first part tells whether the registry sends parts at all.
        let range = from..from + size_at(from);
        let first = self.remote.pull_blob_range(&self.repository, &blob.digest, range).await?;
        let RangedPull::Part(first) = first else {
            let download = self.remote.pull_blob(&self.repository, &blob.digest, Some(blob.size)).await?;
            // It begins at the beginning: what is here already is read over.
            let mut skip = from;
            let rest = download.into_stream().try_filter_map(move |mut piece: Bytes| {
                let known = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
                skip -= known as u64;
                drop(piece.split_to(known));
                std::future::ready(Ok((!piece.is_empty()).then_some(piece)))
            });
            return Ok(rest.boxed());
        };
        let step = usize::try_from(PART).unwrap_or(usize::MAX);
        let firsts = (from..blob.size).step_by(step).skip(1);
        let digest = blob.digest;
        let rest = stream::iter(firsts)
            .map(move |first| {
                let (target, parts) = (self.clone(), parts.clone());
                async move { target.part(&digest, first, size_at(first), parts.room().await).await }
            })
            .buffered(CONNECTIONS);
        Ok(first.into_stream().chain(rest).boxed())
    }

    /// A part in memory. It goes on by itself after a break.
    async fn part(
        &self,
        digest: &Digest,
        first: u64,
        size: u64,
        mut room: Room,
    ) -> Result<Bytes, RemoteError> {
        let range = first..first + size;
        let RangedPull::Part(part) = self.remote.pull_blob_range(&self.repository, digest, range).await?
        else {
            return Err(RemoteError::Protocol {
                registry: self.remote.origin().to_string(),
                problem: "it sends parts of a blob only sometimes".to_owned(),
            });
        };
        let mut pieces = part.into_stream().boxed();
        while let Some(piece) = pieces.try_next().await? {
            room.add(&piece);
        }
        Ok(room.full())
    }

    /// One platform's manifest: the one asked for, else this machine's.
    pub(super) async fn one_platform(
        &self,
        reference: &Reference,
        options: &PullOptions,
    ) -> Result<Document, TransferError> {
        let mut document: Document = self.remote.pull_manifest(&self.repository, reference).await?.into();
        let platform = options.platform.clone().unwrap_or_else(Platform::here);
        // An index may name another index.
        for _ in 0..4 {
            let manifest = parse(&document)?;
            if manifest.kind != ManifestKind::Index {
                break;
            }
            let child = chosen(&platform, &manifest)?.digest;
            document = self.remote.pull_manifest(&self.repository, &Reference::Digest(child)).await?.into();
        }
        Ok(document)
    }

    /// Everything below a manifest: other manifests, and each blob once.
    pub(crate) async fn gather(
        &self,
        root: &Document,
    ) -> Result<(Vec<Document>, Vec<Descriptor>), TransferError> {
        let (mut documents, mut blobs) = (Vec::new(), Vec::new());
        let mut held = root.bytes.len();
        let mut met = std::collections::HashSet::from([root.digest]);
        let mut open = vec![root.clone()];
        while let Some(document) = open.pop() {
            let manifest = parse(&document)?;
            for child in &manifest.children {
                if !met.insert(child.digest) {
                    continue;
                }
                if child.essence().as_ref().is_some_and(is_manifest) {
                    let reference = Reference::Digest(child.digest);
                    let pulled: Document =
                        self.remote.pull_manifest(&self.repository, &reference).await?.into();
                    held += pulled.bytes.len();
                    if documents.len() >= MOST_MANIFESTS || held > MOST_MANIFEST_BYTES {
                        return Err(TransferError::Invalid(format!(
                            "The image has more than {MOST_MANIFESTS} manifests, or more than \
                             {MOST_MANIFEST_BYTES} bytes of them, and is not taken: name a part of it by its digest"
                        )));
                    }
                    documents.push(pulled.clone());
                    open.push(pulled);
                } else {
                    blobs.push(child.clone());
                }
            }
            for blob in manifest.required_blobs() {
                if met.insert(blob.digest) {
                    blobs.push(blob.clone());
                }
            }
        }
        Ok((documents, blobs))
    }

    pub(super) fn named_reference(&self, reference: &Reference) -> String {
        match reference {
            Reference::Tag(tag) => format!("{}:{tag}", self.repository),
            Reference::Digest(digest) => format!("{}@{digest}", self.repository),
        }
    }
}

fn is_manifest(kind: &MediaType) -> bool {
    kind.is_image() || kind.is_index()
}

fn plan(manifest: &Manifest, source: String, destination: &str) -> Plan {
    let config = manifest
        .config
        .iter()
        .map(|config| Layer::new(0, Some(config.digest), None, Some(config.size)).labelled("config"));
    let layers = manifest
        .layers
        .iter()
        .zip(1..)
        .map(|(layer, at)| Layer::new(at, Some(layer.digest), None, Some(layer.size)));
    Plan::new(TransferKind::Pull, source, destination.to_owned(), config.chain(layers).collect())
}

/// A blob from its beginning, whose end is an error unless its digest is right.
fn checked(
    content: BoxStream<'static, Result<Bytes, RemoteError>>,
    registry: String,
    digest: Digest,
) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send {
    let state = (content, Hasher::new(digest.algorithm()), registry);
    stream::try_unfold(state, move |(mut content, mut hasher, registry)| async move {
        if let Some(piece) = content.try_next().await? {
            hasher.update(&piece);
            return Ok(Some((piece, (content, hasher, registry))));
        }
        match hasher.finish() {
            received if received == digest => Ok(None),
            received => Err(RemoteError::WrongDigest { registry, expected: digest, received }),
        }
    })
}

async fn told(
    pulled: impl Future<Output = Result<Pulled, TransferError>>,
    reporter: &Reporter,
) -> Result<Pulled, TransferError> {
    match pulled.await {
        Ok(pulled) => {
            reporter.tell(|| Event::Finished { digest: pulled.digest });
            Ok(pulled)
        }
        Err(error) => {
            reporter.failed(&error.to_string());
            Err(error)
        }
    }
}

/// Work on files, where threads may wait.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}
