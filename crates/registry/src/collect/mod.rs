//! Collection: finding what nothing needs any more, and removing it by proof while pushes and
//! pulls go on.
//!
//! Order of a run: uploads that were given up, untagged manifests of projects that want them gone,
//! links that no manifest of their repository needs, blobs that no repository holds. A blob is
//! condemned in one transaction and removed in another that states the proof again; its file is
//! unlinked under the digest's latch, and owed to the trash until then, so that a crash leaves
//! either a blob or a debt. Any error ends the run: nothing is removed on a guess.

mod forget;
mod report;
mod run;
mod worker;

pub use report::{CollectReport, Tally};
pub(crate) use run::Run;

use std::time::Duration;

/// How one run is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectOptions {
    /// Only say what would go, and why.
    pub dry_run: bool,
    /// How long something unreferenced is kept; `None` takes the configured time.
    pub grace: Option<Duration>,
}
