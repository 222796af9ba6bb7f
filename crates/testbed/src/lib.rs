//! Everything the black-box tests need that is not Hythe: the started binary, real daemons and clients,
//! a raw HTTP/1.1 speaker and makers of real image content.
//!
//! Invariant: nothing here depends on another room of Hythe, so a mistake in a shared type cannot hide
//! itself by being made on both sides of the wire. Every process started here ends with the test program
//! ([`Leash`]), and everything written lies in the [`run folder`](run_folder).
//!
//! This crate is for tests: a call that cannot do its job panics with the reason.

mod actor;
mod archive;
mod command;
mod content;
mod control;
mod distribution;
mod docker;
pub mod durability;
pub mod heirloom;
pub mod http;
mod hythe;
mod leash;
mod nginx;
pub mod proxy;
mod relay;
pub mod run_folder;
mod strace;
pub mod tools;

pub use actor::{Actor, location_path};
pub use archive::{docker_archive, layout_folder, layout_tar};
pub use command::{Outcome, Tool};
pub use content::{Content, EMPTY, Family, Image, Index, Packing, artifact, digest, image, index, noise};
pub use control::Control;
pub use distribution::Distribution;
pub use docker::Docker;
pub use hythe::{Hythe, Options, Role, Visibility};
pub use leash::{Leash, Signal};
pub use nginx::Nginx;
pub use relay::{Relay, Way};
pub use strace::Faults;
