//! What is asked of an image in a registry, and its removal.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Reference};

use super::Images;
use crate::ClientError;
use crate::image::{RemoteImage, Tag};
use crate::transfer::{ImageSize, TransferError};

impl Images {
    /// The digest of an image's manifest or index.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when there is no such image, or it must look so.
    pub async fn digest(&self, image: &RemoteImage) -> Result<Digest, ClientError> {
        let target = self.target(image).await?;
        Ok(target.remote().resolve(target.repository(), &image.reference()).await?.digest)
    }

    /// The size of an image: for each of its platforms, and the distinct bytes of them all.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when there is no such image, or it must look so.
    pub async fn size(&self, image: &RemoteImage) -> Result<ImageSize, ClientError> {
        Ok(self.target(image).await?.size(&image.reference()).await?)
    }

    /// The tag of an image (`latest` if none is written) and the distinct bytes behind it.
    ///
    /// # Errors
    /// [`ClientError::NoTag`] for an image that a digest alone names; [`ClientError::is_not_found`] when there is no such
    /// image.
    pub async fn tag_info(&self, image: &RemoteImage) -> Result<Tag, ClientError> {
        let name = match (image.tag().cloned(), image.reference()) {
            (Some(tag), _) | (None, Reference::Tag(tag)) => tag,
            (None, Reference::Digest(_)) => return Err(ClientError::NoTag { image: image.to_string() }),
        };
        let size = self.size(image).await?;
        Ok(Tag { name, size: Some(size.bytes) })
    }

    /// The images of a repository, one for each tag, in the registry's order. The tag of `image` does not matter.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when there is no such repository.
    pub async fn tags(&self, image: &RemoteImage) -> Result<Vec<RemoteImage>, ClientError> {
        let target = self.target(image).await?;
        let tags = target.remote().tags(target.repository())?.into_stream();
        let tagged = tags.map_ok(|tag| image.clone().with_tag(tag));
        Ok(tagged.try_collect().await?)
    }

    /// The tags of a repository with the distinct bytes behind each: one request for a thousand tags at a Hythe, and at
    /// another registry one or more for each tag. A tag that goes meanwhile is left out.
    ///
    /// # Errors
    /// [`ClientError::is_not_found`] when there is no such repository.
    pub async fn tags_with_sizes(&self, image: &RemoteImage) -> Result<Vec<Tag>, ClientError> {
        let door = self.door(image.registry(), Some(image.repository())).await?;
        if let Some(api) = &door.api {
            let images = api.images_of(image.repository())?.all().await?;
            return Ok(images
                .into_iter()
                .map(|image| Tag { name: image.tag, size: Some(image.size) })
                .collect());
        }
        let target = self.target(image).await?;
        let names: Vec<hythe_oci::Tag> =
            target.remote().tags(target.repository())?.into_stream().try_collect().await?;
        let target = &target;
        let sized = stream::iter(names).map(|name| async move {
            match target.size(&Reference::Tag(name.clone())).await {
                Ok(size) => Ok(Some(Tag { name, size: Some(size.bytes) })),
                Err(TransferError::Remote(error)) if error.is_not_found() => Ok(None),
                Err(error) => Err(error),
            }
        });
        let sized: Vec<Option<Tag>> = sized.buffered(crate::transfer::AT_ONCE).try_collect().await?;
        Ok(sized.into_iter().flatten().collect())
    }

    /// Removes an image with all its tags. `digest` must be the one that `image` names now, so that nobody removes what
    /// was pushed under the name in the meantime.
    ///
    /// # Errors
    /// [`ClientError::OtherDigest`], and nothing is removed; [`ClientError::is_not_found`] when there is no such image;
    /// the registry does not let it go.
    pub async fn rm(&self, image: &RemoteImage, digest: &Digest) -> Result<(), ClientError> {
        let found = self.digest(image).await?;
        if found != *digest {
            return Err(ClientError::OtherDigest { image: image.to_string(), asked: *digest, found });
        }
        let target = self.target(image).await?;
        Ok(target.remote().delete_manifest(target.repository(), digest).await?)
    }
}
