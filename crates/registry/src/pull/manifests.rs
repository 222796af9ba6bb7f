//! Manifests by tag or digest, from memory when nothing changed.

use hythe_oci::{Digest, Reference, Tag};
use hythe_store::records::manifests::{StoredManifest, manifest_topic};
use hythe_store::records::repositories::RepositoryId;
use hythe_store::records::tags::tag_topic;

use crate::access::{Permit, Pull};
use crate::{Error, Registry};

impl Registry {
    /// The manifest that a tag or digest names (end-3).
    pub async fn manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<StoredManifest, Error> {
        let unknown = || Error::ManifestUnknown {
            repository: permit.repository().clone(),
            reference: reference.to_string(),
        };
        let repository = self.repository_id(permit.repository()).await?.ok_or_else(unknown)?;
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(tag) => self.tagged(repository, tag).await?.ok_or_else(unknown)?,
        };
        self.manifest_by_digest(repository, digest).await?.ok_or_else(unknown)
    }

    /// The same for HEAD: where untagged manifests expire, the answer is leased, for a client may
    /// now skip pushing this manifest and push an index or tag that needs it.
    pub async fn stat_manifest(
        &self,
        permit: &Permit<Pull>,
        reference: &Reference,
    ) -> Result<StoredManifest, Error> {
        let found = self.manifest(permit, reference).await?;
        if !permit.expires_untagged() {
            return Ok(found);
        }
        self.lease(found.digest).await?;
        self.manifest(permit, reference).await
    }

    async fn tagged(&self, repository: RepositoryId, tag: &Tag) -> Result<Option<Digest>, Error> {
        let wanted = tag.clone();
        self.caches()
            .tags
            .get(&(repository, tag.clone()), &[tag_topic(repository, tag)], move |r| {
                Ok::<_, Error>(r.tag(repository, &wanted)?)
            })
            .await
    }

    pub(super) async fn manifest_by_digest(
        &self,
        repository: RepositoryId,
        digest: Digest,
    ) -> Result<Option<StoredManifest>, Error> {
        self.caches()
            .manifests
            .get(&(repository, digest), &[manifest_topic(repository, &digest)], move |r| {
                Ok::<_, Error>(r.manifest(repository, &digest)?)
            })
            .await
    }
}
