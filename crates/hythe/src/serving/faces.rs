//! The listeners: the faces on the network, and the control socket in the data folder.

use std::sync::Arc;

use hythe_identity::Identity;
use hythe_registry::Registry;
use hythe_server::drain::Drain;
use hythe_server::listen::{self, Listen, Workers};
use hythe_server::tls::Tls;
use hythe_server::{Server, ServerOptions};
use hythe_store::DataFolder;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::options::{SERVICE, body_pace, listen_limits};
use crate::configuration::Config;
use crate::control::SocketAddress;
use crate::failure::{Exit, Failure, sentence};

/// What the faces are made of.
pub(super) struct Faces {
    pub(super) listener: TcpListener,
    /// A listener for `/metrics` alone.
    pub(super) metrics: Option<TcpListener>,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) identity: Identity,
    pub(super) registry: Registry,
    pub(super) folder: DataFolder,
    /// Who serves the connections; held by the caller until nothing of the server is left.
    pub(super) workers: Arc<Workers>,
}

impl Faces {
    /// Binds the control socket, and serves on both listeners until the drain begins; an error ends both.
    pub(super) fn serve(
        self,
        config: &Config,
        drain: &Drain,
    ) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
        let trusted_proxies: Vec<_> = config.trusted_proxies.iter().map(|network| network.get()).collect();
        let options = ServerOptions {
            service: SERVICE.to_owned(),
            external_url: config.external_url.as_ref().map(|url| url.get().clone()),
            trusted_proxies: trusted_proxies.clone(),
            body: body_pace(config),
            metrics: self.metrics.is_none(),
        };
        let server = Server::new(self.identity, self.registry, options);
        let plain = Listen {
            limits: listen_limits(config),
            http2: false,
            tls: None,
            trusted_proxies: Vec::new(),
            workers: self.workers,
        };
        let how = Listen { http2: config.tls.http2, tls: self.tls, trusted_proxies, ..plain.clone() };
        let metrics = self.metrics.map(|listener| {
            listen::serve(
                listener,
                server.metrics_router(drain.watch()),
                plain,
                server.metrics(),
                drain.watch(),
            )
        });
        let network =
            listen::serve(self.listener, server.router(drain.watch()), how, server.metrics(), drain.watch());

        let path = self.folder.socket_path();
        let unusable = move |error: std::io::Error| {
            Failure::new(
                Exit::Failed,
                format!("The control socket {} cannot be used: {error}", path.display()),
            )
        };
        let address = SocketAddress::of(&self.folder.socket_path()).map_err(&unusable)?;
        // Bound before the server says that it listens: a `gc` right after the start must find it.
        let socket = listen::bind_unix(address.path()).map_err(&unusable)?;
        let control = listen::serve_unix(socket, server.control_router(), server.metrics(), drain.watch());
        Ok(tokio::spawn(async move {
            // The address may be a name through an open folder, which must stay open to remove the socket.
            let _address = address;
            tokio::try_join!(
                async { network.await.map_err(|error| Failure::new(Exit::Usage, sentence(error))) },
                async {
                    match metrics {
                        Some(metrics) => {
                            metrics.await.map_err(|error| Failure::new(Exit::Usage, sentence(error)))
                        }
                        None => Ok(()),
                    }
                },
                async {
                    control.await;
                    Ok(())
                },
            )
            .map(drop)
        }))
    }
}
