//! Manifests: push and pull, bytes untouched (distribution specification end-3, end-7).

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, Manifest, MediaType, Reference, RepositoryName, Route, media_type};
use hythe_outbound::{Body, HeaderValue, Method, Request, StatusCode, Url, header};

use crate::blob::CONTENT_DIGEST;
use crate::scope::{Access, scope};
use crate::{Remote, RemoteError};

/// What every registry must accept (distribution specification, "Pushing Manifests"), and more than
/// any real manifest has.
const MAX_MANIFEST: usize = 4 * 1024 * 1024;

/// A manifest as the registry keeps it.
#[derive(Clone, Debug)]
pub struct PulledManifest {
    /// The `Content-Type` of the answer.
    pub media_type: MediaType,
    /// The digest of `bytes`, checked here.
    pub digest: Digest,
    /// The manifest, byte for byte.
    pub bytes: Bytes,
}

/// What a tag or digest stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The manifest's media type.
    pub media_type: MediaType,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

impl Remote {
    /// What a tag or digest stands for, without the manifest where the registry says enough in its headers.
    ///
    /// # Errors
    /// The registry refused, or names another digest than it was asked for.
    pub async fn resolve(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Resolved, RemoteError> {
        let url = self.manifest_url(repository, reference)?;
        let scope = scope(repository, Access::Pull);
        let response = self.send(&scope, || accepting(Request::new(Method::HEAD, url.clone()))).await?;
        if response.status() == StatusCode::NOT_FOUND {
            // Asked again with a body, in which the reason is.
            let told = self.pull_manifest(repository, reference).await?;
            return Ok(told.resolved());
        }
        let digest = response.header(&CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
        let media_type = response.header(&header::CONTENT_TYPE).and_then(|text| MediaType::parse(text).ok());
        // hyper gives a HEAD no body, and so no length of it: the header is what counts.
        let size = response.header(&header::CONTENT_LENGTH).and_then(|text| text.parse().ok());
        match (response.status(), digest, media_type, size) {
            (StatusCode::OK, Some(digest), Some(media_type), Some(size)) => {
                if let Reference::Digest(expected) = reference
                    && *expected != digest
                {
                    let registry = self.origin().to_string();
                    return Err(RemoteError::WrongDigest { registry, expected: *expected, received: digest });
                }
                Ok(Resolved { media_type, digest, size })
            }
            _ => Ok(self.pull_manifest(repository, reference).await?.resolved()),
        }
    }

    /// Stores a manifest under a tag or its digest. Everything it names must be there already.
    ///
    /// # Errors
    /// The registry refused, or says it stored something else.
    pub async fn push_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        media_type: &MediaType,
        bytes: Bytes,
    ) -> Result<Digest, RemoteError> {
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &bytes),
        };
        let url = self.manifest_url(repository, reference)?;
        let content_type = HeaderValue::from_str(media_type.as_str())
            .map_err(|_| self.protocol(format!("{media_type} cannot be sent as a Content-Type")))?;
        let response = self
            .send(&scope(repository, Access::Push), || {
                Request::new(Method::PUT, url.clone())
                    .header(header::CONTENT_TYPE, content_type.clone())
                    .body(Body::bytes(bytes.clone()))
            })
            .await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refusal(response).await);
        }
        self.confirm_digest(&response, &digest)?;
        Ok(digest)
    }

    /// Fetches a manifest by tag or digest and checks its digest.
    ///
    /// # Errors
    /// The registry refused, or sent other bytes than the digest it was asked for or announced.
    pub async fn pull_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<PulledManifest, RemoteError> {
        let url = self.manifest_url(repository, reference)?;
        let scope = scope(repository, Access::Pull);
        let response = self.send(&scope, || accepting(Request::new(Method::GET, url.clone()))).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        let media_type = response
            .header(&header::CONTENT_TYPE)
            .and_then(|text| MediaType::parse(text).ok())
            .ok_or_else(|| self.protocol("it sent a manifest without a readable Content-Type"))?;
        let announced = response.header(&CONTENT_DIGEST).and_then(|text| text.parse::<Digest>().ok());
        let bytes = response.bytes(MAX_MANIFEST).await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => announced,
        };
        let algorithm = expected.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let digest = Digest::of(algorithm, &bytes);
        match expected {
            Some(expected) if expected != digest => {
                let registry = self.origin().to_string();
                Err(RemoteError::WrongDigest { registry, expected, received: digest })
            }
            _ => {
                self.confirm_kind(&media_type, &bytes)?;
                Ok(PulledManifest { media_type, digest, bytes })
            }
        }
    }

    /// What the header and what the body say must agree, or two readers see two things (the class of CVE-2021-41190).
    fn confirm_kind(&self, media_type: &MediaType, bytes: &[u8]) -> Result<(), RemoteError> {
        if !media_type.is_image() && !media_type.is_index() {
            return Ok(());
        }
        Manifest::parse(Some(media_type), bytes)
            .map(drop)
            .map_err(|error| self.protocol(format!("its manifest cannot be trusted: {error}")))
    }

    fn manifest_url(&self, repository: &RepositoryName, reference: &Reference) -> Result<Url, RemoteError> {
        self.url(&Route::Manifest { name: repository.clone(), reference: reference.clone() }.path())
    }
}

impl PulledManifest {
    fn resolved(&self) -> Resolved {
        Resolved { media_type: self.media_type.clone(), digest: self.digest, size: self.bytes.len() as u64 }
    }
}

/// Every kind of manifest, each in a line of its own as docker writes them.
fn accepting(request: Request) -> Request {
    const KINDS: [&str; 4] = [
        media_type::OCI_MANIFEST,
        media_type::OCI_INDEX,
        media_type::DOCKER_MANIFEST,
        media_type::DOCKER_LIST,
    ];
    KINDS.iter().fold(request, |request, kind| request.header(header::ACCEPT, HeaderValue::from_static(kind)))
}
