//! From a reference to what it names, without fetching it where the registry allows that.

use hythe_oci::{Digest, MediaType, Reference, RepositoryName, limits};
use hythe_outbound::{Method, Response, StatusCode};

use super::{accepting, announced_digest, announced_type};
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError};

/// What a reference names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedManifest {
    /// What it is.
    pub media_type: MediaType,
    /// Its digest; the one asked for, if a digest was.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Remote {
    /// Asks what a tag or digest names: by `HEAD`, and by `GET` where the answer to that is a refusal (which
    /// has no words), lacks a header or contradicts the digest asked for.
    ///
    /// By tag the registry's word for the digest is taken; the manifest itself is held against it when it is
    /// pulled by that digest.
    ///
    /// # Errors
    /// As [`Remote::pull_manifest`].
    pub async fn resolve(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<ResolvedManifest, RemoteError> {
        let url = self.manifest_url(repository, reference)?;
        let mut attempts = self.attempts(format_args!("resolve {repository} {reference}"));
        let scope = Scope::of(repository, Access::Pull);
        let response = self.send(&mut attempts, &scope, &url, |url| accepting(Method::HEAD, url)).await?;
        if let Some(resolved) = believable(&response, reference) {
            return Ok(resolved);
        }
        let pulled = self.pull_manifest(repository, reference).await?;
        let size = pulled.bytes.len() as u64;
        Ok(ResolvedManifest { media_type: pulled.media_type, digest: pulled.digest, size })
    }
}

/// What the head says, if it says all of it and nothing impossible.
fn believable(response: &Response, reference: &Reference) -> Option<ResolvedManifest> {
    if response.status() != StatusCode::OK {
        return None;
    }
    let media_type = announced_type(response.headers()).filter(|kind| kind.is_image() || kind.is_index())?;
    let digest = announced_digest(response.headers())?;
    // Registries behind a proxy say 0 where they do not know.
    let size = response.content_length().filter(|size| (1..=limits::MANIFEST_BYTES as u64).contains(size))?;
    match reference {
        Reference::Digest(asked) if *asked != digest => None,
        _ => Some(ResolvedManifest { media_type, digest, size }),
    }
}
