//! Blobs: asking for them, and naming them (distribution specification end-2).

use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hythe_oci::{Digest, RepositoryName, Route};
use hythe_outbound::{HeaderName, Method, Request, Response, StatusCode, Url};

use crate::scope::{Access, scope};
use crate::{Remote, RemoteError};

/// The pieces in which [`chunks`] hands out bytes: large enough to be cheap, small enough for a
/// progress bar to move.
const CHUNK: usize = 256 * 1024;

pub(crate) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

impl Remote {
    /// Whether `repository` holds the blob.
    ///
    /// # Errors
    /// The registry did not say yes or no.
    pub async fn has_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, RemoteError> {
        let url = self.blob_url(repository, digest)?;
        // Asked with the rights of the push that usually follows: one token serves both.
        let scope = scope(repository, Access::Push);
        let response = self.send(&scope, || Request::new(Method::HEAD, url.clone())).await?;
        match response.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
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

    pub(crate) fn blob_url(&self, repository: &RepositoryName, digest: &Digest) -> Result<Url, RemoteError> {
        self.url(&Route::Blob { name: repository.clone(), digest: *digest }.path())
    }
}

/// Bytes in memory as a stream of pieces, for [`Remote::push_blob`].
pub fn chunks(bytes: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(bytes, |mut rest| async move {
        let chunk = rest.split_to(rest.len().min(CHUNK));
        (!chunk.is_empty()).then_some((Ok(chunk), rest))
    })
}
