//! Fetching what is told of an image.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Manifest, ManifestKind, MediaType, Reference, media_type};
use hythe_remote::RemoteError;

use super::{ImageInfo, MOST_MEASURED, PlatformImage, PlatformInfo, configuration, layers, referrers};
use crate::source::{DOCUMENT_BYTES, Document, Platform, SourceError};
use crate::transfer::{Target, TransferError};

/// How deep an index may lie in another one.
const DEEPEST: usize = 4;

impl Target {
    /// What an image is. Of an index, the platform asked for is looked at closely, else this machine's, else its first.
    ///
    /// # Errors
    /// The registry refused, a manifest or the configuration cannot be read, or the image has nothing for the platform
    /// asked for.
    pub async fn info(
        &self,
        reference: &Reference,
        platform: Option<&Platform>,
    ) -> Result<ImageInfo, TransferError> {
        let root: Document = self.remote().pull_manifest(self.repository(), reference).await?.into();
        let manifest = parse(&root)?;
        let mut info = ImageInfo {
            digest: root.digest,
            media_type: root.media_type.to_string(),
            artifact_type: manifest.artifact_type.clone(),
            annotations: manifest.annotations.clone(),
            platforms: Vec::new(),
            image: None,
            referrers: Vec::new(),
        };
        let (chosen, described) = match manifest.kind {
            ManifestKind::Image => (Some(root.clone()), None),
            ManifestKind::Index => {
                info.platforms = self.platforms(&manifest.children).await?;
                info.referrers = referrers::in_index(&manifest.children);
                self.closely(&manifest, platform).await?
            }
        };
        let mut subjects = vec![root.digest];
        if let Some(document) = chosen {
            let image = self.one(&document, described).await?;
            if manifest.kind == ManifestKind::Image {
                let (platform, size) = (image.platform.clone(), Some(image.size));
                info.platforms = vec![PlatformInfo { platform, digest: image.digest, size }];
            }
            if !subjects.contains(&image.digest) {
                subjects.push(image.digest);
            }
            info.image = Some(image);
        }
        info.referrers.splice(0..0, referrers::of(self, &subjects).await?);
        Ok(info)
    }

    /// The entries of an index that run somewhere.
    async fn platforms(&self, children: &[Descriptor]) -> Result<Vec<PlatformInfo>, TransferError> {
        let running = children.iter().filter_map(|child| Some((Platform::of(child)?, child.clone())));
        let running: Vec<_> = running.enumerate().collect();
        let measured = stream::iter(running).map(|(at, (platform, child))| async move {
            let image = child.essence().is_some_and(|kind| kind.is_image());
            let size = if image && at < MOST_MEASURED { Some(self.measured(&child).await?) } else { None };
            Ok::<_, TransferError>(PlatformInfo { platform: Some(platform), digest: child.digest, size })
        });
        measured.buffered(crate::transfer::AT_ONCE).try_collect().await
    }

    async fn measured(&self, child: &Descriptor) -> Result<u64, TransferError> {
        let reference = Reference::Digest(child.digest);
        let document = self.remote().pull_manifest(self.repository(), &reference).await?.into();
        Ok(size(&parse(&document)?))
    }

    /// The platform to look at, and what the index calls it.
    async fn closely(
        &self,
        index: &Manifest,
        platform: Option<&Platform>,
    ) -> Result<(Option<Document>, Option<String>), TransferError> {
        let mut index = index.clone();
        for _ in 0..DEEPEST {
            let child = match platform {
                Some(platform) => Some(crate::transfer::chosen(platform, &index)?),
                None => Platform::here()
                    .choose(&index.children)
                    .or_else(|| index.children.iter().find(|child| Platform::of(child).is_some())),
            };
            let Some(child) = child else { return Ok((None, None)) };
            let described = Platform::of(child);
            let reference = Reference::Digest(child.digest);
            let document: Document = self.remote().pull_manifest(self.repository(), &reference).await?.into();
            let manifest = parse(&document)?;
            if manifest.kind == ManifestKind::Image {
                return Ok((Some(document), described));
            }
            index = manifest;
        }
        Err(TransferError::Invalid(format!("The image is an index in an index, more than {DEEPEST} deep.")))
    }

    async fn one(
        &self,
        document: &Document,
        described: Option<String>,
    ) -> Result<PlatformImage, TransferError> {
        let manifest = parse(document)?;
        let is_container = |config: &&Descriptor| config.essence().as_ref().is_some_and(is_container);
        let read = match manifest.config.as_ref().filter(is_container) {
            Some(config) => Some(self.configuration(config).await?),
            None => None,
        };
        let diff_ids = read.as_ref().map(configuration::Document::diff_ids).unwrap_or_default();
        let layers = layers::layers(&manifest.layers, diff_ids);
        let platform = read.as_ref().and_then(configuration::Document::platform).or(described);
        let (history, config) = match read {
            Some(mut read) => {
                (layers::history(std::mem::take(&mut read.history), &layers), Some(read.told()))
            }
            None => (Vec::new(), None),
        };
        Ok(PlatformImage {
            platform,
            digest: document.digest,
            size: size(&manifest),
            config_digest: manifest.config.as_ref().map(|config| config.digest),
            config,
            history,
            layers,
        })
    }

    async fn configuration(&self, config: &Descriptor) -> Result<configuration::Document, TransferError> {
        let unusable =
            |problem: String| TransferError::Source(SourceError::Content { digest: config.digest, problem });
        if config.size > DOCUMENT_BYTES {
            let problem =
                format!("a configuration of {} bytes; at most {DOCUMENT_BYTES} are read", config.size);
            return Err(unusable(problem));
        }
        let download = self.remote().pull_blob(self.repository(), &config.digest, Some(config.size)).await?;
        let pieces: Vec<bytes::Bytes> =
            download.into_stream().try_collect().await.map_err(|error: RemoteError| error)?;
        configuration::Document::parse(&pieces.concat())
            .map_err(|error| unusable(format!("no configuration of an image: {error}")))
    }
}

fn parse(document: &Document) -> Result<Manifest, TransferError> {
    Ok(crate::transfer::parse(document)?)
}

fn is_container(kind: &MediaType) -> bool {
    matches!(kind.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
}

/// The bytes of configuration and layers.
fn size(manifest: &Manifest) -> u64 {
    manifest.required_blobs().fold(0, |sum, blob| sum.saturating_add(blob.size))
}
