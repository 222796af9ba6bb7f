//! What refers to a manifest: signatures, attestations, software bills (distribution specification end-12).

use hythe_oci::{Descriptor, Digest, Manifest, MediaType, Reference, RepositoryName, Route, media_type};
use hythe_outbound::{HeaderValue, Method, Request, StatusCode, header};

use crate::list::following;
use crate::scope::{Access, scope};
use crate::{Remote, RemoteError};

/// The most bytes of one answer: a list is an index.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// The most referrers that are collected.
const MAX_REFERRERS: usize = 100_000;

impl Remote {
    /// The manifests that refer to `subject`, of one artifact type if one is named. Where the registry has no list, the
    /// one that clients keep under the fallback tag (`sha256-…`) is read.
    ///
    /// # Errors
    /// The registry refused or cannot be understood.
    pub async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, RemoteError> {
        let mut url = self.url(&Route::Referrers { name: repository.clone(), digest: *subject }.path())?;
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let scope = scope(repository, Access::Pull);
        let mut found = Vec::new();
        let mut next = Some(url);
        while let Some(url) = next.take() {
            let build = || {
                let accept = HeaderValue::from_static(media_type::OCI_INDEX);
                Request::new(Method::GET, url.clone()).header(header::ACCEPT, accept)
            };
            let response = self.send(&scope, build).await?;
            match response.status() {
                StatusCode::OK => {}
                // No such list here; some proxies say so in other words.
                StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED
                    if found.is_empty() =>
                {
                    found = self.tagged_referrers(repository, subject).await?;
                    break;
                }
                _ => return Err(self.refusal(response).await),
            }
            next = following(self, &response)?.filter(|next| *next != url);
            let bytes = response.bytes(MAX_PAGE).await?;
            found.extend(self.children(&bytes)?);
            if found.len() > MAX_REFERRERS {
                return Err(self.protocol("its list of referrers has no end"));
            }
        }
        // Not every registry filters, and the fallback never does.
        if let Some(wanted) = artifact_type {
            found.retain(|referrer| referrer.artifact_type.as_deref() == Some(wanted));
        }
        Ok(found)
    }

    async fn tagged_referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, RemoteError> {
        match self.pull_manifest(repository, &Reference::Tag(subject.fallback_tag())).await {
            Ok(index) => self.children(&index.bytes),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn children(&self, index: &[u8]) -> Result<Vec<Descriptor>, RemoteError> {
        let kind = MediaType::parse(media_type::OCI_INDEX).ok();
        let index = Manifest::parse(kind.as_ref(), index)
            .map_err(|error| self.protocol(format!("its list of referrers cannot be read: {error}")))?;
        Ok(index.children)
    }
}
