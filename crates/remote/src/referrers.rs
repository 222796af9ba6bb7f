//! What refers to a manifest: signatures, bills of materials (distribution specification, "Listing
//! Referrers").
//!
//! Invariant: the answer is filtered by the type asked for, whether or not the registry did so, and is the
//! same for registries with the API and for those where clients keep a list under a tag.

use std::collections::HashSet;

use hythe_oci::{
    Descriptor, Digest, Manifest, ManifestKind, MediaType, Reference, RepositoryName, Route, media_type,
};
use hythe_outbound::{HeaderValue, Method, Request, header};

use crate::pages::following;
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError};

/// No page is larger, in bytes.
const MAX_PAGE: usize = hythe_oci::limits::MANIFEST_BYTES;

/// No manifest has more referrers than this; the rest is an error, not left out.
const MAX_REFERRERS: usize = hythe_oci::limits::DESCRIPTORS;

/// What refers to a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrers {
    /// The manifests that name the subject, in the registry's order.
    pub descriptors: Vec<Descriptor>,
    /// Where the list comes from.
    pub source: ReferrersSource,
}

/// Who keeps the list of referrers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReferrersSource {
    /// The registry itself.
    Registry,
    /// The registry has no referrers API: clients keep an index under the tag `sha256-…`. Whoever pushes a
    /// referrer there adds it to that index.
    Tag,
}

impl Remote {
    /// The manifests whose `subject` is `digest`, of the artifact type asked for or of any. An empty list is
    /// no error, even if the subject or the repository is not there.
    ///
    /// # Errors
    /// The registry refused, or sent something else than an index.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, RemoteError> {
        let (mut descriptors, source) =
            match self.listed_by_registry(repository, digest, artifact_type).await? {
                Some(descriptors) => (descriptors, ReferrersSource::Registry),
                None => (self.listed_under_tag(repository, digest).await?, ReferrersSource::Tag),
            };
        // `OCI-Filters-Applied` says whether this was done; to do it again costs less than to believe it.
        if let Some(wanted) = artifact_type {
            descriptors.retain(|descriptor| descriptor.artifact_type.as_deref() == Some(wanted));
        }
        Ok(Referrers { descriptors, source })
    }

    /// `None` when the registry has no such API.
    async fn listed_by_registry(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, RemoteError> {
        let mut url = self.url(&Route::Referrers { name: repository.clone(), digest: *digest }.path())?;
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let scope = Scope::of(repository, Access::Pull);
        let mut attempts = self.attempts(format_args!("list the referrers of {digest}"));
        let (mut found, mut seen, mut next) = (Vec::new(), HashSet::new(), Some(url));
        while let Some(url) = next {
            let asked = self.fetch(&mut attempts, &scope, &url, MAX_PAGE, |url| {
                Request::new(Method::GET, url)
                    .header(header::ACCEPT, HeaderValue::from_static(media_type::OCI_INDEX))
            });
            let page = match asked.await {
                Ok(page) => page,
                // The specification knows 404 alone; routers without the route say other things as well.
                Err(RemoteError::Refused(refusal))
                    if seen.is_empty() && matches!(refusal.status, 400 | 404 | 405 | 406 | 501) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let kind = page.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let is_index =
                kind.and_then(|kind| MediaType::parse(kind).ok()).is_some_and(|kind| kind.is_index());
            // A web page for everything unknown is no referrers API either.
            if !is_index && seen.is_empty() {
                return Ok(None);
            }
            found.extend(self.children(&page.bytes)?);
            if found.len() > MAX_REFERRERS {
                return Err(
                    self.protocol(format!("it lists more than {MAX_REFERRERS} referrers of {digest}"))
                );
            }
            next = following(self, &page.headers, &page.url, &mut seen)?;
        }
        Ok(Some(found))
    }

    async fn listed_under_tag(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Descriptor>, RemoteError> {
        match self.pull_manifest(repository, &Reference::Tag(digest.fallback_tag())).await {
            Ok(index) => self.children(&index.bytes),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn children(&self, bytes: &[u8]) -> Result<Vec<Descriptor>, RemoteError> {
        match Manifest::parse(None, bytes) {
            Ok(index) if index.kind == ManifestKind::Index => Ok(index.children),
            Ok(_) => Err(self.protocol("its list of referrers is an image manifest")),
            Err(error) => Err(self.protocol(format!("its list of referrers cannot be read: {error}"))),
        }
    }
}
