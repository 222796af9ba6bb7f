//! One connection: hyper's HTTP machine, watched by the pace and ended by the drain.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hythe_sendfile::Lane;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::Service;

use super::pace::{Answering, Broken, Pace, Paced};
use crate::drain::DrainWatch;
use crate::limits::{
    CONNECTION_BUFFER_BYTES, HEAD_BYTES, HEADER_COUNT, HTTP2_STREAM_WINDOW, HTTP2_STREAMS, ListenLimits,
};
use crate::metrics::Metrics;
use crate::request::Peer;

/// What all connections of a listener share.
#[derive(Clone)]
pub(super) struct Connections {
    router: Router,
    http: auto::Builder<TokioExecutor>,
    limits: ListenLimits,
    metrics: Arc<Metrics>,
    drain: DrainWatch,
}

impl Connections {
    pub(super) fn new(
        router: Router,
        limits: ListenLimits,
        http2: bool,
        metrics: Arc<Metrics>,
        drain: DrainWatch,
    ) -> Self {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            // The pace times heads and rests apart; hyper has one timer for both.
            .header_read_timeout(None)
            .max_headers(HEADER_COUNT)
            .max_buf_size(CONNECTION_BUFFER_BYTES);
        http.http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW)
            .initial_connection_window_size(HTTP2_STREAM_WINDOW * 4)
            .max_send_buf_size(CONNECTION_BUFFER_BYTES)
            .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX));
        let http = if http2 { http } else { http.http1_only() };
        Self { router, http, limits, metrics, drain }
    }

    /// Serves a connection until it ends, breaks a limit, or is cut by the drain.
    ///
    /// With `lane`, what `stream` is given to write may hold placeholders of it.
    pub(super) async fn serve<S>(&self, stream: S, lane: Option<Lane>, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let _counted = Counted::new(&self.metrics);
        let pace = Pace::new(&self.limits);
        let io = TokioIo::new(Paced::new(stream, Arc::clone(&pace)));
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            if let Some(lane) = &lane {
                request.extensions_mut().insert(lane.clone());
            }
            answer(self.router.clone(), request, pace.answer())
        });
        let mut connection = pin!(self.http.serve_connection(io, service));
        let mut ending = false;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(client = %peer.address, %error, "a connection broke");
                        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
                            self.metrics.cut_connection("malformed");
                        }
                    }
                    return;
                }
                () = self.drain.stopping(), if !ending => {
                    ending = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.drain.cutting() => return self.metrics.cut_connection("stopping"),
                broken = pace.broken() => match broken {
                    // Between requests: closing is no loss, and nothing needs to be flushed.
                    Broken::Idle => return,
                    Broken::SlowHead => return self.metrics.cut_connection("slow_head"),
                    Broken::SlowReader => return self.metrics.cut_connection("slow_reader"),
                },
            }
        }
    }
}

/// Hands a request to the router; the connection counts as answering until the body is gone.
async fn answer(
    mut router: Router,
    request: Request<Incoming>,
    answering: Answering,
) -> Result<http::Response<AnswerBody>, Infallible> {
    let request = request.map(Body::new);
    let response = Service::<Request<Body>>::call(&mut router, request).await?;
    Ok(response.map(|body| AnswerBody { body, _answering: answering }))
}

/// A body that keeps its connection in the answering state for as long as it lives.
struct AnswerBody {
    body: Body,
    _answering: Answering,
}

impl http_body::Body for AnswerBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Keeps the gauge of open connections true, whatever ends a connection.
struct Counted<'a>(&'a Metrics);

impl<'a> Counted<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.accepted.inc();
        metrics.connections.inc();
        Self(metrics)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}
