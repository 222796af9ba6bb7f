//! Manifests: what an image or an index says about itself, read once and checked.
//!
//! The registry keeps a manifest's bytes as they came; this is its view of them. The view is refused
//! where another reader of the same bytes could see something else: duplicate keys, keys in another
//! case, an image and an index in one document (the class of CVE-2021-41190), or a type in the body
//! that is not the one in the header.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::descriptor::Descriptor;
use crate::error::ErrorCode;
use crate::fields::{FieldFault, Fields};
use crate::json::{self, JsonError};
use crate::limits::{DESCRIPTORS, MANIFEST_BYTES};
use crate::media_type::{
    DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED, MediaType, OCI_ARTIFACT_MANIFEST, OCI_INDEX, OCI_MANIFEST,
};

/// Whether a manifest describes content or lists other manifests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ManifestKind {
    /// A configuration and layers: an image, or any other artifact.
    Image,
    /// A list of manifests, which may hold blobs too (BuildKit caches).
    Index,
}

/// The checked view of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The type it was pushed with, else the one in its body, else the OCI type of its shape.
    pub media_type: MediaType,
    /// Image or index, by its shape.
    pub kind: ManifestKind,
    /// The configuration of an image; every image of a known type has one.
    pub config: Option<Descriptor>,
    /// The layers of an image, lowest first; empty for an index.
    pub layers: Vec<Descriptor>,
    /// The entries of an index, which may be manifests of any type or blobs; empty for an image.
    pub children: Vec<Descriptor>,
    /// The manifest that this one is about; it need not exist.
    pub subject: Option<Descriptor>,
    /// The kind of artifact, as pushed.
    pub artifact_type: Option<String>,
    /// Annotations of the manifest itself.
    pub annotations: BTreeMap<String, String>,
}

const KNOWN: [&str; 8] =
    ["schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations"];

impl Manifest {
    /// Reads a manifest that was sent with this content type.
    ///
    /// A content type that is not known is taken, and the document judged by its shape.
    ///
    /// # Errors
    /// [`ManifestError`] when `bytes` are too many, not one unambiguous JSON document, of a kind that
    /// is not kept, or outside the image specification.
    pub fn parse(content_type: Option<&MediaType>, bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MANIFEST_BYTES {
            return Err(ManifestError::TooLarge { bytes: bytes.len() });
        }
        content_type.map_or(Ok(()), refuse_former)?;
        let document = json::parse(bytes)?;
        let fields = Fields::of(&document, "", &KNOWN)?;
        let declared = declared_type(&fields, content_type)?;
        check_schema_version(&fields)?;
        let (media_type, kind) = classify(&fields, declared)?;
        Ok(Self {
            media_type,
            kind,
            config: one(&fields, "config")?,
            layers: many(&fields, "layers")?,
            children: many(&fields, "manifests")?,
            subject: one(&fields, "subject")?,
            artifact_type: fields.text("artifactType")?.map(str::to_owned),
            annotations: fields.text_map("annotations")?,
        })
    }

    /// What the referrers API reports as this manifest's artifact type: its own, else the media type
    /// of its configuration, as pushed; an index without one has none.
    pub fn referrer_type(&self) -> Option<&str> {
        self.artifact_type.as_deref().or_else(|| self.config.as_ref()?.media_type.as_deref())
    }

    /// The blobs that must be in the repository before the manifest is taken: the configuration and
    /// the layers, without those whose type lets them be elsewhere.
    pub fn required_blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers).filter(|descriptor| !descriptor.is_nondistributable())
    }

    /// Everything the manifest keeps alive: configuration, layers and children, but not the subject.
    pub fn references(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers).chain(&self.children)
    }
}

/// The type in the body and in the header, which must agree where both are given.
fn declared_type(
    fields: &Fields<'_>,
    content_type: Option<&MediaType>,
) -> Result<Option<MediaType>, ManifestError> {
    let Some(text) = fields.text("mediaType")? else { return Ok(content_type.cloned()) };
    let body = MediaType::parse(text).map_err(|error| fields.wrong("mediaType", &error))?;
    refuse_former(&body)?;
    match content_type {
        Some(header) if *header != body => Err(ManifestError::TypeMismatch { header: header.clone(), body }),
        _ => Ok(Some(body)),
    }
}

/// Types that no longer are anyone's to push, each with a sentence of its own.
fn refuse_former(declared: &MediaType) -> Result<(), ManifestError> {
    if declared.is_schema1() {
        Err(ManifestError::Schema1)
    } else if declared.is_artifact_manifest() {
        Err(ManifestError::ArtifactManifest)
    } else {
        Ok(())
    }
}

fn check_schema_version(fields: &Fields<'_>) -> Result<(), ManifestError> {
    match fields.value("schemaVersion").map(Value::as_u64) {
        Some(Some(2)) => Ok(()),
        Some(Some(1)) => Err(ManifestError::Schema1),
        None => Err(fields.fault("schemaVersion", "is missing, and must be 2").into()),
        Some(_) => Err(fields.fault("schemaVersion", "must be the number 2").into()),
    }
}

/// Image or index: by the members the document has, which its type may not contradict. Without a type
/// it is held to the OCI type of its shape.
fn classify(
    fields: &Fields<'_>,
    declared: Option<MediaType>,
) -> Result<(MediaType, ManifestKind), ManifestError> {
    let has = |key| fields.value(key).is_some();
    let image = has("config") || has("layers");
    if image && has("manifests") {
        return Err(ManifestError::Ambiguous);
    }
    let media_type = match declared {
        Some(declared) => declared,
        None if has("manifests") => MediaType::known(OCI_INDEX),
        None if image => MediaType::known(OCI_MANIFEST),
        None => return Err(ManifestError::Shapeless),
    };
    let kind = if media_type.is_image() {
        check_image(fields)?;
        ManifestKind::Image
    } else if media_type.is_index() {
        check_index(fields)?;
        ManifestKind::Index
    } else if has("manifests") {
        ManifestKind::Index
    } else if image {
        ManifestKind::Image
    } else {
        return Err(ManifestError::Shapeless);
    };
    Ok((media_type, kind))
}

fn check_image(fields: &Fields<'_>) -> Result<(), FieldFault> {
    if fields.value("manifests").is_some() {
        Err(fields.fault("manifests", "does not belong into an image manifest"))
    } else if fields.value("config").is_none() {
        Err(fields.fault("config", "is missing, and an image manifest has one"))
    } else {
        Ok(())
    }
}

fn check_index(fields: &Fields<'_>) -> Result<(), FieldFault> {
    let stray = ["config", "layers"].into_iter().find(|key| fields.value(key).is_some());
    match stray {
        Some(stray) => Err(fields.fault(stray, "does not belong into an index")),
        // A list that Go wrote from nothing is null, so null is an empty index.
        None if fields.has_key("manifests") => Ok(()),
        None => Err(fields.fault("manifests", "is missing, and an index has one")),
    }
}

fn one(fields: &Fields<'_>, key: &str) -> Result<Option<Descriptor>, FieldFault> {
    fields.value(key).map(|value| Descriptor::read(value, &fields.place_of(key))).transpose()
}

fn many(fields: &Fields<'_>, key: &str) -> Result<Vec<Descriptor>, FieldFault> {
    let values = fields.array(key)?.unwrap_or_default();
    if values.len() > DESCRIPTORS {
        let fault = format!("has {} entries, and at most {DESCRIPTORS} are taken", values.len());
        return Err(fields.fault(key, fault));
    }
    let read = |(at, value)| Descriptor::read(value, &format!("{}[{at}]", fields.place_of(key)));
    values.iter().enumerate().map(read).collect()
}

/// Why a manifest was refused; its text is a sentence for the person who pushed it.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Over [`MANIFEST_BYTES`].
    #[error(
        "The manifest is {bytes} bytes long, and at most {MANIFEST_BYTES} are taken; clients read no more than that either."
    )]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or ambiguous or outsized JSON.
    #[error("The manifest was refused. {0}")]
    Json(#[from] JsonError),
    /// Docker's schema 1, which clients do not read any more.
    #[error(
        "Manifests of Docker schema 1 ({DOCKER_SCHEMA1} and {DOCKER_SCHEMA1_SIGNED}) are not taken; push the image \
         again with docker 1.10 or later, or with podman or skopeo, which write schema 2 or OCI manifests."
    )]
    Schema1,
    /// The artifact manifest of the 1.1 release candidates.
    #[error(
        "The artifact manifest {OCI_ARTIFACT_MANIFEST} was dropped from the image specification before 1.1 and is not \
         taken; push the artifact as an image manifest ({OCI_MANIFEST}) with `artifactType`."
    )]
    ArtifactManifest,
    /// Header and body name two types.
    #[error("The manifest was sent as {header}, and its `mediaType` says {body}; both must be the same.")]
    TypeMismatch {
        /// The type in the header.
        header: MediaType,
        /// The type in the body.
        body: MediaType,
    },
    /// An image and an index in one.
    #[error(
        "The manifest has `manifests` beside `config` or `layers`; it must be either an index or an image, or \
         clients would disagree on what it is."
    )]
    Ambiguous,
    /// Neither an image nor an index.
    #[error(
        "The manifest has neither `manifests` nor `config` and `layers`; push an image manifest ({OCI_MANIFEST}) or \
         an index ({OCI_INDEX})."
    )]
    Shapeless,
    /// One of its members is outside the specification.
    #[error("The manifest was refused because {0}.")]
    Field(#[from] FieldFault),
}

impl ManifestError {
    /// The code to answer with.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge { .. } => ErrorCode::SizeInvalid,
            _ => ErrorCode::ManifestInvalid,
        }
    }

    /// The HTTP status to answer with: 413 for a manifest over the limit, else 400.
    pub const fn status(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 413,
            _ => 400,
        }
    }
}

#[cfg(test)]
mod tests;
