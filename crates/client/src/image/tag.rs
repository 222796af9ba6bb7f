//! A tag and the bytes behind it.

use serde::Serialize;

/// A tag of a repository, and how large the image under it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// The tag.
    pub name: hythe_oci::Tag,
    /// The distinct bytes of the image as the registry keeps it: manifests, configurations and (compressed)
    /// layers of all its platforms. `None` where the registry was not asked or does not tell.
    pub size: Option<u64>,
}
