//! Pulling an image: into an OCI layout, or as an archive for an engine or a file.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest, Manifest, ManifestKind, Reference};
use hythe_remote::{PulledManifest, RemoteError};

use super::parts::Parts;
use super::push_layout::{chosen, is_manifest, parse};
use super::reading::checked;
use super::{MOST_MANIFESTS, Target, TransferError, pull_layout};
use crate::engine::Engine;
use crate::progress::{Event, Layer, Plan, Reporter, TransferKind};
use crate::sink::{Part, archive};
use crate::source::{DOCUMENT_BYTES, Document, Platform};

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
        told(pull_layout::pull(self, reference, folder, name, options, reporter), reporter).await
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
    /// Whoever takes the archive to where it belongs tells the end, [`Event::Finished`] or [`Event::Failed`]: nobody else
    /// knows when it is there.
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
        reporter.begun(self.archive_of(reference, name, options, reporter).await)
    }

    async fn archive_of(
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
        // They come one after the other, each with all there is of connections.
        let parts = Parts::of([]);
        let registry = self.remote.origin().to_string();
        let content = self.content(&config, 0, &parts, &reporter.layer(0));
        let whole = checked(content, config.digest, wrong(registry, config.digest));
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
                    let wrong = wrong(target.remote.origin().to_string(), digest);
                    Ok::<_, RemoteError>(checked(content, digest, wrong))
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
        let (digest, archive) = self.archive_of(reference, Some(name), options, reporter).await?;
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
        self.gather_within(root, &mut Gathered::default()).await
    }

    /// The same, together with what is held already.
    pub(super) async fn gather_within(
        &self,
        root: &Document,
        gathered: &mut Gathered,
    ) -> Result<(Vec<Document>, Vec<Descriptor>), TransferError> {
        let (mut documents, mut blobs) = (Vec::new(), Vec::new());
        gathered.take(root)?;
        let mut met = std::collections::HashSet::from([root.digest]);
        let mut open = vec![root.clone()];
        while let Some(document) = open.pop() {
            let manifest = parse(&document)?;
            for child in &manifest.children {
                if !met.insert(child.digest) {
                    continue;
                }
                if is_manifest(child) {
                    let reference = Reference::Digest(child.digest);
                    let pulled: Document =
                        self.remote.pull_manifest(&self.repository, &reference).await?.into();
                    gathered.take(&pulled)?;
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

/// The manifests that one transfer holds in memory, wherever it found them.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    manifests: usize,
    bytes: usize,
}

impl Gathered {
    /// Counts one more.
    fn take(&mut self, document: &Document) -> Result<(), TransferError> {
        self.manifests += 1;
        self.bytes += document.bytes.len();
        if self.manifests > MOST_MANIFESTS + 1 || self.bytes > MOST_MANIFEST_BYTES {
            return Err(TransferError::Invalid(format!(
                "The image has more than {MOST_MANIFESTS} manifests, or more than {MOST_MANIFEST_BYTES} bytes of them, \
                 what refers to it included, and is not taken: name a part of it by its digest"
            )));
        }
        Ok(())
    }
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

/// What a blob of another digest is, from this registry.
fn wrong(registry: String, expected: Digest) -> impl Fn(Digest) -> RemoteError + Send {
    move |received| RemoteError::WrongDigest { registry: registry.clone(), expected, received }
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
