//! Upload sessions (distribution specification end-4, end-5, end-6, end-13, end-14).

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hythe_oci::{Digest, RepositoryName, Route};
use hythe_outbound::{
    Body, HeaderName, HeaderValue, Method, Origin, Request, Response, StatusCode, Url, header,
};

use crate::retry::is_passing_error;
use crate::scope::{Access, mount_scope, scope};
use crate::{Remote, RemoteError};

/// Says which blob an upload is going to be. An extension that Hythe understands and others ignore: by it an upload is
/// found again after its client was killed, from another machine as well.
const BLOB_DIGEST: HeaderName = HeaderName::from_static("hythe-blob-digest");
/// Its size in bytes, when known.
const BLOB_SIZE: HeaderName = HeaderName::from_static("hythe-blob-size");

/// What is sent at once when larger bodies are refused: proxies commonly take 10 MB and more.
const SMALL_BODY: u64 = 8 * 1024 * 1024;

/// The blob that an upload is going to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Expected {
    fn written_on(self, request: Request) -> Request {
        let request = request.header(BLOB_DIGEST, ascii(&self.digest.to_string()));
        request.header(BLOB_SIZE, HeaderValue::from(self.size))
    }
}

/// How a mount ended.
#[derive(Debug)]
pub enum Mount {
    /// The repository holds the blob now.
    Mounted,
    /// It does not, and the registry opened an upload for it: use it, or cancel it.
    Upload(Upload),
}

/// An open upload. Dropped, it stays open at the registry until that gives it up.
#[derive(Debug)]
pub struct Upload {
    remote: Remote,
    repository: RepositoryName,
    scope: String,
    location: Url,
    offset: u64,
}

impl Remote {
    /// Opens an upload.
    ///
    /// # Errors
    /// The registry refused or cannot be understood.
    pub async fn start_upload(
        &self,
        repository: &RepositoryName,
        expected: Option<Expected>,
    ) -> Result<Upload, RemoteError> {
        let scope = scope(repository, Access::Push);
        let start = self.uploads_url(repository)?;
        let build = || {
            let request = Request::new(Method::POST, start.clone());
            match expected {
                Some(expected) => expected.written_on(request),
                None => request,
            }
        };
        let opened = self.send(&scope, build).await?;
        if opened.status() != StatusCode::ACCEPTED {
            return Err(self.refusal(opened).await);
        }
        Upload::opened(self, repository, scope, &opened)
    }

    /// Takes up an upload that was opened before, perhaps by another process: asks how far it is.
    ///
    /// # Errors
    /// The registry has no such upload, or `location` is elsewhere.
    pub async fn resume_upload(
        &self,
        repository: &RepositoryName,
        location: &str,
    ) -> Result<Upload, RemoteError> {
        let location = self.url(location)?;
        if Origin::of(&location).as_ref() != Some(self.origin()) {
            return Err(self.protocol("the upload to go on with is at another registry"));
        }
        let scope = scope(repository, Access::Push);
        let (remote, repository) = (self.clone(), repository.clone());
        let mut upload = Upload { remote, repository, scope, location, offset: 0 };
        upload.ask_offset().await?;
        Ok(upload)
    }

    /// Gives the repository a blob that another one of this registry holds: `from`, or without it any that the caller
    /// may read, where the registry looks for one.
    ///
    /// # Errors
    /// The registry refused or cannot be understood.
    pub async fn mount_blob(
        &self,
        repository: &RepositoryName,
        blob: Expected,
        from: Option<&RepositoryName>,
    ) -> Result<Mount, RemoteError> {
        let scope = mount_scope(repository, from);
        let mut start = self.uploads_url(repository)?;
        start.query_pairs_mut().append_pair("mount", &blob.digest.to_string());
        if let Some(from) = from {
            start.query_pairs_mut().append_pair("from", from.as_str());
        }
        let build = || blob.written_on(Request::new(Method::POST, start.clone()));
        let response = self.send(&scope, build).await?;
        match response.status() {
            StatusCode::CREATED => {
                self.confirm_digest(&response, &blob.digest)?;
                Ok(Mount::Mounted)
            }
            StatusCode::ACCEPTED => Upload::opened(self, repository, scope, &response).map(Mount::Upload),
            _ => Err(self.refusal(response).await),
        }
    }

    /// Uploads a blob of known size and digest. `content` gives its bytes from an offset on and may be called again:
    /// after a break the upload goes on where the registry stands.
    ///
    /// # Errors
    /// The registry refused, or the transfer broke off for good; an error of `content` breaks it off.
    pub async fn push_blob<S>(
        &self,
        repository: &RepositoryName,
        blob: Expected,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<(), RemoteError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        self.start_upload(repository, Some(blob)).await?.send(blob, content).await
    }

    fn uploads_url(&self, repository: &RepositoryName) -> Result<Url, RemoteError> {
        self.url(&Route::Uploads { name: repository.clone() }.path())
    }
}

impl Upload {
    fn opened(
        remote: &Remote,
        repository: &RepositoryName,
        scope: String,
        response: &Response,
    ) -> Result<Self, RemoteError> {
        let location = location(remote, response)?
            .ok_or_else(|| remote.protocol("it opened an upload and sent no Location"))?;
        Ok(Self { remote: remote.clone(), repository: repository.clone(), scope, location, offset: 0 })
    }

    /// How many bytes the registry is known to have.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Where the upload goes on.
    pub fn location(&self) -> &Url {
        &self.location
    }

    /// Asks how many bytes the registry has (end-13).
    ///
    /// # Errors
    /// The registry has no such upload any more, or cannot be understood.
    pub async fn ask_offset(&mut self) -> Result<u64, RemoteError> {
        let url = self.location.clone();
        let response = self.remote.send(&self.scope, || Request::new(Method::GET, url.clone())).await?;
        if !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK) {
            return Err(self.remote.refusal(response).await);
        }
        self.note(&response)?;
        Ok(self.offset)
    }

    /// Adds bytes (end-5): `size` of them, or as many as come when it is not known. Nothing is repeated: after a break
    /// [`Upload::ask_offset`] tells how much arrived.
    ///
    /// # Errors
    /// The registry refused, or the transfer broke off.
    pub async fn append(
        &mut self,
        size: Option<u64>,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<u64, RemoteError> {
        let body = match size {
            Some(0) => return Ok(self.offset),
            Some(size) => Body::stream(size, content),
            None => Body::unsized_stream(content),
        };
        let mut request = Request::new(Method::PATCH, self.location.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .body(body);
        // Some registries take a range of the first chunk for the promise of more; without one they stream.
        if let Some(size) = size
            && self.offset > 0
        {
            let range = format!("{}-{}", self.offset, self.offset + size - 1);
            request = request.header(header::CONTENT_RANGE, ascii(&range));
        }
        let response = self.remote.send_once(&self.scope, request, &self.location).await?;
        if !matches!(response.status(), StatusCode::ACCEPTED | StatusCode::NO_CONTENT | StatusCode::CREATED) {
            return Err(self.remote.refusal(response).await);
        }
        let before = self.offset;
        self.note(&response)?;
        if let Some(size) = size
            && self.offset != before + size
        {
            let problem =
                format!("it took {} of {size} bytes and called that a success", self.offset - before);
            return Err(self.remote.protocol(problem));
        }
        Ok(self.offset)
    }

    /// Closes the upload (end-6): what was added is the blob `digest`.
    ///
    /// # Errors
    /// The registry refused; after a refusal of the digest the upload is gone.
    pub async fn finish(self, digest: &Digest) -> Result<(), RemoteError> {
        let url = self.closing(digest);
        let response = self.remote.send(&self.scope, || Request::new(Method::PUT, url.clone())).await?;
        match self.closed(response, digest).await {
            // An answer that got lost may have been the right one: then there is no upload any more, but the blob.
            Err(gone) if gone.is_not_found() && self.remote.has_blob(&self.repository, digest).await? => {
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Sends what is missing of a blob and closes the upload, and goes on after breaks where the registry stands. A
    /// body that a proxy on the way finds too large is sent in smaller ones.
    ///
    /// # Errors
    /// As [`Remote::push_blob`].
    pub async fn send<S>(
        mut self,
        blob: Expected,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<(), RemoteError>
    where
        S: Stream<Item = io::Result<Bytes>> + Send + 'static,
    {
        let remote = self.remote.clone();
        let mut patience = remote.retries().begin();
        let mut most = u64::MAX;
        loop {
            let before = self.offset;
            let left = blob.size.checked_sub(before);
            let left = left.ok_or_else(|| remote.protocol("it has more bytes than the blob"))?;
            let sent = if before == 0 && left <= most {
                match self.put_whole(blob, content(0)).await {
                    Ok(()) => return Ok(()),
                    Err(error) => Err(error),
                }
            } else {
                let size = left.min(most);
                self.append(Some(size), limited(content(before), size)).await.map(drop)
            };
            let error = match sent {
                Ok(()) if self.offset == blob.size => return self.finish(&blob.digest).await,
                Ok(()) => {
                    patience.renew();
                    continue;
                }
                Err(error) => error,
            };
            if error.status() == Some(413) && left.min(most) > SMALL_BODY {
                most = SMALL_BODY;
            } else if !is_passing_error(&error) || !patience.wait(&error.to_string(), None).await {
                return Err(error);
            }
            match self.ask_offset().await {
                Ok(now) if now > before => patience.renew(),
                Ok(_) => {}
                // What broke off may have arrived whole all the same.
                Err(gone) if gone.is_not_found() => {
                    if remote.has_blob(&self.repository, &blob.digest).await? {
                        return Ok(());
                    }
                    self = remote.start_upload(&self.repository, Some(blob)).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// All bytes in the request that closes the upload.
    async fn put_whole(
        &self,
        blob: Expected,
        content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), RemoteError> {
        let url = self.closing(&blob.digest);
        let request = Request::new(Method::PUT, url.clone())
            .header(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"))
            .body(Body::stream(blob.size, content));
        let response = self.remote.send_once(&self.scope, request, &url).await?;
        self.closed(response, &blob.digest).await
    }

    /// Gives the upload up (end-14).
    ///
    /// # Errors
    /// The registry does not do that; then it gives the upload up by itself some day.
    pub async fn cancel(self) -> Result<(), RemoteError> {
        let url = self.location.clone();
        let response = self.remote.send(&self.scope, || Request::new(Method::DELETE, url.clone())).await?;
        match response.status() {
            StatusCode::NO_CONTENT | StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NOT_FOUND => Ok(()),
            _ => Err(self.remote.refusal(response).await),
        }
    }

    fn closing(&self, digest: &Digest) -> Url {
        let mut url = self.location.clone();
        url.query_pairs_mut().append_pair("digest", &digest.to_string());
        url
    }

    async fn closed(&self, response: Response, digest: &Digest) -> Result<(), RemoteError> {
        if !matches!(response.status(), StatusCode::CREATED | StatusCode::NO_CONTENT) {
            return Err(self.remote.refusal(response).await);
        }
        self.remote.confirm_digest(&response, digest)
    }

    /// Learns from an answer where the upload goes on and how far it is.
    fn note(&mut self, response: &Response) -> Result<(), RemoteError> {
        if let Some(next) = location(&self.remote, response)? {
            self.location = next;
        }
        if let Some(range) = response.header(&header::RANGE) {
            self.offset = end_of(range)
                .ok_or_else(|| self.remote.protocol("the Range of its upload cannot be read"))?;
        }
        Ok(())
    }
}

/// The first `size` bytes of a stream.
fn limited(
    content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    size: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold((Box::pin(content), size), |(mut content, left)| async move {
        if left == 0 {
            return None;
        }
        let piece = match content.next().await? {
            Ok(mut piece) => {
                piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                piece
            }
            Err(error) => return Some((Err(error), (content, 0))),
        };
        let left = left - piece.len() as u64;
        Some((Ok(piece), (content, left)))
    })
}

/// How many bytes `0-LAST` is. An empty upload says `0-0`, which is also one byte; a registry that means that gets its
/// byte again and refuses it, so nothing is lost by taking it for nothing.
fn end_of(range: &str) -> Option<u64> {
    let last: u64 = range.trim().trim_start_matches("bytes=").strip_prefix("0-")?.parse().ok()?;
    if last == 0 { Some(0) } else { last.checked_add(1) }
}

/// The `Location` of an answer, relative or absolute, but never from `https` to `http`.
fn location(remote: &Remote, response: &Response) -> Result<Option<Url>, RemoteError> {
    let Some(location) = response.header(&header::LOCATION) else { return Ok(None) };
    let url = response
        .url()
        .join(location)
        .map_err(|error| remote.protocol(format!("the Location of its upload cannot be read: {error}")))?;
    match Origin::of(&url) {
        Some(origin) if origin.is_secure() || !remote.origin().is_secure() => Ok(Some(url)),
        _ => Err(remote.protocol("the Location of its upload leaves the encrypted connection")),
    }
}

/// Digests and numbers are visible ASCII.
fn ascii(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_offset_is_read_from_every_way_of_writing_it() {
        for (range, offset) in [("0-0", 0), ("0-9", 10), ("bytes=0-9", 10)] {
            assert_eq!(end_of(range), Some(offset));
        }
        for range in ["", "5-9", "0-", "0-x", "0-18446744073709551615"] {
            assert_eq!(end_of(range), None, "{range}");
        }
    }
}
