//! Moving images between this machine and a registry.
//!
//! Invariants: a manifest is written last, when everything it names is there; what is received has the digest asked for,
//! or is not left behind; memory is bounded by a few pieces per blob that moves, whatever the image's size; a transfer
//! that is dropped in the middle leaves only what the next one goes on with.

mod announcement;
mod asked;
mod blob;
mod copy;
mod error;
mod held;
mod memory;
mod pull;
mod push_archive;
mod push_layout;
mod reading;
mod status;
mod streamed;
mod target;
mod written;

pub use asked::{ImageSize, PlatformSize};
pub use copy::CopyOptions;
pub use error::TransferError;
pub use memory::Memory;
pub use pull::{PullOptions, Pulled};
pub use reading::{archive_from, archive_in_file};
pub use target::{PushOptions, Pushed, Target};
