//! Starting and stopping a server in this process.
//!
//! The order is the promise: everything that can be wrong with the configuration is found before the data
//! folder is touched, everything that can be wrong with the folder before a port is bound (but for the first
//! administrator: a start that cannot bind would keep to itself where the password is), and when the
//! port accepts, every part behind it works. Stopping goes the other way round, with a limit.

mod admin;
mod certificate;
mod descriptors;
mod faces;
mod options;
mod signals;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hythe_identity::Identity;
use hythe_registry::{JobHandle, Registry};
use hythe_server::drain::{Drain, Drained};
use hythe_server::listen::Workers;
use hythe_store::{DataFolder, SharedClock, Store, StoreOptions, SystemClock};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinHandle};

use crate::configuration::Config;
use crate::control;
use crate::failure::{Exit, Failure, chain};

pub(crate) use options::{folder_failure, registry_options, store_failure};

use faces::Faces;
use signals::StopSignals;

/// What is said once at a start, besides the configuration.
#[derive(Debug, Default)]
pub(crate) struct Start {
    /// Serve TLS with a certificate of our own making.
    pub(crate) dev_tls: bool,
    /// The first administrator's password; counts on the first start only.
    pub(crate) admin_password: Option<SecretString>,
}

/// A server running in this process.
pub(crate) struct Running {
    address: SocketAddr,
    generated_password: Option<PathBuf>,
    authority: Option<PathBuf>,
    drain: Drain,
    patience: Duration,
    /// What forgets, and the collector and the scrub as far as they are switched on.
    background: Vec<JobHandle>,
    registry: Registry,
    signals: StopSignals,
    faces: JoinHandle<Result<(), Failure>>,
    /// What a request left to be done goes on there until the registry is closed.
    _workers: Arc<Workers>,
    /// Given back last: the next server may start when nothing of this one is left.
    _folder: DataFolder,
}

impl Running {
    /// Starts a server; when this answers, it serves.
    pub(crate) async fn start(config: &Config, start: Start) -> Result<Self, Failure> {
        let signals = StopSignals::catch()
            .map_err(|error| Failure::new(Exit::Failed, format!("Signals cannot be caught: {error}")))?;
        let tls = certificate::configured(config)?;
        descriptors::raise(config.limits.connections.get());

        let clock: SharedClock = Arc::new(SystemClock);
        let folder =
            DataFolder::lock(&config.data_dir).map_err(|error| folder_failure(&config.data_dir, &error))?;
        let (tls, authority) = match tls {
            None if start.dev_tls => {
                let (tls, authority) = certificate::development(config, &clock)?;
                (Some(tls), Some(authority))
            }
            tls => (tls, None),
        };
        let store = Store::open(&folder, clock, StoreOptions::default())
            .map_err(|error| store_failure(&config.data_dir, &error))?;
        let identity =
            Identity::new(store.clone(), options::identity_options(config)).await.map_err(|error| {
                Failure::new(Exit::Failed, format!("Sign-in cannot be set up: {}", chain(&error)))
            })?;
        // Before the administrator is made: a start that fails here would keep to itself where the password is.
        let listener = bind(config.listen).await?;
        let address = address_of(&listener)?;
        let metrics = match config.metrics.listen {
            Some(address) => Some(bind(address).await?),
            None => None,
        };
        let generated_password = admin::first_admin(&identity, &folder, start.admin_password).await?;
        let registry = Registry::new(store, registry_options(config));

        if let Some(metrics) = &metrics {
            tracing::info!(address = %address_of(metrics)?, "metrics");
        }
        let drain = Drain::new();
        let is_tls = tls.is_some();
        let workers = Workers::for_this_machine().map(Arc::new).map_err(|error| {
            Failure::new(Exit::Failed, format!("The threads for connections cannot be started: {error}"))
        })?;
        let faces = Faces {
            listener,
            metrics,
            tls,
            identity,
            registry: registry.clone(),
            folder: folder.clone(),
            workers: Arc::clone(&workers),
        };
        let mut faces = faces.serve(config, &drain)?;
        let socket = folder.socket_path();
        tokio::select! {
            answers = control::answers(&socket) => answers?,
            ended = &mut faces => return Err(ended_early(ended)),
        }
        let background =
            [Some(registry.start_forgetting()), registry.start_collector(), registry.start_scrub()];
        let background = background.into_iter().flatten().collect();
        let scheme = if is_tls { "https" } else { "http" };
        tracing::info!(%address, url = %format!("{scheme}://{address}"), pid = std::process::id(), "listening");
        Ok(Running {
            address,
            generated_password,
            authority,
            drain,
            patience: Duration::from_secs(config.limits.drain_seconds.get()),
            background,
            registry,
            signals,
            faces,
            _workers: workers,
            _folder: folder,
        })
    }

    /// The address really listened on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where this start left a generated administrator's password.
    pub(crate) fn generated_password(&self) -> Option<&Path> {
        self.generated_password.as_deref()
    }

    /// The authority clients have to trust, if the certificate is of our own making.
    pub(crate) fn authority(&self) -> Option<&Path> {
        self.authority.as_deref()
    }

    /// Serves until SIGTERM or SIGINT, then lets requests under way finish within the limit.
    ///
    /// A second signal ends the wait. Fails when the server ended without being asked to.
    pub(crate) async fn until_stopped(mut self) -> Result<(), Failure> {
        let signal = tokio::select! {
            signal = self.signals.next() => signal,
            ended = &mut self.faces => return Err(ended_early(ended)),
        };
        tracing::info!(signal, limit_seconds = self.patience.as_secs(), "stopping");
        self.stop().await;
        Ok(())
    }

    /// Stops as after a signal.
    pub(crate) async fn stop(mut self) {
        for job in self.background.drain(..) {
            job.stop().await;
        }
        let drained = tokio::select! {
            drained = self.drain.finish(self.patience) => drained,
            signal = self.signals.next() => return tracing::warn!(signal, "stopped at once"),
        };
        // The listeners end with the drain; what they clean up (the control socket) is theirs to finish.
        match self.faces.await {
            Ok(Ok(())) => {}
            ended => tracing::warn!(failure = %ended_early(ended), "the listeners ended badly"),
        }
        tokio::select! {
            () = self.registry.close() => {}
            signal = self.signals.next() => return tracing::warn!(signal, "stopped at once"),
        }
        match drained {
            Drained::Clean => tracing::info!("stopped"),
            Drained::Cut(connections) => tracing::warn!(connections, "stopped; some connections were cut"),
        }
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(|error| Failure::new(Exit::Failed, format!("The bound address cannot be read: {error}")))
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let failure = Failure::new(Exit::Failed, format!("Cannot listen on {address}: {error}"));
        match error.kind() {
            std::io::ErrorKind::AddrInUse => failure.hint("another program listens there; --listen names another port, and port 0 lets the system choose"),
            std::io::ErrorKind::PermissionDenied => failure.hint("ports below 1024 need a privilege: choose a higher one"),
            _ => failure,
        }
    })
}

fn ended_early(ended: Result<Result<(), Failure>, JoinError>) -> Failure {
    match ended {
        Ok(Ok(())) => Failure::new(Exit::Failed, "The server ended without being asked to"),
        Ok(Err(failure)) => failure,
        Err(error) => Failure::new(Exit::Failed, format!("The server ended unexpectedly: {error}")),
    }
}
