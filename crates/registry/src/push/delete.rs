//! Deleting tags, manifests and blobs (end-9, end-10). What another manifest still needs is
//! refused, so that no delete breaks an image.

use hythe_oci::{Digest, Tag};
use hythe_store::records::repositories::RepositoryId;

use crate::access::{Delete, Permit};
use crate::{Error, Registry};

impl Registry {
    /// Deletes a tag; its manifest stays.
    pub async fn delete_tag(&self, permit: &Permit<Delete>, tag: &Tag) -> Result<(), Error> {
        let repository = self.existing(permit).await?;
        let now = self.now();
        let wanted = tag.clone();
        let gone = self.records().write(move |w| w.delete_tag(repository, &wanted, now)).await?;
        if gone { Ok(()) } else { Err(unknown(permit, tag.as_str())) }
    }

    /// Deletes a manifest and every tag on it. Answers the tags that went with it.
    pub async fn delete_manifest(&self, permit: &Permit<Delete>, digest: Digest) -> Result<Vec<Tag>, Error> {
        let repository = self.existing(permit).await?;
        let now = self.now();
        let name = permit.repository().clone();
        let outcome = self
            .records()
            .write(move |w| {
                if let Some(used_by) = w.referrer_of(repository, &digest)? {
                    return Err(Error::InUse { repository: name.clone(), digest, used_by });
                }
                let tags = w.tags_of(repository, &digest)?;
                Ok(w.delete_manifest(repository, &digest, now)?.then_some(tags))
            })
            .await?;
        outcome.ok_or_else(|| unknown(permit, &digest.to_string()))
    }

    /// Takes a blob from the repository.
    pub async fn delete_blob(&self, permit: &Permit<Delete>, digest: Digest) -> Result<(), Error> {
        let name = permit.repository().clone();
        let (repository, now) = (self.existing(permit).await?, self.now());
        let gone = self
            .records()
            .write(move |w| {
                if let Some(used_by) = w.referrer_of(repository, &digest)? {
                    return Err(Error::InUse { repository: name.clone(), digest, used_by });
                }
                Ok(w.unlink(repository, &digest, now)?)
            })
            .await?;
        if gone {
            Ok(())
        } else {
            Err(Error::BlobUnknown { repository: permit.repository().clone(), digest })
        }
    }

    async fn existing(&self, permit: &Permit<Delete>) -> Result<RepositoryId, Error> {
        self.repository_id(permit.repository())
            .await?
            .ok_or_else(|| Error::NameUnknown(permit.repository().clone()))
    }
}

fn unknown(permit: &Permit<Delete>, reference: &str) -> Error {
    Error::ManifestUnknown { repository: permit.repository().clone(), reference: reference.to_owned() }
}
