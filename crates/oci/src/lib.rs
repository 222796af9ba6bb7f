//! The wire types of the OCI distribution and image specifications: names, references, digests,
//! descriptors, manifests, routes, scopes, ranges and error codes.
//!
//! Everything from outside is hostile until it has been parsed into one of these types, and a value
//! of one of these types is always valid. Nothing here does input or output: each function is pure,
//! so one parser serves routing, authorisation, logs and the client alike.

// Every module here reads hostile text, where an index out of bounds would be a denial of service.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

#[cfg(test)]
mod arbitrary;
mod content_range;
mod descriptor;
mod digest;
mod endpoint;
mod error;
mod fields;
mod hasher;
mod json;
pub mod limits;
mod manifest;
pub mod media_type;
mod name;
mod quote;
mod range;
mod reference;
mod route;
mod scope;
mod tag;
mod text;
mod upload_id;

pub use content_range::{ContentRange, ContentRangeError};
pub use descriptor::{Descriptor, Platform};
pub use digest::{Algorithm, Digest, DigestError};
pub use endpoint::Endpoint;
pub use error::ErrorCode;
pub use fields::FieldFault;
pub use hasher::{HashStateError, Hasher};
pub use json::JsonError;
pub use manifest::{Manifest, ManifestError, ManifestKind};
pub use media_type::{MediaType, MediaTypeError};
pub use name::{NameError, ProjectName, RepositoryName, UserName};
pub use range::{ByteRanges, RangeAnswer};
pub use reference::{Reference, ReferenceError};
pub use route::{Route, RouteError};
pub use scope::{Action, Actions, ScopeSet};
pub use tag::{Tag, TagError};
pub use upload_id::{UploadId, UploadIdError};
