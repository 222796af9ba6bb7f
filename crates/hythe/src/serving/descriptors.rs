//! The process's limit of open files: one a connection, one a transfer.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit that programs get by default to the one that they may have, and warns if that is too low.
pub(super) fn raise(connections: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    // Neither is set where there is no limit.
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit = getrlimit(Resource::Nofile);
        }
    }
    let wanted = connections.saturating_mul(2);
    if let Some(files) = limit.current.filter(|files| *files < wanted) {
        tracing::warn!(
            files,
            wanted,
            "so few files may be open that `limits.connections` cannot be reached: raise LimitNOFILE, or lower the setting"
        );
    }
}
