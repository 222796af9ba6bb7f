//! Blobs: ask, pull, remove (distribution specification end-2, end-10). How they are pushed is in
//! [`crate::upload`].

mod download;
mod transfer;

use hythe_oci::{Digest, RepositoryName, Route};
use hythe_outbound::{HeaderName, Method, Request, Response, StatusCode, Url};

pub use self::download::{BlobDownload, BlobPart, RangedPull};
pub(crate) use self::transfer::USEFUL;
use crate::delete::Target;
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError};

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A blob that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlobStat {
    /// Its size in bytes, where the registry says it.
    pub size: Option<u64>,
}

impl Remote {
    /// Whether `repository` holds the blob, asked by somebody who would push it otherwise.
    ///
    /// # Errors
    /// The registry did not say yes or no.
    pub async fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, RemoteError> {
        // Asked with the rights of the push that usually follows: one token serves both.
        Ok(self.head_blob(repository, digest, Access::Push).await?.is_some())
    }

    /// Whether `repository` holds the blob, and its size, asked by somebody who only reads.
    ///
    /// # Errors
    /// The registry did not say yes or no.
    pub async fn stat_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobStat>, RemoteError> {
        self.head_blob(repository, digest, Access::Pull).await
    }

    /// Removes a blob. Registries that collect garbage by themselves do not offer this.
    ///
    /// # Errors
    /// It is not there, the registry refused, or does not offer this ([`RemoteError::Unsupported`]).
    pub async fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<(), RemoteError> {
        let url = self.blob_url(repository, digest)?;
        self.delete(repository, Target::Blob, &url, &digest.to_string()).await
    }

    async fn head_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        access: Access,
    ) -> Result<Option<BlobStat>, RemoteError> {
        let url = self.blob_url(repository, digest)?;
        let mut attempts = self.attempts(format_args!("look for blob {digest} in {repository}"));
        let scope = Scope::of(repository, access);
        let response = self.send(&mut attempts, &scope, &url, |url| Request::new(Method::HEAD, url)).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(BlobStat { size: response.content_length() })),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response).await),
        }
    }

    /// The registry's own word for what it stored must be ours.
    pub(crate) fn confirm_digest(&self, response: &Response, expected: &Digest) -> Result<(), RemoteError> {
        let Some(text) = response.header(&CONTENT_DIGEST) else { return Ok(()) };
        let received: Digest = text
            .parse()
            .map_err(|error| self.protocol(format!("Docker-Content-Digest is not a digest: {error}")))?;
        // A registry may answer in another algorithm than it was asked in; that is no contradiction.
        if received.algorithm() == expected.algorithm() && received != *expected {
            let registry = self.origin().to_string();
            return Err(RemoteError::WrongDigest { registry, expected: *expected, received });
        }
        Ok(())
    }

    fn blob_url(&self, repository: &RepositoryName, digest: &Digest) -> Result<Url, RemoteError> {
        self.url(&Route::Blob { name: repository.clone(), digest: *digest }.path())
    }
}
