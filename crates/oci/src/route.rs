//! The paths below `/v2`: one parser for routing, authorisation, logs and the client.
//!
//! A path is read from its right end, because a repository may be called `blobs`, `tags` or
//! `x/blobs/uploads`: the last two or three segments decide, and what stands before them is the name.
//! `Route::parse(&route.path())` is `route`, for every route.

use std::borrow::Cow;

use crate::digest::{Digest, DigestError};
use crate::error::ErrorCode;
use crate::name::{NameError, RepositoryName};
use crate::quote::quoted;
use crate::reference::{Reference, ReferenceError};
use crate::tag::TagError;
use crate::upload_id::{UploadId, UploadIdError};

/// What a path below `/v2` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/v2/`: is this a registry, and does it know me?
    Base,
    /// `/v2/_catalog`: the list of repositories.
    Catalog,
    /// `/v2/_oci/ext/discover` and `/v2/NAME/_oci/ext/discover`: the list of extensions.
    Extensions(Option<RepositoryName>),
    /// `/v2/NAME/tags/list`
    Tags {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/NAME/manifests/REFERENCE`
    Manifest {
        /// The repository.
        name: RepositoryName,
        /// The manifest's tag or digest.
        reference: Reference,
    },
    /// `/v2/NAME/blobs/DIGEST`
    Blob {
        /// The repository.
        name: RepositoryName,
        /// The blob.
        digest: Digest,
    },
    /// `/v2/NAME/blobs/uploads/`: where uploads begin.
    Uploads {
        /// The repository.
        name: RepositoryName,
    },
    /// `/v2/NAME/blobs/uploads/ID`
    Upload {
        /// The repository.
        name: RepositoryName,
        /// The upload session.
        id: UploadId,
    },
    /// `/v2/NAME/referrers/DIGEST`
    Referrers {
        /// The repository.
        name: RepositoryName,
        /// The subject.
        digest: Digest,
    },
}

impl Route {
    /// Reads the path of a request, still percent-encoded, without its query.
    ///
    /// Each segment is decoded once, after the path was split: an encoded slash is no separator, and
    /// no name or reference holds one, so it is refused.
    ///
    /// # Errors
    /// [`RouteError`] tells which part cannot be read.
    pub fn parse(path: &str) -> Result<Self, RouteError> {
        let not_found = || RouteError::NotFound { path: quoted(path) };
        let rest = path.strip_prefix("/v2").ok_or_else(not_found)?;
        if matches!(rest, "" | "/") {
            return Ok(Self::Base);
        }
        let rest = rest.strip_prefix('/').ok_or_else(not_found)?;
        let segments: Vec<Cow<'_, str>> = rest.split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        match segments.as_slice() {
            ["_catalog"] => Ok(Self::Catalog),
            ["_oci", "ext", "discover"] => Ok(Self::Extensions(None)),
            [name @ .., "_oci", "ext", "discover"] => Ok(Self::Extensions(Some(repository(name)?))),
            // Without a segment before it, the keyword could only be the name itself.
            [] | [_] | [_, _] | ["blobs", "uploads", _] => Err(not_found()),
            [name @ .., "tags", "list"] => Ok(Self::Tags { name: repository(name)? }),
            [name @ .., "manifests", reference] => Self::manifest(repository(name)?, reference),
            [name @ .., "referrers", digest] => {
                let (name, digest) = content(repository(name)?, digest)?;
                Ok(Self::Referrers { name, digest })
            }
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads { name: repository(name)? })
            }
            [name @ .., "blobs", digest] => {
                let (name, digest) = content(repository(name)?, digest)?;
                Ok(Self::Blob { name, digest })
            }
            [name @ .., "blobs", "uploads", id] => {
                let name = repository(name)?;
                match UploadId::parse(id) {
                    Ok(id) => Ok(Self::Upload { name, id }),
                    Err(fault) => Err(RouteError::InvalidUploadId { name, fault }),
                }
            }
            _ => Err(not_found()),
        }
    }

    fn manifest(name: RepositoryName, reference: &str) -> Result<Self, RouteError> {
        match Reference::parse(reference) {
            Ok(reference) => Ok(Self::Manifest { name, reference }),
            Err(ReferenceError::Digest(fault)) => Err(RouteError::InvalidDigest { name, fault }),
            Err(ReferenceError::Tag(fault)) => Err(RouteError::InvalidReference { name, fault }),
        }
    }

    /// The path, as `Location` headers and clients write it. Nothing in it needs percent-encoding.
    pub fn path(&self) -> String {
        match self {
            Self::Base => "/v2/".to_owned(),
            Self::Catalog => "/v2/_catalog".to_owned(),
            Self::Extensions(None) => "/v2/_oci/ext/discover".to_owned(),
            Self::Extensions(Some(name)) => format!("/v2/{name}/_oci/ext/discover"),
            Self::Tags { name } => format!("/v2/{name}/tags/list"),
            Self::Manifest { name, reference } => format!("/v2/{name}/manifests/{reference}"),
            Self::Blob { name, digest } => format!("/v2/{name}/blobs/{digest}"),
            Self::Uploads { name } => format!("/v2/{name}/blobs/uploads/"),
            Self::Upload { name, id } => format!("/v2/{name}/blobs/uploads/{id}"),
            Self::Referrers { name, digest } => format!("/v2/{name}/referrers/{digest}"),
        }
    }

    /// The repository the path is about, if it is about one.
    pub const fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog | Self::Extensions(None) => None,
            Self::Extensions(Some(name))
            | Self::Tags { name }
            | Self::Manifest { name, .. }
            | Self::Blob { name, .. }
            | Self::Uploads { name }
            | Self::Upload { name, .. }
            | Self::Referrers { name, .. } => Some(name),
        }
    }

    /// A short name for logs and metrics: one of a handful, whatever the path holds.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Base => "base",
            Self::Catalog => "catalog",
            Self::Extensions(_) => "extensions",
            Self::Tags { .. } => "tags",
            Self::Manifest { .. } => "manifest",
            Self::Blob { .. } => "blob",
            Self::Uploads { .. } => "uploads",
            Self::Upload { .. } => "upload",
            Self::Referrers { .. } => "referrers",
        }
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, RouteError> {
    let name = segments.join("/");
    RepositoryName::parse(&name).map_err(|fault| RouteError::InvalidName { name: quoted(&name), fault })
}

fn content(name: RepositoryName, digest: &str) -> Result<(RepositoryName, Digest), RouteError> {
    match Digest::parse(digest) {
        Ok(digest) => Ok((name, digest)),
        Err(fault) => Err(RouteError::InvalidDigest { name, fault }),
    }
}

/// Decodes percent-encoding once. An encoded slash and a broken escape stay as they are, and bytes
/// that are not UTF-8 become replacement characters: no grammar here takes any of them.
fn decoded(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return Cow::Borrowed(segment);
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let Some(byte) = escaped_byte(*high, *low).filter(|&byte| byte != b'/')
        {
            bytes.push(byte);
            rest = after;
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

fn escaped_byte(high: u8, low: u8) -> Option<u8> {
    let digit = |character: u8| char::from(character).to_digit(16);
    u8::try_from(digit(high)? << 4 | digit(low)?).ok()
}

/// Why a path names nothing; its text is a sentence for the person who asked.
///
/// All but the first two name the repository, so that a caller without rights on it can be answered
/// as if the path had been in order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is no such path in the protocol.
    #[error(
        "There is nothing at {path}; paths of a repository end in `/tags/list`, `/manifests/…`, `/blobs/…`, \
         `/blobs/uploads/` or `/referrers/…`."
    )]
    NotFound {
        /// The path, quoted and clipped.
        path: String,
    },
    /// The repository's name is outside the grammar.
    #[error("{fault}")]
    InvalidName {
        /// The name, quoted and clipped.
        name: String,
        /// What is wrong with it.
        fault: NameError,
    },
    /// The digest of a blob, a manifest or a subject cannot be read.
    #[error("{fault}")]
    InvalidDigest {
        /// The repository.
        name: RepositoryName,
        /// What is wrong with the digest.
        fault: DigestError,
    },
    /// The reference of a manifest is neither a digest nor a tag.
    #[error("{fault}")]
    InvalidReference {
        /// The repository.
        name: RepositoryName,
        /// What is wrong with it, read as a tag.
        fault: TagError,
    },
    /// The upload session's name cannot be one of this registry's.
    #[error("{fault}")]
    InvalidUploadId {
        /// The repository.
        name: RepositoryName,
        /// What is wrong with the session's name.
        fault: UploadIdError,
    },
}

impl RouteError {
    /// The code to answer a request of this method with.
    ///
    /// A malformed tag can be no manifest's, so reading it is a manifest that is not there
    /// (`TAG_INVALID` is Docker's alone, and the conformance suites take official codes only).
    pub fn code(&self, method: &str) -> ErrorCode {
        match self {
            Self::NotFound { .. } => ErrorCode::Unsupported,
            Self::InvalidName { .. } => ErrorCode::NameInvalid,
            Self::InvalidDigest { .. } => ErrorCode::DigestInvalid,
            Self::InvalidReference { .. } if method == "PUT" => ErrorCode::ManifestInvalid,
            Self::InvalidReference { .. } => ErrorCode::ManifestUnknown,
            Self::InvalidUploadId { .. } => ErrorCode::BlobUploadUnknown,
        }
    }

    /// The HTTP status to answer a request of this method with: 404 for a path that is not in the
    /// protocol, else that of [`RouteError::code`].
    pub fn status(&self, method: &str) -> u16 {
        match self {
            Self::NotFound { .. } => 404,
            _ => self.code(method).status(),
        }
    }

    /// The repository, where its name could be read.
    pub const fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::NotFound { .. } | Self::InvalidName { .. } => None,
            Self::InvalidDigest { name, .. }
            | Self::InvalidReference { name, .. }
            | Self::InvalidUploadId { name, .. } => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;
    use crate::digest::Algorithm;

    fn name(text: &str) -> RepositoryName {
        RepositoryName::parse(text).unwrap()
    }

    fn digest() -> Digest {
        Digest::of(Algorithm::Sha256, b"{}")
    }

    #[test]
    fn repositories_may_be_called_as_the_paths_are() {
        let d = digest();
        let id = UploadId::from_bytes([7; 16]);
        for repository in [
            "blobs",
            "tags",
            "manifests",
            "uploads",
            "referrers",
            "v2",
            "a/b/c/d/e/f/g/h",
            "x/blobs/uploads",
            "x/blobs",
            "tags/list",
            "blobs/uploads",
            "manifests/latest",
            "x/referrers",
            "oci/ext/discover",
        ] {
            let name = || name(repository);
            for (path, route) in [
                (format!("/v2/{repository}/tags/list"), Route::Tags { name: name() }),
                (
                    format!("/v2/{repository}/manifests/list"),
                    Route::Manifest { name: name(), reference: Reference::parse("list").unwrap() },
                ),
                (
                    format!("/v2/{repository}/manifests/uploads"),
                    Route::Manifest { name: name(), reference: Reference::parse("uploads").unwrap() },
                ),
                (
                    format!("/v2/{repository}/manifests/{d}"),
                    Route::Manifest { name: name(), reference: d.into() },
                ),
                (format!("/v2/{repository}/blobs/{d}"), Route::Blob { name: name(), digest: d }),
                (format!("/v2/{repository}/blobs/uploads"), Route::Uploads { name: name() }),
                (format!("/v2/{repository}/blobs/uploads/"), Route::Uploads { name: name() }),
                (format!("/v2/{repository}/blobs/uploads/{id}"), Route::Upload { name: name(), id }),
                (format!("/v2/{repository}/referrers/{d}"), Route::Referrers { name: name(), digest: d }),
                (format!("/v2/{repository}/_oci/ext/discover"), Route::Extensions(Some(name()))),
            ] {
                assert_eq!(Route::parse(&path), Ok(route), "{path}");
            }
        }
    }

    #[test]
    fn paths_without_a_repository() {
        for (path, route) in [
            ("/v2", Route::Base),
            ("/v2/", Route::Base),
            ("/v2/_catalog", Route::Catalog),
            ("/v2/_oci/ext/discover", Route::Extensions(None)),
        ] {
            assert_eq!(Route::parse(path), Ok(route), "{path}");
        }
    }

    #[test]
    fn escapes_are_decoded_once() {
        let d = digest();
        let blob = Route::Blob { name: name("lab/app"), digest: d };
        for path in [
            format!("/v2/lab/app/blobs/sha256%3A{}", d.hex()),
            format!("/v2/lab/app/blobs/sha256%3a{}", d.hex()),
            format!("/v2/l%61b/app/%62lobs/{d}"),
        ] {
            assert_eq!(Route::parse(&path), Ok(blob.clone()), "{path}");
        }
        for path in [
            format!("/v2/lab%2Fapp/blobs/{d}"),
            format!("/v2/lab%252Fapp/blobs/{d}"),
            format!("/v2/l%2561b/blobs/{d}"),
            format!("/v2/lab%zz/blobs/{d}"),
            format!("/v2/lab%/blobs/{d}"),
            format!("/v2/lab%ff/blobs/{d}"),
            format!("/v2/lab%00/blobs/{d}"),
            format!("/v2/%2e%2e/blobs/{d}"),
        ] {
            assert!(matches!(Route::parse(&path), Err(RouteError::InvalidName { .. })), "{path}");
        }
        let double = Route::parse("/v2/lab/manifests/a%252Fb").unwrap_err();
        assert!(matches!(double, RouteError::InvalidReference { .. }), "{double:?}");
    }

    #[test]
    fn a_refusal_has_a_code_and_says_why() {
        let read = "GET";
        let d = digest();
        for (path, method, code, status, part) in [
            ("/v1/x", read, ErrorCode::Unsupported, 404, "nothing at `/v1/x`"),
            ("/v2x", read, ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/lab", read, ErrorCode::Unsupported, 404, "`/tags/list`"),
            ("/v2/manifests/latest", read, ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/blobs/uploads/", "POST", ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/lab/tags/list/", read, ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/lab/tags/all", read, ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/_catalog/", read, ErrorCode::Unsupported, 404, "nothing at"),
            ("/v2/Lab/tags/list", read, ErrorCode::NameInvalid, 400, "`L` is not allowed"),
            ("/v2//tags/list", read, ErrorCode::NameInvalid, 400, "it is empty"),
            ("/v2/a//b/tags/list", read, ErrorCode::NameInvalid, 400, "is empty"),
            ("/v2/_oci/x/tags/list", read, ErrorCode::NameInvalid, 400, "`_oci`"),
            ("/v2/lab/blobs/latest", read, ErrorCode::DigestInvalid, 400, "names no algorithm"),
            ("/v2/lab/blobs/", read, ErrorCode::DigestInvalid, 400, "names no algorithm"),
            ("/v2/lab/blobs/sha256:xyz", read, ErrorCode::DigestInvalid, 400, "`sha256:xyz` is malformed"),
            ("/v2/lab/manifests/sha256:bad", "PUT", ErrorCode::DigestInvalid, 400, "is malformed"),
            ("/v2/lab/referrers/latest", read, ErrorCode::DigestInvalid, 400, "names no algorithm"),
            ("/v2/lab/manifests/.x", read, ErrorCode::ManifestUnknown, 404, "begins with `.`"),
            ("/v2/lab/manifests/.x", "HEAD", ErrorCode::ManifestUnknown, 404, "begins with `.`"),
            ("/v2/lab/manifests/.x", "PUT", ErrorCode::ManifestInvalid, 400, "begins with `.`"),
            ("/v2/lab/manifests/", read, ErrorCode::ManifestUnknown, 404, "is empty"),
            (
                "/v2/lab/blobs/uploads/x",
                "PATCH",
                ErrorCode::BlobUploadUnknown,
                404,
                "`x` names no upload session",
            ),
        ] {
            let error = Route::parse(path).expect_err(path);
            assert_eq!((error.code(method), error.status(method)), (code, status), "{path}");
            assert!(error.to_string().contains(part), "{path}: {error}");
            assert!(error.to_string().ends_with('.'), "{error}");
            // Whatever can be read of the repository is there for the access check.
            assert_eq!(
                error.repository().is_some(),
                path.starts_with("/v2/lab/") && status_is_inner(code),
                "{path}"
            );
        }
        let encoded_slash = Route::parse(&format!("/v2/lab%2Fapp/blobs/{d}")).unwrap_err();
        assert_eq!(encoded_slash.code(read), ErrorCode::NameInvalid);
    }

    fn status_is_inner(code: ErrorCode) -> bool {
        !matches!(code, ErrorCode::Unsupported | ErrorCode::NameInvalid)
    }

    fn route() -> impl Strategy<Value = Route> {
        let name = arbitrary::repository_name;
        prop_oneof![
            Just(Route::Base),
            Just(Route::Catalog),
            prop::option::of(name()).prop_map(Route::Extensions),
            name().prop_map(|name| Route::Tags { name }),
            (name(), arbitrary::reference())
                .prop_map(|(name, reference)| Route::Manifest { name, reference }),
            (name(), arbitrary::digest()).prop_map(|(name, digest)| Route::Blob { name, digest }),
            name().prop_map(|name| Route::Uploads { name }),
            (name(), arbitrary::upload_id()).prop_map(|(name, id)| Route::Upload { name, id }),
            (name(), arbitrary::digest()).prop_map(|(name, digest)| Route::Referrers { name, digest }),
        ]
    }

    /// Every byte of the path as an escape, but for the slashes between segments.
    fn escaped(path: &str) -> String {
        let escape = |byte: u8| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") };
        let (prefix, rest) = path.split_at("/v2".len());
        prefix.to_owned() + &rest.bytes().map(escape).collect::<String>()
    }

    proptest! {
        #[test]
        fn a_route_reads_back(route in route()) {
            let path = route.path();
            prop_assert_eq!(Route::parse(&path), Ok(route.clone()), "{}", path);
            prop_assert_eq!(Route::parse(&escaped(&path)), Ok(route.clone()), "{}", path);
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"%?#".contains(&byte)));
            prop_assert_eq!(route.repository().is_some_and(|name| path.contains(name.as_str())), route.repository().is_some());
        }

        #[test]
        fn what_is_taken_reads_back(
            path in "(/v2)?(/(blobs|tags|list|manifests|uploads|referrers|_oci|ext|discover|[a-b%2F.:]{0,4})){0,6}/?|.*"
        ) {
            if let Ok(route) = Route::parse(&path) {
                prop_assert_eq!(Route::parse(&route.path()), Ok(route));
            }
        }
    }
}
