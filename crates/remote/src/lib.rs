//! Speaking the registry protocol (OCI distribution specification 1.1) to any registry.
//!
//! A [`Remote`] is one registry seen by one identity. Invariants kept here:
//!
//! - credentials go to the registry's own origin and to the token realm it names, if that realm
//!   passes the rule in [`realm`]; a redirect, an upload `Location` or a foreign layer address
//!   elsewhere gets none;
//! - what is returned as a manifest or at the end of a blob stream has the digest asked for;
//! - a refusal carries the registry's own sentence, code and request id.

mod blob;
pub mod challenge;
mod error;
mod manifest;
pub mod realm;
mod refusal;
mod remote;
mod scope;
mod token;
mod verify;

pub use blob::{BlobDownload, chunks};
pub use error::RemoteError;
pub use manifest::PulledManifest;
pub use refusal::Refusal;
pub use remote::{Credentials, Remote};
