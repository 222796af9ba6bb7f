//! Media types of manifests, configurations and layers.
//!
//! A [`MediaType`] is an essence, `type/subtype` in lower case: parameters such as `charset` never
//! take part in a comparison.

use std::fmt;
use std::sync::Arc;

use crate::limits::MEDIA_TYPE_BYTES;
use crate::quote::quoted;
use crate::text::text_form;

/// An OCI image manifest.
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// An OCI image index.
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// An OCI image configuration.
pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The empty descriptor's content, `{}`.
pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
/// The artifact manifest of the 1.1 release candidates, which no release kept.
pub const OCI_ARTIFACT_MANIFEST: &str = "application/vnd.oci.artifact.manifest.v1+json";
/// An OCI layer, not compressed.
pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// An OCI layer, compressed by gzip.
pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// An OCI layer, compressed by zstd.
pub const OCI_LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";
/// What the three OCI types of layers that need not be in the registry begin with.
const OCI_NONDISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar";

/// A Docker image manifest, schema 2.
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// A Docker manifest list: an index by another name.
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
/// A Docker image configuration.
pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
/// A Docker layer, compressed by gzip.
pub const DOCKER_LAYER_GZIP: &str = "application/vnd.docker.image.rootfs.diff.tar.gzip";
/// What Docker's types of layers that are fetched from elsewhere begin with.
const DOCKER_FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar";
/// A Docker manifest, schema 1.
pub const DOCKER_SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+json";
/// A Docker manifest, schema 1, with signatures.
pub const DOCKER_SCHEMA1_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// The essence of a media type: `type/subtype`, lower case, no parameters. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MediaType(Arc<str>);

impl MediaType {
    /// Reads a media type, dropping its parameters.
    ///
    /// # Errors
    /// [`MediaTypeError`] when the essence is not two names joined by `/`, or longer than
    /// [`MEDIA_TYPE_BYTES`].
    pub fn parse(text: &str) -> Result<Self, MediaTypeError> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        let well_formed = essence.len() <= MEDIA_TYPE_BYTES
            && essence.split_once('/').is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
        if well_formed {
            Ok(Self(essence.to_ascii_lowercase().into()))
        } else {
            Err(MediaTypeError { shown: quoted(text) })
        }
    }

    /// One of this module's constants, which are all in the form that [`MediaType::parse`] makes.
    pub(crate) fn known(constant: &'static str) -> Self {
        Self(constant.into())
    }

    /// The essence as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// An image manifest, by OCI's or Docker's name.
    pub fn is_image(&self) -> bool {
        matches!(self.as_str(), OCI_MANIFEST | DOCKER_MANIFEST)
    }

    /// An index of manifests, by OCI's or Docker's name.
    pub fn is_index(&self) -> bool {
        matches!(self.as_str(), OCI_INDEX | DOCKER_LIST)
    }

    /// A Docker manifest of schema 1, signed or not.
    pub fn is_schema1(&self) -> bool {
        matches!(self.as_str(), DOCKER_SCHEMA1 | DOCKER_SCHEMA1_SIGNED)
    }

    /// The artifact manifest of the 1.1 release candidates.
    pub(crate) fn is_artifact_manifest(&self) -> bool {
        self.as_str() == OCI_ARTIFACT_MANIFEST
    }

    /// A layer whose content may be missing from the registry: OCI's non-distributable types and
    /// Docker's foreign ones, whatever their compression.
    pub fn is_nondistributable(&self) -> bool {
        self.is_docker_foreign() || has_stem(self.as_str(), OCI_NONDISTRIBUTABLE, '+')
    }

    /// A layer that Docker fetches from the descriptor's `urls` alone.
    pub(crate) fn is_docker_foreign(&self) -> bool {
        has_stem(self.as_str(), DOCKER_FOREIGN, '.')
    }
}

/// Whether `text` is `stem`, or `stem` with a suffix after `joint`.
fn has_stem(text: &str, stem: &str, joint: char) -> bool {
    text.strip_prefix(stem).is_some_and(|suffix| suffix.is_empty() || suffix.starts_with(joint))
}

/// A token of RFC 9110 section 5.6.2, as the halves of a media type are.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl fmt::Display for MediaType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl AsRef<str> for MediaType {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for MediaType {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for MediaType {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

text_form!(MediaType, MediaTypeError);

/// The text is no media type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown} is no media type; write two names joined by `/`, such as `{OCI_MANIFEST}`.")]
pub struct MediaTypeError {
    shown: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parameters_and_case_are_dropped() {
        for (text, essence) in [
            (OCI_MANIFEST, OCI_MANIFEST),
            ("application/vnd.OCI.image.manifest.v1+JSON ; charset=utf-8", OCI_MANIFEST),
            (" application/json;", "application/json"),
            ("appliciation/vnd.sylabs.sif.layer.tar", "appliciation/vnd.sylabs.sif.layer.tar"),
        ] {
            assert_eq!(MediaType::parse(text).unwrap(), essence);
        }
        for bad in [
            "",
            "json",
            "a/",
            "/b",
            "a/b/c",
            "a b/c",
            "a/b,c/d",
            "*",
            "é/x",
            &format!("a/{}", "x".repeat(254)),
        ] {
            assert!(MediaType::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn each_type_is_of_its_class() {
        let class = |text: &str| {
            let media_type = MediaType::parse(text).unwrap();
            let flags = [media_type.is_image(), media_type.is_index(), media_type.is_schema1()];
            (flags, media_type.is_nondistributable())
        };
        for (text, flags, nondistributable) in [
            (OCI_MANIFEST, [true, false, false], false),
            (DOCKER_MANIFEST, [true, false, false], false),
            (OCI_INDEX, [false, true, false], false),
            (DOCKER_LIST, [false, true, false], false),
            (DOCKER_SCHEMA1, [false, false, true], false),
            (DOCKER_SCHEMA1_SIGNED, [false, false, true], false),
            (OCI_LAYER_GZIP, [false; 3], false),
            (DOCKER_LAYER_GZIP, [false; 3], false),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar", [false; 3], true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", [false; 3], true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", [false; 3], true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar", [false; 3], true),
            ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", [false; 3], true),
            ("application/vnd.oci.image.layer.nondistributable.v1.tarball", [false; 3], false),
        ] {
            assert_eq!(class(text), (flags, nondistributable), "{text}");
        }
    }

    #[test]
    fn constants_are_in_parsed_form() {
        for constant in [
            OCI_MANIFEST,
            OCI_INDEX,
            OCI_CONFIG,
            OCI_EMPTY,
            OCI_ARTIFACT_MANIFEST,
            OCI_LAYER,
            OCI_LAYER_GZIP,
            OCI_LAYER_ZSTD,
            DOCKER_MANIFEST,
            DOCKER_LIST,
            DOCKER_CONFIG,
            DOCKER_LAYER_GZIP,
            DOCKER_SCHEMA1,
            DOCKER_SCHEMA1_SIGNED,
        ] {
            assert_eq!(MediaType::parse(constant).unwrap(), MediaType::known(constant));
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_reads_back(text in prop_oneof![any::<String>(), "[a-zA-Z/+.; ]{3,20}"]) {
            if let Ok(media_type) = MediaType::parse(&text) {
                prop_assert_eq!(MediaType::parse(media_type.as_str()).unwrap(), media_type);
            }
        }
    }
}
