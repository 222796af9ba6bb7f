//! The pool of read-only connections.
//!
//! Invariant: a connection in the pool has no open transaction, and each read runs in one of its own, so all
//! its statements see one state.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::{Reader, RecordError};

pub(super) struct Readers {
    free: Mutex<Vec<Connection>>,
    // As many permits as connections: whoever holds one finds a connection.
    seats: Arc<Semaphore>,
    count: u32,
}

impl Readers {
    pub(super) fn new(connections: Vec<Connection>) -> Self {
        Self {
            seats: Arc::new(Semaphore::new(connections.len())),
            count: u32::try_from(connections.len()).unwrap_or(u32::MAX),
            free: Mutex::new(connections),
        }
    }

    pub(super) async fn read<T, E>(
        self: &Arc<Self>,
        work: impl FnOnce(&Reader<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RecordError> + Send + 'static,
    {
        let seat = Arc::clone(&self.seats).acquire_owned().await.map_err(|_closed| RecordError::Closed)?;
        let pool = Arc::clone(self);
        let outcome = tokio::task::spawn_blocking(move || {
            let Some(connection) = pool.lock().pop() else {
                return Err(E::from(RecordError::Closed));
            };
            let outcome = on_snapshot(&connection, work);
            pool.lock().push(connection);
            drop(seat);
            outcome
        });
        outcome.await.map_err(|_panicked_or_stopping| E::from(RecordError::Panicked))?
    }

    /// Waits for the reads under way and closes the connections.
    pub(super) async fn close(&self) {
        // A closed pool has no seats left to wait for.
        if let Ok(all) = self.seats.acquire_many(self.count).await {
            self.seats.close();
            drop(all);
            self.lock().clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        // Nothing panics while holding it, and a list of connections has no half-changed state.
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn on_snapshot<T, E: From<RecordError>>(
    connection: &Connection,
    work: impl FnOnce(&Reader<'_>) -> Result<T, E>,
) -> Result<T, E> {
    run(connection, "BEGIN DEFERRED")?;
    let outcome = catch_unwind(AssertUnwindSafe(|| work(&Reader { connection })));
    // A fault may have ended the transaction already.
    let ended = if connection.is_autocommit() { Ok(()) } else { run(connection, "ROLLBACK") };
    let value = outcome.map_err(|_reported_by_the_hook| RecordError::Panicked)??;
    ended?;
    Ok(value)
}

fn run(connection: &Connection, statement: &str) -> Result<(), RecordError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}
