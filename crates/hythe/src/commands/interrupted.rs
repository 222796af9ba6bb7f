//! Ending a command that moves images before it is done: Ctrl-C, or a batch system that wants the machine back.
//!
//! Invariant: the work is dropped, not cut, so that whatever it writes beside its place is cleared away.

use tokio::signal::unix::SignalKind;
use tokio::task::JoinHandle;

use super::CLEARING;
use crate::failure::{Exit, Failure};

/// Waits for the work unless a signal ends it; `again` says what the same command will find.
pub(super) async fn unless_ended<T>(
    again: &str,
    mut work: JoinHandle<Result<T, Failure>>,
) -> Result<T, Failure> {
    let (exit, how) = tokio::select! {
        done = &mut work => {
            return done.unwrap_or_else(|ended| std::panic::resume_unwind(ended.into_panic()));
        }
        () = signal(SignalKind::interrupt()) => (Exit::Interrupted, "Interrupted"),
        () = signal(SignalKind::terminate()) => (Exit::Terminated, "Terminated"),
    };
    work.abort();
    // Dropped by now, or busy for longer than anybody waits who has asked for the end.
    drop(tokio::time::timeout(CLEARING, work).await);
    Err(Failure::new(exit, format!("{how} before it was done")).hint(again))
}

/// The arrival of a signal. Where it cannot be waited for, it ends the process by itself.
async fn signal(kind: SignalKind) {
    if let Ok(mut signal) = tokio::signal::unix::signal(kind)
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}
