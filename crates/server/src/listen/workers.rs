//! The threads that serve connections, each with a runtime of its own.
//!
//! A connection stays on the thread it was given to, so that a small request is read, answered and written
//! without waking another thread; a runtime that shares its tasks wakes one for almost every request. Work
//! that keeps a core busy or waits for the disk is on the blocking pool in any case.

use std::io;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Threads for the connections of all listeners; they end, with whatever still runs there, when this is dropped.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Arc<Worker>>,
    _end: DropGuard,
}

#[derive(Debug)]
struct Worker {
    runtime: Handle,
    connections: AtomicUsize,
}

/// A connection's place on a worker, counted until it is dropped.
#[derive(Debug)]
pub(super) struct Place(Arc<Worker>);

impl Workers {
    /// As many threads.
    pub fn start(threads: NonZeroUsize) -> io::Result<Self> {
        let end = CancellationToken::new();
        let worker = |number: usize| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let end = end.clone();
            thread::Builder::new()
                .name(format!("connections-{number}"))
                .spawn(move || runtime.block_on(end.cancelled()))?;
            Ok(Arc::new(Worker { runtime: handle, connections: AtomicUsize::new(0) }))
        };
        let workers = (0..threads.get()).map(worker).collect::<io::Result<_>>()?;
        Ok(Self { workers, _end: end.drop_guard() })
    }

    /// One thread for each core this process may use.
    pub fn for_this_machine() -> io::Result<Self> {
        Self::start(thread::available_parallelism()?)
    }

    /// A place on the thread with the fewest connections.
    pub(super) fn place(&self) -> Place {
        let least = self.workers.iter().min_by_key(|worker| worker.connections.load(Ordering::Relaxed));
        let worker = Arc::clone(least.expect("there is a worker, for their number is not zero"));
        worker.connections.fetch_add(1, Ordering::Relaxed);
        Place(worker)
    }
}

impl Place {
    /// The runtime of the place's thread.
    pub(super) fn runtime(&self) -> Handle {
        self.0.runtime.clone()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_with_the_fewest_connections_is_next() {
        let workers = Workers::start(NonZeroUsize::new(2).unwrap()).unwrap();
        let (first, second) = (workers.place(), workers.place());
        assert!(!Arc::ptr_eq(&first.0, &second.0));
        let freed = Arc::clone(&second.0);
        drop(second);
        assert!(Arc::ptr_eq(&workers.place().0, &freed));
    }

    #[test]
    fn work_runs_on_the_thread_of_its_place() {
        let workers = Workers::start(NonZeroUsize::MIN).unwrap();
        let (say, said) = std::sync::mpsc::channel();
        workers.place().runtime().spawn(async move { say.send(thread::current().name().map(str::to_owned)) });
        assert_eq!(said.recv().unwrap().as_deref(), Some("connections-0"));
    }
}
