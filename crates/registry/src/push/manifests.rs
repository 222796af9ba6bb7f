//! Pushing manifests (end-7). The manifest, its reference rows, its tags and the repository that
//! appears with it are one transaction; so is the check that every part it names is here.

use std::sync::Arc;

use bytes::Bytes;
use hythe_oci::{Descriptor, Digest, Manifest, ManifestKind, MediaType, Reference, Tag};
use hythe_store::Reader;
use hythe_store::records::manifests::{NewManifest, StoredManifest};
use hythe_store::records::repositories::RepositoryId;

use super::uploads::Target;
use crate::access::{Permit, Push};
use crate::parts::{Reach, Stopped, follow};
use crate::walks::Turn;
use crate::{Error, Registry};

/// A manifest as a client pushes it.
#[derive(Clone, Debug)]
pub struct ManifestPush {
    /// The tag or digest of the request's path.
    pub reference: Reference,
    /// More tags to set, from `?tag=`.
    pub tags: Vec<Tag>,
    /// The request's content type, without parameters.
    pub content_type: Option<MediaType>,
    /// The exact bytes.
    pub bytes: Bytes,
}

impl ManifestPush {
    /// What it holds, and its digest.
    fn read(self) -> Result<(Self, Manifest, Digest), Error> {
        let manifest = Manifest::parse(self.content_type.as_ref(), &self.bytes)?;
        let digest = match &self.reference {
            Reference::Digest(expected) => {
                let actual = Digest::of(expected.algorithm(), &self.bytes);
                if actual != *expected {
                    return Err(Error::DigestMismatch { expected: *expected, actual });
                }
                actual
            }
            Reference::Tag(_) => Digest::of(hythe_oci::Algorithm::Sha256, &self.bytes),
        };
        Ok((self, manifest, digest))
    }
}

/// What a manifest push did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest it is stored under.
    pub digest: Digest,
    /// Its subject, which the answer names.
    pub subject: Option<Digest>,
    /// The tags from `?tag=` that were set.
    pub tags: Vec<Tag>,
}

impl Registry {
    /// Stores a manifest and sets its tags.
    pub async fn put_manifest(
        &self,
        permit: &Permit<Push>,
        push: ManifestPush,
    ) -> Result<PushedManifest, Error> {
        let (push, manifest, digest) = self.pushes().work(push.bytes.len(), move || push.read()).await??;
        let mut tags = push.tags.clone();
        if let Reference::Tag(tag) = &push.reference {
            tags.push(tag.clone());
        }
        let parts = Parts::of(&manifest);
        let subject = manifest.subject.as_ref().map(|subject| subject.digest);
        let references = parts.all();
        let content = match manifest.kind {
            ManifestKind::Image => None,
            ManifestKind::Index => Some(self.weigh(permit, digest, parts.clone(), references.clone()).await?),
        };
        let new = NewManifest {
            stored: StoredManifest {
                digest,
                media_type: manifest.media_type.clone(),
                bytes: Arc::from(&push.bytes[..]),
            },
            subject,
            artifact_type: manifest.referrer_type().map(ToOwned::to_owned),
            annotations: match subject {
                Some(_) if !manifest.annotations.is_empty() => Some(annotations(&manifest)?),
                _ => None,
            },
            references,
            content,
        };
        let now = self.now();
        let target = Target::of(permit);
        let name = permit.repository().clone();
        self.records()
            .write(move |w| {
                let repository = target.ensure(w, now)?;
                let missing = parts.missing(w, repository)?;
                if !missing.is_empty() {
                    return Err(Error::ManifestBlobUnknown { repository: name.clone(), missing });
                }
                w.put_manifest(repository, &new, now)?;
                w.end_announcement(&name, &digest)?;
                for tag in &tags {
                    w.set_tag(repository, tag, &digest, now)?;
                }
                Ok(())
            })
            .await?;
        Ok(PushedManifest { digest, subject, tags: push.tags })
    }

    /// The bytes of all blobs below an index. Its children are followed here, before the write, because all writes wait
    /// for one another; what is not here yet is refused here, so that nothing is left out of the sum.
    async fn weigh(
        &self,
        permit: &Permit<Push>,
        index: Digest,
        parts: Parts,
        references: Vec<Digest>,
    ) -> Result<u64, Error> {
        let weighed = match self.weigh_within(permit, index, parts.clone(), references.clone(), None).await {
            Err(Stopped::Beyond(_)) => {
                let turn = self.pushes().turn().await?;
                self.weigh_within(permit, index, parts, references, Some(turn)).await
            }
            weighed => weighed,
        };
        weighed.map_err(Stopped::into_error)
    }

    /// Weighs as far as it goes in a turn, and shortly without one.
    async fn weigh_within(
        &self,
        permit: &Permit<Push>,
        index: Digest,
        parts: Parts,
        references: Vec<Digest>,
        turn: Option<Turn>,
    ) -> Result<u64, Stopped> {
        let reach = if turn.is_some() { Reach::FULL } else { Reach::SHORT };
        let name = permit.repository().clone();
        let weighed = self.records().read(move |r| {
            let _turn = turn;
            let Some(repository) = r.repository(&name)?.map(|row| row.id) else {
                // An index of nothing may be the first thing in its repository.
                if references.is_empty() {
                    return Ok(0);
                }
                return Err(Error::ManifestBlobUnknown { repository: name, missing: references }.into());
            };
            let missing = parts.missing(r, repository)?;
            if !missing.is_empty() {
                return Err(Error::ManifestBlobUnknown { repository: name, missing }.into());
            }
            Ok(follow(r, repository, index, references, reach)?.content())
        });
        weighed.await
    }
}

fn annotations(manifest: &Manifest) -> Result<String, Error> {
    serde_json::to_string(&manifest.annotations).map_err(|error| Error::Internal(Box::new(error)))
}

/// What must be in the repository before the manifest may be.
#[derive(Clone)]
struct Parts {
    blobs: Vec<(Digest, u64)>,
    children: Vec<Digest>,
    /// Non-distributable layers: kept alive if here, never demanded.
    optional: Vec<Digest>,
}

impl Parts {
    fn of(manifest: &Manifest) -> Self {
        let (optional, layers): (Vec<&Descriptor>, Vec<&Descriptor>) =
            manifest.layers.iter().partition(|layer| layer.is_nondistributable());
        let demanded = manifest.config.iter().chain(layers);
        Self {
            blobs: demanded.map(|part| (part.digest, part.size)).collect(),
            children: match manifest.kind {
                ManifestKind::Index => manifest.children.iter().map(|child| child.digest).collect(),
                ManifestKind::Image => Vec::new(),
            },
            optional: optional.into_iter().map(|layer| layer.digest).collect(),
        }
    }

    fn all(&self) -> Vec<Digest> {
        let blobs = self.blobs.iter().map(|(digest, _)| *digest);
        let mut all: Vec<Digest> =
            blobs.chain(self.children.iter().copied()).chain(self.optional.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    fn missing(&self, r: &Reader<'_>, repository: RepositoryId) -> Result<Vec<Digest>, Error> {
        let mut missing = Vec::new();
        for (digest, size) in &self.blobs {
            match r.linked_blob(repository, digest)? {
                Some(stored) if stored == *size => {}
                Some(stored) => {
                    return Err(Error::ManifestConflict(format!(
                        "The manifest says that {digest} has {size} bytes, but the pushed blob has {stored}: correct its descriptor."
                    )));
                }
                None => missing.push(*digest),
            }
        }
        for digest in &self.children {
            // BuildKit's cache lists blobs in an index, so a child may be either.
            if !r.has_manifest(repository, digest)? && r.linked_blob(repository, digest)?.is_none() {
                missing.push(*digest);
            }
        }
        missing.sort_unstable();
        missing.dedup();
        Ok(missing)
    }
}
