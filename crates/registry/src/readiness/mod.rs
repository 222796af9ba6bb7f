//! Whether an image is here: announced pushes, the status of one digest, and waiting for it.
//!
//! Invariant: *ready* is said of a digest, never of a name: everything that the manifest names, its children
//! included, is in its repository and not known to be damaged, in one snapshot of the records.

mod announce;
mod look;
mod status;

pub use announce::{Announcement, BELIEVED, MOST_PARTS};
pub use hythe_store::records::announcements::AnnouncedPart;
pub use status::{Amount, Condition, ImageStatus, LONGEST_WAIT};
