//! Images on this machine as they are read for a push: an OCI layout or docker's own folder with random access, or an
//! archive that comes as a stream and is read once.
//!
//! Invariants: everything in a file or stream is hostile until it was checked: paths are compared and never opened,
//! documents have a size limit, and content is known by the digest that was computed from it. No layer is held in
//! memory or copied to a file.

mod archive;
mod beneath;
mod docker_store;
mod entries;
mod error;
mod layout;
mod paths;
mod platform;
mod tar_split;

pub(crate) use archive::{ArchiveImage, ArchiveIndex, refused, same};
pub(crate) use docker_store::{DockerStore, StoredImage};
pub(crate) use entries::{Body, Entries, Entry};
pub use error::SourceError;
pub(crate) use layout::{Document, Layout, blob_path};
pub use platform::{Platform, PlatformError};
pub(crate) use tar_split::{Part, unpacked_parts};

/// The most bytes of a document (configuration, manifest, index) that are read into memory.
pub(crate) const DOCUMENT_BYTES: u64 = 4 * 1024 * 1024;
