//! Speaking the registry protocol (OCI distribution specification 1.1) to any registry.
//!
//! A [`Remote`] is one registry seen by one identity. Invariants kept here:
//!
//! - credentials go to the registry's own origin and to the token realm it names, if that realm passes the
//!   rule in [`realm`]; a redirect, an upload `Location` or the next page of a list elsewhere gets none;
//! - what is returned as a manifest or at the end of a blob stream has the digest asked for;
//! - a refusal carries the registry's own sentences, codes, details and request id;
//! - what may pass is tried again, within the bounds of a [`RetryPolicy`], and an observer hears of it; what
//!   a registry refuses, and wrong bytes, are not.
//!
//! ```no_run
//! use futures_util::TryStreamExt as _;
//! use hythe_outbound::{Outbound, Url};
//! use hythe_remote::{Credentials, Remote, in_memory};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let address = Url::parse("https://registry.example")?;
//! let remote = Remote::new(Outbound::builder().build()?, &address, &Credentials::Anonymous)?
//!     .with_observer(|retry| eprintln!("{} again in {:?}: {}", retry.what, retry.delay, retry.reason));
//! let (repository, reference) = ("lab/app".parse()?, "v1".parse()?);
//!
//! let resolved = remote.resolve(&repository, &reference).await?;
//! println!("{} is {} ({} bytes)", reference, resolved.digest, resolved.size);
//!
//! let content = bytes::Bytes::from_static(b"{}");
//! let digest = hythe_oci::Digest::of(hythe_oci::Algorithm::Sha256, &content);
//! remote.push_blob(&repository, &digest, 2, in_memory(content)).await?;
//! let mut blob = std::pin::pin!(remote.pull_blob(&repository, &digest, Some(2)).await?.into_stream());
//! while let Some(chunk) = blob.try_next().await? {
//!     println!("{} bytes, not to be used before the end", chunk.len());
//! }
//! # Ok(())
//! # }
//! ```

mod blob;
pub mod challenge;
mod content_range;
mod credentials;
mod delete;
mod error;
mod link;
mod location;
mod manifest;
mod pages;
mod ping;
pub mod realm;
mod referrers;
mod refusal;
mod remote;
mod retry;
mod retry_after;
mod scope;
mod sign_in;
mod token;
mod upload;
mod verify;

pub use blob::{BlobDownload, BlobPart, BlobStat, RangedPull};
pub use credentials::Credentials;
pub use error::RemoteError;
pub use hythe_outbound::Content;
pub use manifest::{PulledManifest, PushedManifest, ResolvedManifest};
pub use pages::Pages;
pub use ping::{Ping, SignIn, Standing};
pub use referrers::{Referrers, ReferrersSource};
pub use refusal::{Refusal, RefusalEntry};
pub use remote::Remote;
pub use retry::{Retry, RetryPolicy};
pub use upload::{Expected, Mount, Upload, chunks, in_memory};
