//! Images as they are written on this machine: an OCI layout in a folder, and an archive for engines and files.
//!
//! Invariants: what stands in a layout under a digest has it; a file appears whole or not at all; no path comes from the
//! registry, for names of files are made of checked digests alone.

mod archive;
mod block;
mod incoming;
mod layout;
mod lock;

pub(crate) use archive::{Part, archive, archive_end, archive_file, archive_link};
pub(crate) use block::Block;
pub(crate) use incoming::Incoming;
pub(crate) use layout::LayoutFolder;
