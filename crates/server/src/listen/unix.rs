//! The same HTTP over a unix socket that only its owner may open: the way in for maintenance commands.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use tokio::net::UnixListener;

use super::connection::Connections;
use crate::drain::DrainWatch;
use crate::limits::ListenLimits;
use crate::metrics::Metrics;
use crate::request::Peer;

/// A bound socket of mode 600 that takes connections as soon as it exists; dropping it removes the file.
#[derive(Debug)]
pub struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// Binds the socket `path`; needs a running tokio runtime.
///
/// A socket left behind by a dead process is replaced: the caller holds the lock of the folder it lies
/// in, so nobody else can be listening. The folder must be closed to other users, because the socket
/// gets its mode a moment after it appears.
pub fn bind_unix(path: &Path) -> io::Result<UnixSocket> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(UnixSocket { listener, path: path.to_owned() })
}

/// Serves `router` on a bound socket until the drain begins, then removes the socket's file.
pub async fn serve_unix(socket: UnixSocket, router: Router, metrics: Arc<Metrics>, drain: DrainWatch) {
    let connections = Connections::new(router, ListenLimits::default(), false, metrics, drain.clone());
    loop {
        let accepted = tokio::select! {
            accepted = socket.listener.accept() => accepted,
            () = drain.stopping() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                let connections = connections.clone();
                drain.spawn(async move { connections.serve(stream, None, Peer::LOCAL).await });
            }
            Err(error) => super::pause_after(&error).await,
        }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, "the control socket could not be removed; the next start replaces it");
        }
    }
}
