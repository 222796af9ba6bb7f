//! Speaking the registry protocol (OCI distribution specification 1.1) to any registry.
//!
//! A [`Remote`] is one registry seen by one identity. Invariants kept here:
//!
//! - credentials go to the registry's own origin and to the token realm it names, if that realm
//!   passes the rule in [`realm`]; a redirect, an upload `Location` or a foreign layer address
//!   elsewhere gets none;
//! - what is returned as a manifest or at the end of a blob stream has the digest asked for;
//! - a refusal carries the registry's own sentence, code and request id;
//! - what may pass by itself is tried again, as patiently as the [`RetryPolicy`] says, and nothing else is.

mod blob;
pub mod challenge;
mod delete;
mod download;
mod error;
mod list;
mod manifest;
mod ping;
pub mod realm;
mod referrers;
mod refusal;
mod remote;
mod retry;
mod scope;
mod token;
mod upload;
mod verify;

pub use blob::chunks;
pub use delete::Deleted;
pub use download::{BlobDownload, RangeDownload};
pub use error::RemoteError;
pub use list::Names;
pub use manifest::{PulledManifest, Resolved};
pub use ping::{Ping, SignIn};
pub use refusal::Refusal;
pub use remote::{Credentials, Remote};
pub use retry::{Retry, RetryObserver, RetryPolicy};
pub use upload::{Expected, Mount, Upload};
