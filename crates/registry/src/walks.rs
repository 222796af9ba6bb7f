//! Work that may take long for one request: following an image's children, parsing megabytes of JSON.
//!
//! Invariant: few such works are under way at one time, never on a connection's thread, and whoever waits for a
//! turn holds nothing meanwhile, no reader of the records least of all. So no number of such requests keeps
//! ordinary ones waiting.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// Looks under way at one time on behalf of whoever may pull, strangers included. Half of the records' readers, so that
/// ordinary reads always find one.
const LOOKS: usize = 2;

/// The same on behalf of whoever may push, whom strangers must not be able to keep waiting.
const PUSHES: usize = 1;

/// Requests that wait for a turn to look; one more is answered with "busy". Most looks are over in a moment.
const LOOKS_WAITING: usize = 256;

/// The same of those who push.
const PUSHES_WAITING: usize = 64;

/// Bytes of JSON that are parsed at once, without a turn: real manifests have fewer.
const AT_ONCE_BYTES: usize = 64 * 1024;

/// One kind of such work.
pub(crate) struct Walks {
    /// Places of those under way and those who wait.
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// A turn. It goes into the work itself, which goes on when its client has gone.
#[derive(Debug)]
pub(crate) struct Turn {
    _turn: OwnedSemaphorePermit,
    _place: Option<OwnedSemaphorePermit>,
}

impl Walks {
    pub(crate) fn for_looks() -> Self {
        Self::new(LOOKS, LOOKS_WAITING)
    }

    pub(crate) fn for_pushes() -> Self {
        Self::new(PUSHES, PUSHES_WAITING)
    }

    fn new(at_once: usize, waiting: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(at_once + waiting)), turns: Arc::new(Semaphore::new(at_once)) }
    }

    /// Waits for a turn; [`Error::Busy`] when too many wait already.
    pub(crate) async fn turn(&self) -> Result<Turn, Error> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_full| Error::Busy)?;
        self.next(Some(place)).await
    }

    /// Waits for a turn however many wait: for those whose number has a limit elsewhere.
    pub(crate) async fn patient_turn(&self) -> Result<Turn, Error> {
        self.next(None).await
    }

    async fn next(&self, place: Option<OwnedSemaphorePermit>) -> Result<Turn, Error> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_closed| Error::Busy)?;
        Ok(Turn { _turn: turn, _place: place })
    }

    /// Does work that takes time with the number of `bytes`: little at once, much in its turn on a thread that may block.
    pub(crate) async fn work<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= AT_ONCE_BYTES {
            return Ok(work());
        }
        let turn = self.turn().await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_panicked_or_stopping| Error::broken("work on a request's bytes did not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn few_are_under_way_few_wait_and_the_rest_is_told_so() {
        let walks = Arc::new(Walks::new(2, 3));
        let held = (walks.turn().await.unwrap(), walks.turn().await.unwrap());
        let wait = || {
            let walks = Arc::clone(&walks);
            tokio::spawn(async move { walks.turn().await.map(drop) })
        };
        let waiting = [wait(), wait(), wait()];
        tokio::task::yield_now().await;
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        assert!(matches!(walks.turn().await, Err(Error::Busy)));
        let patient = tokio::spawn({
            let walks = Arc::clone(&walks);
            async move { walks.patient_turn().await.map(drop) }
        });
        // Whoever hangs up leaves the queue.
        let [gone, ..] = &waiting;
        gone.abort();
        tokio::task::yield_now().await;
        let again = wait();
        drop(held);
        again.await.unwrap().unwrap();
        patient.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn much_work_leaves_the_connections_thread() {
        let walks = Walks::for_pushes();
        let here = std::thread::current().id();
        let thread = || std::thread::current().id();
        assert_eq!(walks.work(AT_ONCE_BYTES, thread).await.unwrap(), here);
        assert_ne!(walks.work(AT_ONCE_BYTES + 1, thread).await.unwrap(), here);
    }
}
