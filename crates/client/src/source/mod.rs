//! Images on this machine as they are read for a push: an OCI layout with random access, or an archive that comes as a
//! stream and is read once.
//!
//! Invariants: everything in a file or stream is hostile until it was checked: paths are compared and never opened,
//! documents have a size limit, and content is known by the digest that was computed from it. No layer is held in
//! memory or copied to a file.

mod archive;
mod beneath;
mod entries;
mod error;
mod layout;
mod paths;
mod platform;

pub(crate) use archive::{ArchiveImage, ArchiveIndex, refused};
pub(crate) use entries::{Body, Entries, Entry};
pub use error::SourceError;
pub(crate) use layout::{Document, Layout, blob_path};
pub use platform::{Platform, PlatformError};

/// The most bytes of a document (configuration, manifest, index) that are read into memory.
pub(crate) const DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;
