//! Blobs: ask, push, pull (distribution specification end-2, end-4, end-6).

use std::io;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hythe_oci::{Digest, RepositoryName, Route};
use hythe_outbound::{
    Body, HeaderName, HeaderValue, Method, Origin, Request, Response, StatusCode, Url, header,
};

use crate::scope::{Access, scope};
use crate::verify::Verifier;
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

    /// Uploads a blob in one piece: a POST opens the session, a PUT carries all bytes.
    ///
    /// `content` must yield exactly `size` bytes; it is read as fast as the registry takes it. To
    /// follow the progress, look at the stream as it goes by. The registry checks the digest.
    ///
    /// # Errors
    /// The registry refused, or the transfer broke off; an error of `content` breaks it off.
    pub async fn push_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: u64,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), RemoteError> {
        let scope = scope(repository, Access::Push);
        let start = self.url(&Route::Uploads { name: repository.clone() }.path())?;
        let opened = self.send(&scope, || Request::new(Method::POST, start.clone())).await?;
        if opened.status() != StatusCode::ACCEPTED {
            return Err(self.refusal(opened).await);
        }
        let mut target = self.upload_location(&opened)?;
        target.query_pairs_mut().append_pair("digest", &digest.to_string());
        let request = Request::new(Method::PUT, target.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .body(Body::stream(size, content));
        let stored = self.send_once(&scope, request, &target).await?;
        if stored.status() != StatusCode::CREATED {
            return Err(self.refusal(stored).await);
        }
        self.confirm_digest(&stored, digest)
    }

    /// Begins to download a blob; `size` is what its descriptor says, if there is one.
    ///
    /// # Errors
    /// The registry refused, or announces another size.
    pub async fn pull_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<BlobDownload, RemoteError> {
        let url = self.blob_url(repository, digest)?;
        let scope = scope(repository, Access::Pull);
        let response = self.send(&scope, || Request::new(Method::GET, url.clone())).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        let registry = response.origin().to_string();
        let announced = response.content_length();
        if let (Some(expected), Some(received)) = (size, announced)
            && expected != received
        {
            return Err(RemoteError::WrongSize { registry, digest: *digest, expected, received });
        }
        let size = size.or(announced);
        Ok(BlobDownload { size, verifier: Verifier::new(registry, *digest, size), response })
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

    /// Where the upload goes on: `Location`, relative or absolute, but never from `https` to `http`.
    fn upload_location(&self, opened: &Response) -> Result<Url, RemoteError> {
        let location = opened
            .header(&header::LOCATION)
            .ok_or_else(|| self.protocol("it opened an upload and sent no Location"))?;
        let url = opened
            .url()
            .join(location)
            .map_err(|error| self.protocol(format!("the Location of its upload cannot be read: {error}")))?;
        match Origin::of(&url) {
            Some(origin) if origin.is_secure() || !self.origin().is_secure() => Ok(url),
            _ => Err(self.protocol("the Location of its upload leaves the encrypted connection")),
        }
    }
}

/// A blob on its way here.
pub struct BlobDownload {
    response: Response,
    size: Option<u64>,
    verifier: Verifier,
}

impl BlobDownload {
    /// The size in bytes: the descriptor's, else what the registry announced.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The bytes. They are good only if the stream ends without an error: the digest is known last.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        let body = Box::pin(self.response.stream());
        stream::try_unfold((body, self.verifier), |(mut body, mut verifier)| async move {
            match futures_util::TryStreamExt::try_next(&mut body).await? {
                Some(chunk) => {
                    verifier.update(&chunk)?;
                    Ok(Some((chunk, (body, verifier))))
                }
                None => verifier.finish().map(|()| None),
            }
        })
    }
}

/// Bytes in memory as a stream of pieces, for [`Remote::push_blob`].
pub fn chunks(bytes: Bytes) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold(bytes, |mut rest| async move {
        let chunk = rest.split_to(rest.len().min(CHUNK));
        (!chunk.is_empty()).then_some((Ok(chunk), rest))
    })
}
