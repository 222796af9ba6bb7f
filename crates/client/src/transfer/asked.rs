//! What is asked of an image at a registry: its size, its names.

use std::collections::{BTreeMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_api::Image;
use hythe_oci::{Descriptor, Digest, ManifestKind, Reference, Tag};
use hythe_remote::{RemoteError, ResolvedManifest};
use serde::Serialize;

use super::push_layout::parse;
use super::{Target, TransferError};
use crate::source::{Document, Platform};

/// The size of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ImageSize {
    /// Its manifest or index.
    pub digest: Digest,
    /// The bytes of configurations and layers, each blob counted once: what it takes at a registry.
    pub bytes: u64,
    /// What a pull of each platform takes; one entry for an image of one platform.
    pub platforms: Vec<PlatformSize>,
}

/// The size of one platform's image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlatformSize {
    /// What it runs on; `None` when nobody said so.
    pub platform: Option<String>,
    /// Its manifest.
    pub digest: Digest,
    /// The bytes of its configuration and layers.
    pub bytes: u64,
}

impl Target {
    /// The size of an image, for each platform and in all. Attestations in an index count in all, and are no platform.
    ///
    /// # Errors
    /// The registry refused, or a manifest cannot be read.
    pub async fn size(&self, reference: &Reference) -> Result<ImageSize, TransferError> {
        let root: Document = self.remote.pull_manifest(&self.repository, reference).await?.into();
        let manifest = parse(&root)?;
        let mut met = HashSet::new();
        let mut size = ImageSize { digest: root.digest, bytes: 0, platforms: Vec::new() };
        let mut count = |document: &Document| {
            let mut own = 0_u64;
            for blob in parse(document)?.required_blobs() {
                // What a manifest says of sizes is anybody's word.
                own = own.saturating_add(blob.size);
                if met.insert(blob.digest) {
                    size.bytes = size.bytes.saturating_add(blob.size);
                }
            }
            Ok::<u64, TransferError>(own)
        };
        if manifest.kind == ManifestKind::Image {
            let bytes = count(&root)?;
            size.platforms.push(PlatformSize { platform: None, digest: root.digest, bytes });
            return Ok(size);
        }
        let is_image = |child: &Descriptor| child.essence().is_some_and(|kind| kind.is_image());
        let children: Vec<_> = manifest.children.into_iter().filter(is_image).collect();
        let mut pulled = stream::iter(children)
            .map(|child| async move {
                let reference = Reference::Digest(child.digest);
                let document = self.remote.pull_manifest(&self.repository, &reference).await?;
                Ok::<(_, Document), RemoteError>((Platform::of(&child), document.into()))
            })
            .buffered(super::AT_ONCE);
        while let Some((platform, document)) = pulled.try_next().await? {
            let bytes = count(&document)?;
            if platform.is_some() {
                size.platforms.push(PlatformSize { platform, digest: document.digest, bytes });
            }
        }
        Ok(size)
    }

    /// All tags of an image: one request at a Hythe for a thousand tags, one for each tag at another registry.
    ///
    /// # Errors
    /// The registry refused.
    pub async fn tags_of(&self, digest: &Digest) -> Result<Vec<Tag>, RemoteError> {
        let tagged = self.tagged().await?;
        Ok(tagged.into_iter().filter(|(_, named)| named == digest).map(|(tag, _)| tag).collect())
    }

    /// All tags of the repository and what they name: one request at a Hythe for a thousand tags, one for each tag at
    /// another registry.
    ///
    /// # Errors
    /// The registry refused.
    pub async fn tagged(&self) -> Result<BTreeMap<Tag, Digest>, RemoteError> {
        let named = self.named_manifests().await?;
        Ok(named.into_iter().map(|(tag, named)| (tag, named.digest)).collect())
    }

    /// The same, and whether it is an index.
    pub(crate) async fn named_manifests(&self) -> Result<BTreeMap<Tag, Named>, RemoteError> {
        if let Some(api) = &self.api
            && let Ok(images) = api.images_of(&self.repository)
            && let Ok(images) = images.all().await
        {
            let named = |image: Image| {
                (image.tag, Named { digest: image.digest, is_index: image.media_type.is_index() })
            };
            return Ok(images.into_iter().map(named).collect());
        }
        let tags: Vec<Tag> = self.remote.tags(&self.repository)?.into_stream().try_collect().await?;
        let named = stream::iter(tags).map(|tag| async move {
            let reference = Reference::Tag(tag.clone());
            match self.remote.resolve(&self.repository, &reference).await {
                Ok(found) => Ok(Some((tag, Named::from(found)))),
                // Deleted meanwhile.
                Err(error) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        });
        let named: Vec<Option<(Tag, Named)>> = named.buffered(super::AT_ONCE).try_collect().await?;
        Ok(named.into_iter().flatten().collect())
    }
}

/// What a tag names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) digest: Digest,
    pub(crate) is_index: bool,
}

impl From<ResolvedManifest> for Named {
    fn from(found: ResolvedManifest) -> Self {
        Self { digest: found.digest, is_index: found.media_type.is_index() }
    }
}
