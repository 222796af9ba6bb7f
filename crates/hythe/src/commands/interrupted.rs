//! Ending a command that moves images before it is done: Ctrl-C, or a batch system that wants the machine back.
//!
//! Invariant: the work is dropped, not cut, so that whatever it writes beside its place is cleared away.

use crate::failure::{Exit, Failure};

/// Does the work unless a signal ends it; `again` says what the same command will find.
pub(super) async fn unless_ended<T>(
    again: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let ended =
        |exit: Exit, how: &str| Err(Failure::new(exit, format!("{how} before it was done")).hint(again));
    tokio::select! {
        done = work => done,
        () = signal(tokio::signal::unix::SignalKind::interrupt()) => ended(Exit::Interrupted, "Interrupted"),
        () = signal(tokio::signal::unix::SignalKind::terminate()) => ended(Exit::Terminated, "Terminated"),
    }
}

/// The arrival of a signal. Where it cannot be waited for, it ends the process by itself.
async fn signal(kind: tokio::signal::unix::SignalKind) {
    if let Ok(mut signal) = tokio::signal::unix::signal(kind)
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}
