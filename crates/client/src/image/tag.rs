//! A tag and the bytes behind it.

use serde::Serialize;

/// A tag of a repository, and how large the image under it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// The tag.
    pub name: hythe_oci::Tag,
    /// The bytes of the image as the registry keeps it: configurations and (compressed) layers of all its platforms, each
    /// blob counted once. `None` where the registry was not asked.
    pub size: Option<u64>,
}
