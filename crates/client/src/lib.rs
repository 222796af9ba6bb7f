//! The SDK of Hythe: what a program needs to work with a Hythe server.
//!
//! [`Api`] speaks `/api/v1`: projects, members, users, repositories, uploads. Images go over
//! [`hythe_remote::Remote`], which works with any registry. [`sample`] makes a small real image to
//! try a registry with.
//!
//! Pure parts, which send nothing: [`image`] reads and writes the names of images, here and in
//! registries; [`progress`] is what a transfer says about itself; [`credentials`] reads the logins
//! that docker and podman keep.

pub mod account;
mod api;
mod blocking;
mod container_registry;
pub mod credentials;
pub mod engine;
mod error;
mod failure;
#[doc(hidden)]
pub mod fuzzing;
pub mod image;
pub mod images;
pub mod info;
pub mod pack;
pub mod profiles;
pub mod progress;
pub mod removal;
pub mod sample;
mod sink;
mod source;
mod spare;
pub mod transfer;

pub use api::{Api, Pages};
pub use container_registry::{ContainerRegistry, DockerLogin, LoginMethod, NamedImage, Naming};
pub use error::{ApiError, Refused};
pub use failure::ClientError;
pub use hythe_remote::Credentials;
pub use images::{Images, Within};
pub use source::{Platform, PlatformError, SourceError};

/// The examples of `docs/sdk.md` compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/sdk.md")]
struct Examples;
