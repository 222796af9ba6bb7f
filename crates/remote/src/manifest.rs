//! Manifests: push and pull, bytes untouched (distribution specification end-3, end-7).

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, MediaType, Reference, RepositoryName, Route, media_type};
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

impl Remote {
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
        let accepted = [
            media_type::OCI_MANIFEST,
            media_type::OCI_INDEX,
            media_type::DOCKER_MANIFEST,
            media_type::DOCKER_LIST,
        ];
        let response = self
            .send(&scope(repository, Access::Pull), || {
                accepted.iter().fold(Request::new(Method::GET, url.clone()), |request, media_type| {
                    request.header(header::ACCEPT, HeaderValue::from_static(media_type))
                })
            })
            .await?;
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
            _ => Ok(PulledManifest { media_type, digest, bytes }),
        }
    }

    fn manifest_url(&self, repository: &RepositoryName, reference: &Reference) -> Result<Url, RemoteError> {
        self.url(&Route::Manifest { name: repository.clone(), reference: reference.clone() }.path())
    }
}
