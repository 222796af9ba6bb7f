//! Connections for bodies out of files that wait for their next one. The blobs of an image follow each other, and a
//! connection that has been in use is sent to in larger goes from its first byte.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::client::conn::http1::SendRequest;
use hythe_sendfile::Lane;
use reqwest::Body;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::Origin;

/// How long after its last answer one is used again: less than servers wait. A body cannot be sent a second time, so a
/// connection that the server closes just when it is taken would fail an exchange. An older one is closed when the next is
/// asked for or given back, or by the server.
const FRESH: Duration = Duration::from_secs(3);

/// How many wait at most; what is given back beyond them is closed.
const MOST: usize = 16;

/// A connection on which nothing is under way.
pub(crate) struct Kept {
    pub(crate) sender: SendRequest<Body>,
    pub(crate) lane: Lane,
    /// What drives it.
    pub(crate) task: JoinHandle<hyper::Result<()>>,
}

/// Connections by where they lead.
#[derive(Default)]
pub(crate) struct Waiting(Mutex<Vec<(Origin, Instant, Kept)>>);

impl Waiting {
    /// One that leads there and has read its last answer.
    pub(crate) fn take(&self, origin: &Origin) -> Option<Kept> {
        let mut waiting = self.fresh();
        let ready = |(leads, _, kept): &(Origin, Instant, Kept)| leads == origin && kept.sender.is_ready();
        let found = waiting.iter().rposition(ready)?;
        Some(waiting.remove(found).2)
    }

    /// Keeps one whose answer may still be read.
    pub(crate) fn give(&self, origin: Origin, kept: Kept) {
        let mut waiting = self.fresh();
        if waiting.len() < MOST {
            waiting.push((origin, Instant::now(), kept));
        }
    }

    /// The list without those that ended or waited for long.
    fn fresh(&self) -> MutexGuard<'_, Vec<(Origin, Instant, Kept)>> {
        // Every critical section leaves the list whole.
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(_, since, kept)| !kept.sender.is_closed() && since.elapsed() < FRESH);
        waiting
    }
}
