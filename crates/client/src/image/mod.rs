//! Names of images: here, in a registry, and as `image:` addresses.
//!
//! Pure functions over text; nothing is sent anywhere. Invariants kept here:
//!
//! - a value has passed the grammar of the OCI distribution specification, so it may stand in a path;
//! - what was read from an address and is written again reads back as the same value, whatever the
//!   organisation;
//! - a name never turns into a name in another registry: an unknown cluster is an error.
//!
//! | noun | is |
//! |---|---|
//! | [`ImageReference`] | `[host[:port]/]path[:tag][@digest]`, as docker reads it |
//! | [`LocalImage`] | an image in an engine or archive on this machine |
//! | [`RemoteImage`] | an image in a registry, and where in its organisations and projects it lies |
//! | [`ImageUri`] | `image:app:v1`, `image:/project/app`, `image://cluster/org/project/app` |
//! | [`Profile`], [`Cluster`] | what the short forms are short for |

#[cfg(test)]
pub(crate) mod arbitrary;
mod cluster;
mod error;
mod local;
mod profile;
mod reference;
mod registry;
mod remote;
mod tag;
mod unique;
mod uri;

pub use cluster::{Cluster, ClusterName};
pub use error::ImageNameError;
pub use local::LocalImage;
pub use profile::Profile;
pub use reference::ImageReference;
pub(crate) use registry::HostPort;
pub use registry::{DOCKER_HUB, Registry, Scheme};
pub use remote::RemoteImage;
pub use tag::Tag;
pub use unique::{UNIQUE_DIGITS, unique_tag};
pub use uri::ImageUri;

/// Most bytes of any name or address that is read: three times the longest valid one, percent-quoted.
pub const IMAGE_NAME_BYTES: usize = 4096;
