//! Moving images between this machine and a registry.
//!
//! Invariants: a manifest is written last, when everything it names is there; what is received has the digest asked for,
//! or is not left behind; memory is bounded by a few pieces per blob that moves, whatever the image's size; a transfer
//! that is dropped in the middle leaves only what the next one goes on with.

mod announcement;
mod archived;
mod asked;
mod blob;
mod commit;
mod copy;
mod error;
mod fetch;
mod held;
mod layout_archive;
mod memory;
mod parts;
mod preview;
mod pull;
mod pull_layout;
mod push_archive;
mod push_engine;
mod push_layout;
mod push_stored;
mod pushing;
mod reading;
mod renamed;
mod status;
mod streamed;
mod target;
mod turn;
mod written;

pub(crate) use asked::Named;
pub(crate) use push_layout::{chosen, parse};

pub use asked::{ImageSize, PlatformSize};
pub use copy::CopyOptions;
pub use error::TransferError;
pub use layout_archive::{archive_of_layout, preview_archive_of_layout};
pub use memory::Memory;
pub use preview::Preview;
pub use pull::{PullOptions, Pulled};
pub use reading::{archive_from, archive_in_file};
pub use renamed::archive_called;
pub use target::{PushOptions, Pushed, Target};

/// Small requests that are under way at once.
pub(crate) const AT_ONCE: usize = 8;

/// The most manifests of one image that are looked at.
const MOST_MANIFESTS: usize = 10_000;
