//! Pushing: upload sessions, mounts, manifests, and deleting what was pushed.

mod delete;
mod manifests;
mod mount;
mod uploads;

pub use manifests::{ManifestPush, PushedManifest};
pub use mount::Mounted;
pub use uploads::{Body, BodyError, Chunk, Expected, Placed};
