//! What a transfer would do, counted and not done.
//!
//! Invariant: nothing is written anywhere, neither to a registry nor on this machine; a layer is not compressed to learn
//! its size, so what is not known before a push is told as not known.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Algorithm, Descriptor, Digest, Reference};
use hythe_remote::RemoteError;
use serde::Serialize;

use super::archived::{blobs, documents, is_complete, too_late};
use super::push_archive::{GZIP, Source, ZSTD, digest_of};
use super::push_layout::{chosen_whole, parse};
use super::target::PushOptions;
use super::{CopyOptions, PullOptions, Target, TransferError};
use crate::engine::{Archive, Engine, EngineImage};
use crate::sink::LayoutFolder;
use crate::source::{ArchiveImage, ArchiveIndex, Document, Entries, Entry, Layout, SourceError, blob_path};

/// What a transfer would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Preview {
    /// The digest of the manifest or index; `None` where it is known only when the layers are compressed.
    pub digest: Option<Digest>,
    /// Blobs that would be sent or fetched, of known size.
    pub blobs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that are there already.
    pub blobs_there: usize,
    /// Their bytes.
    pub bytes_there: u64,
    /// Layers that would be compressed and sent, whose compressed size is not known.
    pub layers_to_pack: usize,
    /// The bytes of those layers as they are now; of an engine those of the whole image, where any is to be packed.
    pub bytes_unpacked: u64,
}

impl Preview {
    fn count(&mut self, bytes: u64, there: bool) {
        let (blobs, sum) = if there {
            (&mut self.blobs_there, &mut self.bytes_there)
        } else {
            (&mut self.blobs, &mut self.bytes)
        };
        *blobs += 1;
        *sum = sum.saturating_add(bytes);
    }
}

impl Target {
    /// What a push of an image of a layout would send.
    ///
    /// # Errors
    /// The layout cannot be read, or the registry refused.
    pub async fn preview_push_layout(
        &self,
        folder: &Path,
        name: Option<&str>,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        let layout = Layout::open(folder)?;
        let (root, whole) = chosen_whole(&layout, name, options.platform.as_ref())?;
        let blobs = whole.blobs.iter().map(|(blob, _)| (blob.digest, blob.size)).collect();
        self.counted(Some(root.digest), blobs).await
    }

    /// What a push of an image of an engine would send, as far as it is remembered what its layers become.
    ///
    /// # Errors
    /// The engine has no such image, or the registry refused.
    pub async fn preview_push_engine(
        &self,
        engine: &Engine,
        name: &str,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        let known: EngineImage = engine.inspect(name).await?.ok_or_else(|| {
            TransferError::Invalid(format!("{} has no image {name}", engine.address().kind))
        })?;
        let options = &self.settled(options).await;
        let memory = options.memory.as_ref();
        let blobs: Vec<_> = known
            .diff_ids
            .iter()
            .filter_map(|diff_id| memory?.blob(diff_id, options.compression()))
            .map(|blob| (blob.digest, blob.size))
            .collect();
        let remembered = blobs.len();
        let mut preview = self.counted(None, blobs).await?;
        preview.layers_to_pack = known.diff_ids.len() - remembered;
        // What is remembered and not there is packed again, for the engine keeps it unpacked.
        if preview.layers_to_pack > 0 {
            preview.bytes_unpacked = known.size;
        }
        Ok(preview)
    }

    /// What making an image of a container and pushing it would send: the layers of the image it was made of, and one of
    /// what it changed.
    ///
    /// # Errors
    /// The engine has no such container, or the registry refused.
    pub async fn preview_commit(
        &self,
        engine: &Engine,
        container: &str,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        let found = engine.container(container).await?.ok_or_else(|| {
            TransferError::Invalid(format!("{} has no container {container}", engine.address().kind))
        })?;
        let base = match &found.image {
            Some(image) => engine.inspect(image).await?.map(|_| image),
            None => None,
        };
        let mut preview = match base {
            Some(image) => self.preview_push_engine(engine, image, options).await?,
            None => Preview::default(),
        };
        preview.layers_to_pack += 1;
        preview.bytes_unpacked = preview.bytes_unpacked.saturating_add(found.changed.unwrap_or(0));
        Ok(preview)
    }

    /// What a push of an archive would send. The archive is read to its end.
    ///
    /// # Errors
    /// The archive cannot be read, or the registry refused.
    pub async fn preview_push_archive(
        &self,
        archive: Archive,
        name: Option<&str>,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        self.preview_archive(archive.into(), name, options).await
    }

    /// The same for an archive in a file: see [`Target::push_archive_file`].
    ///
    /// # Errors
    /// The file cannot be read, or the registry refused.
    pub async fn preview_push_archive_file(
        &self,
        file: &Path,
        name: Option<&str>,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        self.preview_archive(Source::in_file(file)?, name, options).await
    }

    async fn preview_archive(
        &self,
        Source { archive, file }: Source<'_>,
        name: Option<&str>,
        options: &PushOptions,
    ) -> Result<Preview, TransferError> {
        let options = &self.settled(options).await;
        let mut index = ArchiveIndex::default();
        // Of each large file its size, and whether it is sent as it is.
        let mut large: HashMap<String, (u64, bool)> = HashMap::new();
        let mut entries = Entries::read(archive);
        while let Some(entry) = entries.next().await.map_err(SourceError::Stream)? {
            match entry {
                Entry::Whole(path, content) => index.note(path, content)?,
                Entry::Link(path, target) => index.note_link(path, target)?,
                Entry::Large(path, size, body) => {
                    let packed = body.begins_with(GZIP) || body.begins_with(ZSTD);
                    let as_is = packed || digest_of(&path).is_some() && !body.is_tar();
                    large.insert(path, (size, as_is));
                }
            }
        }
        let found = |path: &str| match large.get(path) {
            Some(found) => Some(*found),
            None => index
                .document(path)
                .map(|small| (small.len() as u64, small.starts_with(GZIP) || small.starts_with(ZSTD))),
        };
        let has = |digest: &Digest| found(&blob_path(digest)).is_some();
        let platform = options.platform.as_ref();
        let complete = |root: &Document| {
            let as_named =
                |layer: &Descriptor| found(&blob_path(&layer.digest)).is_some_and(|(_, as_is)| as_is);
            is_complete(documents(&index, root.clone(), platform, &has), as_named)
        };
        match index.choose(name, complete)? {
            ArchiveImage::Oci(root) => {
                let documents = documents(&index, root, platform, &has)?;
                let mut named = Vec::new();
                for document in &documents {
                    named.extend(blobs(&parse(document)?).map(|blob| (blob.digest, blob.size)));
                }
                let packed = |digest: &Digest| large.get(&blob_path(digest)).is_some_and(|(_, as_is)| !as_is);
                if file.is_none()
                    && let Some((digest, _)) = named.iter().find(|(digest, _)| packed(digest))
                {
                    return Err(too_late(digest).into());
                }
                self.counted(documents.last().map(|root| root.digest), named).await
            }
            ArchiveImage::Docker(image) => {
                let config = Digest::of(Algorithm::Sha256, &image.config);
                let mut blobs = vec![(config, image.config.len() as u64)];
                let mut unknown = Preview::default();
                for (diff_id, path) in &image.layers {
                    let (size, packed) = found(path).unwrap_or_default();
                    let memory = options.memory.as_ref();
                    match memory.and_then(|memory| memory.blob(diff_id, options.compression())) {
                        _ if packed => unknown.count(size, false),
                        Some(blob) => blobs.push((blob.digest, blob.size)),
                        None => {
                            unknown.layers_to_pack += 1;
                            unknown.bytes_unpacked = unknown.bytes_unpacked.saturating_add(size);
                        }
                    }
                }
                let counted = self.counted(None, blobs).await?;
                Ok(Preview {
                    blobs: counted.blobs + unknown.blobs,
                    bytes: counted.bytes.saturating_add(unknown.bytes),
                    layers_to_pack: unknown.layers_to_pack,
                    bytes_unpacked: unknown.bytes_unpacked,
                    ..counted
                })
            }
        }
    }

    /// What a pull into a layout would fetch; with `None`, a pull into an engine or an archive, which fetches everything.
    ///
    /// # Errors
    /// The registry refused, or a manifest cannot be read.
    pub async fn preview_pull(
        &self,
        reference: &Reference,
        folder: Option<&Path>,
        options: &PullOptions,
    ) -> Result<Preview, TransferError> {
        let root: Document = if options.platform.is_some() || folder.is_none() {
            self.one_platform(reference, options).await?
        } else {
            self.remote.pull_manifest(&self.repository, reference).await?.into()
        };
        let (_, blobs) = self.gather(&root).await?;
        let layout = folder.map(LayoutFolder::at);
        let mut preview = Preview { digest: Some(root.digest), ..Preview::default() };
        for blob in blobs {
            preview
                .count(blob.size, layout.as_ref().is_some_and(|layout| layout.has(&blob.digest, blob.size)));
        }
        Ok(preview)
    }

    /// What a copy would send.
    ///
    /// # Errors
    /// One of the registries refused, or a manifest cannot be read.
    pub async fn preview_copy(
        &self,
        reference: &Reference,
        to: &Self,
        options: &CopyOptions,
    ) -> Result<Preview, TransferError> {
        let (root, blobs) = self.copied(reference, options).await?;
        to.counted(Some(root), blobs).await
    }

    /// Asks for each blob whether it is there.
    async fn counted(
        &self,
        digest: Option<Digest>,
        blobs: Vec<(Digest, u64)>,
    ) -> Result<Preview, TransferError> {
        let mut met = HashSet::new();
        let once = blobs.into_iter().filter(|(digest, _)| met.insert(*digest)).collect::<Vec<_>>();
        let asked = once.into_iter().map(|(digest, size)| async move {
            let there = self.remote.has_blob(&self.repository, &digest).await?;
            Ok::<_, RemoteError>((size, there))
        });
        let found: Vec<(u64, bool)> = stream::iter(asked).buffered(super::AT_ONCE).try_collect().await?;
        let mut preview = Preview { digest, ..Preview::default() };
        for (size, there) in found {
            preview.count(size, there);
        }
        Ok(preview)
    }
}
