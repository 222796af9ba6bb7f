//! The graceful stop: stop accepting, let what is in flight finish, cut what takes too long.
//!
//! One [`Drain`] belongs to the process; every listener and connection holds a [`DrainWatch`] of it.

use std::time::Duration;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The hand on the switch: tells all listeners and connections to end, and waits for them.
#[derive(Debug, Default)]
pub struct Drain {
    watch: DrainWatch,
}

/// A listener's or a connection's view of the drain.
#[derive(Clone, Debug, Default)]
pub struct DrainWatch {
    stopping: CancellationToken,
    cutting: CancellationToken,
    tasks: TaskTracker,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// Everything in flight was finished.
    Clean,
    /// The limit passed, and so many connections were cut.
    Cut(usize),
}

impl Drain {
    /// A drain that nothing watches yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A view to give to a listener.
    pub fn watch(&self) -> DrainWatch {
        self.watch.clone()
    }

    /// Stops accepting, closes idle connections, waits up to `limit` for the others, then cuts them.
    pub async fn finish(self, limit: Duration) -> Drained {
        self.watch.stopping.cancel();
        self.watch.tasks.close();
        if tokio::time::timeout(limit, self.watch.tasks.wait()).await.is_ok() {
            return Drained::Clean;
        }
        let left = self.watch.tasks.len();
        self.watch.cutting.cancel();
        self.watch.tasks.wait().await;
        if left == 0 { Drained::Clean } else { Drained::Cut(left) }
    }
}

impl DrainWatch {
    /// Resolves when no new work may begin.
    pub async fn stopping(&self) {
        self.stopping.cancelled().await;
    }

    /// Whether the stop has begun; `/readyz` says no from then on.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_cancelled()
    }

    /// Resolves when the patience with running work is over.
    pub(crate) async fn cutting(&self) {
        self.cutting.cancelled().await;
    }

    /// Runs a connection that the drain waits for.
    pub(crate) fn spawn(&self, connection: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(connection);
    }

    /// The same on another runtime than the caller's.
    pub(crate) fn spawn_on(&self, runtime: &Handle, connection: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(connection, runtime);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_for_running_work() {
        let drain = Drain::new();
        drain.watch().spawn(tokio::time::sleep(Duration::from_secs(3)));
        assert_eq!(drain.finish(Duration::from_secs(10)).await, Drained::Clean);
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_what_outlives_the_limit() {
        let drain = Drain::new();
        let watch = drain.watch();
        let inner = watch.clone();
        watch.spawn(async move { inner.cutting().await });
        assert_eq!(drain.finish(Duration::from_secs(1)).await, Drained::Cut(1));
        assert!(watch.is_stopping());
    }
}
