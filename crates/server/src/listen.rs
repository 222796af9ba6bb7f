//! The accept loop: connections in, requests to the router, and an orderly end.
//!
//! Every connection has a [seat](seats), a [thread](workers), a [pace](pace) and the process's
//! [drain](crate::drain); none can be held by a client that sends or reads nothing.

mod connection;
mod pace;
mod seats;
mod unix;
mod workers;

use std::io;
use std::net::{SocketAddr, TcpStream as StdStream};
use std::sync::Arc;

use axum::Router;
use hythe_sendfile::FileSender;
use ipnet::IpNet;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub use unix::{UnixSocket, bind_unix, serve_unix};
pub use workers::Workers;

use crate::drain::DrainWatch;
use crate::limits::{ACCEPT_PAUSE, HANDSHAKE_TIME, ListenLimits};
use crate::metrics::Metrics;
use crate::request::Peer;
use crate::seldom;
use crate::shares::Full;
use crate::tls::{Tls, TlsError};
use connection::Connections;
use seats::{Seat, Seats};
use workers::Place;

/// How to listen: what [`serve`] needs besides a bound socket.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Limits of this listener.
    pub limits: ListenLimits,
    /// Offer HTTP/2 (over TLS by ALPN, without TLS by prior knowledge).
    pub http2: bool,
    /// The certificate, when the listener speaks TLS.
    pub tls: Option<Arc<Tls>>,
    /// Proxies that may hold more connections than their share.
    pub trusted_proxies: Vec<IpNet>,
    /// Who serves the connections.
    pub workers: Arc<Workers>,
}

/// Serves `router` on a bound socket until the drain begins; running connections are the drain's.
///
/// Fails only when TLS cannot be set up.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    how: Listen,
    metrics: Arc<Metrics>,
    drain: DrainWatch,
) -> Result<(), TlsError> {
    let acceptor = how.tls.as_ref().map(|tls| tls.acceptor(how.http2)).transpose()?;
    if let Some(tls) = how.tls {
        tokio::spawn(tls.follow(drain.clone()));
    }
    let seats = Seats::new(&how.limits, how.trusted_proxies);
    let connections = Connections::new(router, how.limits, how.http2, Arc::clone(&metrics), drain.clone());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = drain.stopping() => return Ok(()),
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                pause_after(&error).await;
                continue;
            }
        };
        match seats.take(address.ip()) {
            Ok(seat) => match stream.into_std() {
                Ok(stream) => {
                    let place = how.workers.place();
                    let runtime = place.runtime();
                    let greeting = greet(stream, address, acceptor.clone(), seat, place, connections.clone());
                    drain.spawn_on(&runtime, greeting);
                }
                Err(error) => tracing::debug!(%address, %error, "a connection ended before it began"),
            },
            Err(full) => refuse(&stream, full, acceptor.is_some(), &metrics),
        }
    }
}

/// Sets up one connection on the thread of its place, TLS included, and serves it to its end.
async fn greet(
    stream: StdStream,
    address: SocketAddr,
    acceptor: Option<TlsAcceptor>,
    seat: Seat,
    place: Place,
    connections: Connections,
) {
    // Small answers must not wait for the acknowledgement of the one before.
    let stream = match stream.set_nodelay(true).and_then(|()| TcpStream::from_std(stream)) {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(%address, %error, "a connection ended before it began"),
    };
    let peer = Peer { address: address.ip(), secure: acceptor.is_some(), local: stream.local_addr().ok() };
    match acceptor {
        None => {
            let stream = FileSender::new(stream);
            let lane = stream.lane();
            connections.serve(stream, Some(lane), peer).await;
        }
        Some(acceptor) => match tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Box::pin(connections.serve(stream, None, peer)).await,
            Ok(Err(error)) => tracing::debug!(%address, %error, "a TLS handshake failed"),
            Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
        },
    }
    drop((seat, place));
}

/// Turns a connection away; a plain one is told why as far as its buffer allows.
fn refuse(stream: &TcpStream, full: Full, tls: bool, metrics: &Metrics) {
    let (reason, sentence) = match full {
        Full::Server => {
            ("server_full", "The server has all the connections it may have; try again in a moment.\n")
        }
        Full::Network => {
            ("address_full", "Your address has all the connections it may have; close some first.\n")
        }
    };
    metrics.refused_connection(reason);
    if !tls {
        let answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{sentence}",
            sentence.len()
        );
        if let Err(error) = stream.try_write(answer.as_bytes()) {
            tracing::debug!(%error, "a refused connection could not be told why");
        }
    }
}

/// Errors of one connection are passed over at once; a lack of descriptors or memory is waited out.
async fn pause_after(error: &io::Error) {
    let of_the_connection = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !of_the_connection {
        seldom::cannot_accept(error);
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}
