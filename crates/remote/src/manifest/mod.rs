//! Manifests: push, pull, remove, bytes untouched (distribution specification end-3, end-7, end-9).
//!
//! Invariant: a manifest that is returned has the digest that was asked for or announced, and is of the kind
//! that its type says.

mod kind;
mod resolve;

use bytes::Bytes;
use hythe_oci::{Algorithm, Digest, MediaType, Reference, RepositoryName, Route, Tag, limits, media_type};
use hythe_outbound::{Body, HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Url, header};

pub use self::resolve::ResolvedManifest;
use crate::blob::CONTENT_DIGEST;
use crate::delete::Target;
use crate::scope::{Access, Scope};
use crate::{Remote, RemoteError};

/// The registry has noted the `subject` of a manifest (distribution specification, "Pushing Manifests with
/// Subject").
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// All kinds of manifest that are understood here.
const ACCEPTED: [&str; 4] =
    [media_type::OCI_MANIFEST, media_type::OCI_INDEX, media_type::DOCKER_MANIFEST, media_type::DOCKER_LIST];

/// A manifest as the registry keeps it.
#[derive(Clone, Debug)]
pub struct PulledManifest {
    /// What it is: the `Content-Type` of the answer, else the type in the manifest itself.
    pub media_type: MediaType,
    /// The digest of `bytes`, checked here.
    pub digest: Digest,
    /// The manifest, byte for byte.
    pub bytes: Bytes,
}

/// A manifest that the registry has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushedManifest {
    /// Its digest.
    pub digest: Digest,
    /// The manifest it refers to, if the registry says that it noted that. A registry without the referrers
    /// API does not say so: the client then keeps the list, see [`crate::ReferrersSource::Tag`].
    pub subject: Option<Digest>,
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
    ) -> Result<PushedManifest, RemoteError> {
        let digest = match reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &bytes),
        };
        let url = self.manifest_url(repository, reference)?;
        let content_type = HeaderValue::from_str(media_type.as_str())
            .map_err(|_| self.protocol(format!("{media_type} cannot be sent as a Content-Type")))?;
        let mut attempts = self.attempts(format_args!("push manifest {repository} {reference}"));
        let response = self
            .send(&mut attempts, &Scope::of(repository, Access::Push), &url, |url| {
                Request::new(Method::PUT, url)
                    .header(header::CONTENT_TYPE, content_type.clone())
                    .body(Body::bytes(bytes.clone()))
            })
            .await?;
        if response.status() != StatusCode::CREATED {
            return Err(self.refusal(response).await);
        }
        self.confirm_digest(&response, &digest)?;
        let subject = response.header(&SUBJECT).and_then(|text| text.parse().ok());
        Ok(PushedManifest { digest, subject })
    }

    /// Fetches a manifest by tag or digest and checks its digest and its kind.
    ///
    /// # Errors
    /// The registry refused, or sent other bytes than the digest it was asked for or announced, or something
    /// that is not what its type says.
    pub async fn pull_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<PulledManifest, RemoteError> {
        let url = self.manifest_url(repository, reference)?;
        let mut attempts = self.attempts(format_args!("pull manifest {repository} {reference}"));
        let scope = Scope::of(repository, Access::Pull);
        let answer = self
            .fetch(&mut attempts, &scope, &url, limits::MANIFEST_BYTES, |url| accepting(Method::GET, url))
            .await?;
        let expected = match reference {
            Reference::Digest(digest) => Some(*digest),
            Reference::Tag(_) => announced_digest(&answer.headers),
        };
        let algorithm = expected.map_or(Algorithm::Sha256, |digest| digest.algorithm());
        let digest = Digest::of(algorithm, &answer.bytes);
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            let registry = self.origin().to_string();
            return Err(RemoteError::WrongDigest { registry, expected, received: digest });
        }
        let header = announced_type(&answer.headers);
        let media_type =
            kind::media_type_of(header, &answer.bytes).map_err(|problem| self.breach(&problem))?;
        Ok(PulledManifest { media_type, digest, bytes: answer.bytes })
    }

    /// Removes a manifest, and in most registries all tags on it.
    ///
    /// # Errors
    /// It is not there, the registry refused, or does not offer this ([`RemoteError::Unsupported`]).
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), RemoteError> {
        let url = self.manifest_url(repository, &Reference::Digest(*digest))?;
        self.delete(repository, Target::Manifest, &url, &digest.to_string()).await
    }

    /// Removes a tag and leaves its manifest where it is.
    ///
    /// # Errors
    /// It is not there, the registry refused, or removes manifests by digest only
    /// ([`RemoteError::Unsupported`]); nothing has been removed then.
    pub async fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<(), RemoteError> {
        let url = self.manifest_url(repository, &Reference::Tag(tag.clone()))?;
        self.delete(repository, Target::Tag, &url, tag.as_str()).await
    }

    fn manifest_url(&self, repository: &RepositoryName, reference: &Reference) -> Result<Url, RemoteError> {
        self.url(&Route::Manifest { name: repository.clone(), reference: reference.clone() }.path())
    }
}

/// A request for a manifest of any kind: a type of one line each, as docker writes it.
fn accepting(method: Method, url: Url) -> Request {
    ACCEPTED.iter().fold(Request::new(method, url), |request, media_type| {
        request.header(header::ACCEPT, HeaderValue::from_static(media_type))
    })
}

fn announced_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

fn announced_type(headers: &HeaderMap) -> Option<MediaType> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok().and_then(|text| MediaType::parse(text).ok())
}
