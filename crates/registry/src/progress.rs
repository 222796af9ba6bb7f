//! How far a long piece of maintenance is, for whoever watches.

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Blobs done with.
    pub blobs: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes there are in all, as counted at the beginning.
    pub total_bytes: u64,
}

/// Where the work tells how far it is. Telling costs nothing when nobody watches.
#[derive(Debug)]
pub struct Reporter(watch::Sender<Progress>);

impl Reporter {
    /// A reporter and where it is watched.
    pub fn new() -> (Self, watch::Receiver<Progress>) {
        let (sender, receiver) = watch::channel(Progress::default());
        (Self(sender), receiver)
    }

    /// A reporter that nobody watches.
    pub fn silent() -> Self {
        Self::new().0
    }

    pub(crate) fn expect(&self, total_bytes: u64) {
        self.0.send_modify(|progress| progress.total_bytes = total_bytes);
    }

    pub(crate) fn done(&self, bytes: u64) {
        self.0.send_modify(|progress| {
            progress.blobs += 1;
            progress.bytes += bytes;
        });
    }
}
