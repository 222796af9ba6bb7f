//! Blobs on their way here (distribution specification end-2): whole, going on after breaks, or a range.
//!
//! Invariant: a whole blob that ends without an error has the digest asked for, however often it was taken up again.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _, stream};
use hythe_oci::{Digest, RepositoryName};
use hythe_outbound::{HeaderValue, Method, Request, Response, StatusCode, Url, header};

use crate::retry::is_passing_error;
use crate::scope::{Access, scope};
use crate::verify::Verifier;
use crate::{Remote, RemoteError};

/// What a pull asks for.
#[derive(Clone, Debug)]
struct Target {
    remote: Remote,
    scope: String,
    url: Url,
}

/// A blob on its way here.
pub struct BlobDownload {
    target: Target,
    response: Response,
    size: Option<u64>,
    verifier: Verifier,
}

/// A part of a blob on its way here. Its digest is not known before the rest is here: compare the whole.
pub struct RangeDownload {
    response: Response,
    registry: String,
    digest: Digest,
    size: u64,
}

impl Remote {
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
        let target = self.target(repository, digest)?;
        let response = self.send(&target.scope, || Request::new(Method::GET, target.url.clone())).await?;
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
        Ok(BlobDownload { size, verifier: Verifier::new(registry, *digest, size), response, target })
    }

    /// Begins to download `size` bytes of a blob from `first` on; `None` when the registry sends no parts.
    ///
    /// # Errors
    /// The registry refused, or sends another part.
    pub async fn pull_blob_range(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        first: u64,
        size: u64,
    ) -> Result<Option<RangeDownload>, RemoteError> {
        let target = self.target(repository, digest)?;
        let range = format!("bytes={first}-{}", first.saturating_add(size).saturating_sub(1));
        let response = self.send(&target.scope, || target.request(&range)).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {}
            StatusCode::OK => return Ok(None),
            _ => return Err(self.refusal(response).await),
        }
        if begins_at(&response) != Some(first)
            || response.content_length().is_some_and(|length| length != size)
        {
            return Err(self.protocol("it was asked for a part of a blob and sent another one"));
        }
        let registry = response.origin().to_string();
        Ok(Some(RangeDownload { response, registry, digest: *digest, size }))
    }

    fn target(&self, repository: &RepositoryName, digest: &Digest) -> Result<Target, RemoteError> {
        let url = self.blob_url(repository, digest)?;
        Ok(Target { remote: self.clone(), scope: scope(repository, Access::Pull), url })
    }
}

/// Where a partial answer begins (RFC 9110 section 14.4).
fn begins_at(response: &Response) -> Option<u64> {
    let range = response.header(&header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.trim().parse().ok()
}

impl Target {
    fn request(&self, range: &str) -> Request {
        let range = HeaderValue::from_str(range).unwrap_or(HeaderValue::from_static("bytes=0-"));
        Request::new(Method::GET, self.url.clone()).header(header::RANGE, range)
    }

    /// The blob again, from a byte on; a registry without ranges starts over, and what is here already is skipped.
    async fn again(&self, from: u64) -> Result<(Response, u64), RemoteError> {
        let range = format!("bytes={from}-");
        let response = self.remote.send(&self.scope, || self.request(&range)).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(from) => Ok((response, 0)),
            StatusCode::PARTIAL_CONTENT => {
                Err(self.remote.protocol("it was asked for the rest of a blob and sent another part"))
            }
            StatusCode::OK => Ok((response, from)),
            _ => Err(self.remote.refusal(response).await),
        }
    }
}

impl BlobDownload {
    /// The size in bytes: the descriptor's, else what the registry announced.
    pub fn size(&self) -> Option<u64> {
        self.size
    }

    /// The bytes. They are good only if the stream ends without an error: the digest is known last. After a break it
    /// goes on by itself, as patiently as the [`Remote`] is.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        let Self { target, response, verifier, .. } = self;
        let run = Run { body: Box::pin(response.stream()), target, verifier, received: 0, skip: 0 };
        stream::try_unfold(run, |mut run| async move {
            match run.piece().await? {
                Some(piece) => {
                    run.verifier.update(&piece)?;
                    Ok(Some((piece, run)))
                }
                None => run.verifier.finish().map(|()| None),
            }
        })
    }
}

type Pieces = std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, hythe_outbound::OutboundError>> + Send>>;

/// A download under way.
struct Run {
    target: Target,
    body: Pieces,
    verifier: Verifier,
    /// Bytes handed out.
    received: u64,
    /// Bytes of this body that were handed out before.
    skip: u64,
}

impl Run {
    /// The next piece that was not handed out yet.
    async fn piece(&mut self) -> Result<Option<Bytes>, RemoteError> {
        let remote = self.target.remote.clone();
        let mut patience = remote.retries().begin();
        loop {
            match self.body.try_next().await.map_err(RemoteError::from) {
                Ok(Some(mut piece)) => {
                    let known = usize::try_from(self.skip).unwrap_or(usize::MAX).min(piece.len());
                    self.skip -= known as u64;
                    drop(piece.split_to(known));
                    if !piece.is_empty() {
                        self.received += piece.len() as u64;
                        return Ok(Some(piece));
                    }
                }
                // An end before its time is for the verifier to tell.
                Ok(None) => return Ok(None),
                Err(error) => {
                    if !is_passing_error(&error) || !patience.wait(&error.to_string(), None).await {
                        return Err(error);
                    }
                    let (response, skip) = self.target.again(self.received).await?;
                    (self.body, self.skip) = (Box::pin(response.stream()), skip);
                }
            }
        }
    }
}

impl RangeDownload {
    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes: exactly as many as asked for, or an error.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        let Self { response, registry, digest, size } = self;
        stream::try_unfold((Box::pin(response.stream()), 0), move |(mut body, received)| {
            let wrong =
                RemoteError::WrongSize { registry: registry.clone(), digest, expected: size, received };
            async move {
                let Some(piece): Option<Bytes> = body.try_next().await? else {
                    return if received == size { Ok(None) } else { Err(wrong) };
                };
                let received = received + piece.len() as u64;
                if received > size { Err(wrong) } else { Ok(Some((piece, (body, received)))) }
            }
        })
    }
}
