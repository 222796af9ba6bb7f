//! Upload sessions (distribution specification end-4, end-5, end-6, end-13, end-14).
//!
//! Invariants: the session is followed wherever the registry's `Location` leads, as far as
//! [`crate::location`] allows, and the credential stays at the registry; no byte is sent twice to a place
//! that the registry has confirmed; a session never claims more than the registry did.

mod content;
mod mount;
mod push;
mod steps;
mod unsized_body;

use hythe_oci::{Algorithm, Digest, RepositoryName, Route};
use hythe_outbound::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Url};

pub use self::content::{chunks, in_memory};
pub use self::mount::Mount;
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError, location};

/// The smallest piece but the last that a registry takes.
const SMALLEST_PIECE: HeaderName = HeaderName::from_static("oci-chunk-min-length");

/// Extensions of Hythe, which other registries ignore: what is being uploaded, so that it is found again.
const BLOB_DIGEST: HeaderName = HeaderName::from_static("hythe-blob-digest");
const BLOB_SIZE: HeaderName = HeaderName::from_static("hythe-blob-size");

/// What an upload will be in the end, if that is known when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The blob's digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Expected {
    fn written_on(self, request: Request) -> Request {
        match HeaderValue::try_from(self.digest.to_string()) {
            Ok(digest) => request.header(BLOB_DIGEST, digest).header(BLOB_SIZE, HeaderValue::from(self.size)),
            // Digests are visible ASCII.
            Err(_) => request,
        }
    }
}

/// An upload under way.
///
/// Dropping it leaves the session at the registry, to be resumed ([`Remote::resume_upload`]) or to expire.
pub struct Upload {
    remote: Remote,
    repository: RepositoryName,
    scope: Scope,
    location: Url,
    /// The bytes that the registry has, by its own word or by its success.
    confirmed: u64,
    smallest_piece: u64,
    expected: Option<Expected>,
    /// Whether a connection broke and the session went on.
    broken: bool,
}

impl Remote {
    /// Opens an upload. With `expected`, Hythe lists it among the caller's open uploads by its digest.
    ///
    /// # Errors
    /// The registry refused, or sends us on to where no upload may go.
    pub async fn start_upload(
        &self,
        repository: &RepositoryName,
        expected: Option<Expected>,
    ) -> Result<Upload, RemoteError> {
        let mut url = self.url(&Route::Uploads { name: repository.clone() }.path())?;
        if let Some(Expected { digest, .. }) = expected
            && digest.algorithm() != Algorithm::Sha256
        {
            url.query_pairs_mut().append_pair("digest-algorithm", digest.algorithm().as_str());
        }
        let scope = Scope::of(repository, Access::Push);
        let mut attempts = self.attempts(format_args!("open an upload to {repository}"));
        let response = self
            .send(&mut attempts, &scope, &url, |url| {
                let request = Request::new(Method::POST, url);
                match expected {
                    None => request,
                    Some(expected) => expected.written_on(request),
                }
            })
            .await?;
        if response.status() != StatusCode::ACCEPTED {
            return Err(self.refusal(response).await);
        }
        Upload::opened(self, repository, &response, expected)
    }

    /// Goes on with an upload that an earlier run began; `location` is what [`Upload::location`] said then,
    /// or what the registry lists. The registry is asked where it stands.
    ///
    /// # Errors
    /// The upload is no more ([`RemoteError::is_not_found`]), or no upload may go to `location`.
    pub async fn resume_upload(
        &self,
        repository: &RepositoryName,
        location: &str,
    ) -> Result<Upload, RemoteError> {
        let base = self.url("/")?;
        let location =
            location::resolve(self.origin(), &base, location).map_err(|problem| self.breach(problem))?;
        let mut upload = Upload {
            remote: self.clone(),
            repository: repository.clone(),
            scope: Scope::of(repository, Access::Push),
            location,
            confirmed: 0,
            smallest_piece: 0,
            expected: None,
            broken: false,
        };
        upload.offset().await?;
        Ok(upload)
    }
}

impl Upload {
    /// The session that a 202 has opened.
    fn opened(
        remote: &Remote,
        repository: &RepositoryName,
        response: &Response,
        expected: Option<Expected>,
    ) -> Result<Self, RemoteError> {
        let location =
            location::follow(remote.origin(), response).map_err(|problem| remote.breach(problem))?;
        let smallest_piece =
            response.header(&SMALLEST_PIECE).and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Ok(Self {
            remote: remote.clone(),
            repository: repository.clone(),
            scope: Scope::of(repository, Access::Push),
            location,
            confirmed: 0,
            smallest_piece,
            expected,
            broken: false,
        })
    }

    /// Where the session is now; it changes with each step. To be kept for [`Remote::resume_upload`]. The
    /// query may hold the registry's signature: keep it from others.
    pub fn location(&self) -> &Url {
        &self.location
    }

    /// The repository it goes to.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The bytes that the registry has confirmed, without asking it; see [`Upload::offset`].
    pub fn confirmed(&self) -> u64 {
        self.confirmed
    }

    /// The smallest piece in bytes that the registry takes, but for the last (`OCI-Chunk-Min-Length`); 0 when
    /// it takes any.
    pub fn smallest_piece(&self) -> u64 {
        self.smallest_piece
    }

    fn was_broken(&self) -> bool {
        self.broken
    }
}

/// Shows neither the query of the location nor what is in the session.
impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload")
            .field("repository", &self.repository)
            .field("confirmed", &self.confirmed)
            .finish_non_exhaustive()
    }
}
