//! Bodies out of files, over plain connections of their own: what they hold is copied nowhere on its way. The library's
//! own connections cannot be given a writer that knows what a placeholder is.

use std::future::IntoFuture as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Uri};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use hythe_sendfile::FileSender;
use reqwest::header::USER_AGENT;
use reqwest::{Body, ResponseBuilderExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service as _;
use url::Position;

use crate::error::innermost;
use crate::kept::Kept;
use crate::{Content, Origin, Outbound, OutboundError, Url};

impl Outbound {
    /// Sends a request whose body, so many bytes, is content out of a file.
    pub(crate) async fn send_directly(
        &self,
        origin: &Origin,
        mut request: reqwest::Request,
        size: u64,
        content: Content,
    ) -> Result<reqwest::Response, OutboundError> {
        let url = request.url().clone();
        let kept = self.waiting().take(origin);
        let Kept { mut sender, lane, task } =
            if let Some(kept) = kept { kept } else { self.begin(origin, &url).await? };
        // Whoever gives the exchange up ends the connection.
        let task = AbortOnDropHandle::new(task);
        lane.forget();
        let (content, whole) = watched(content, size);
        *request.body_mut() = Some(Body::wrap_stream(content.on(&lane)));
        let request = as_sent(request, &url, self.user_agent())?;
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|error| broken(origin, &error))?.into_parts();
        // It ends with the answer's body now, unless it is kept. What was answered before its end may still be on its way.
        let task = task.detach();
        if whole.load(Ordering::Acquire) {
            self.waiting().give(origin.clone(), Kept { sender, lane, task });
        }
        let mut told = http::Response::builder().status(head.status).url(url);
        if let Some(headers) = told.headers_mut() {
            *headers = head.headers;
        }
        told.body(Body::wrap(body)).map(reqwest::Response::from).map_err(|error| settings(&error))
    }

    async fn begin(&self, origin: &Origin, url: &Url) -> Result<Kept, OutboundError> {
        let stream = FileSender::new(connect(origin, url, self.connect_timeout()).await?);
        let lane = stream.lane();
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(origin, &error))?;
        // A task of its own: what wakes it for each window does not go through all that waits for the answer.
        Ok(Kept { sender, lane, task: tokio::spawn(connection.into_future()) })
    }
}

/// The same content, and whether all of it was asked for.
fn watched(content: Content, size: u64) -> (Content, Arc<AtomicBool>) {
    let whole = Arc::new(AtomicBool::new(false));
    let (mut left, seen) = (size, Arc::clone(&whole));
    let content = content.map(move |pieces| {
        pieces.inspect(move |piece| {
            left = left.saturating_sub(piece.as_ref().map_or(0, |piece| piece.len() as u64));
            if left == 0 {
                seen.store(true, Ordering::Release);
            }
        })
    });
    (content, whole)
}

/// The request as it stands on the line: with the path alone, and the headers that the library would have added.
fn as_sent(
    request: reqwest::Request,
    url: &Url,
    user_agent: &str,
) -> Result<http::Request<Body>, OutboundError> {
    let mut request = http::Request::<Body>::try_from(request).map_err(|error| settings(&error))?;
    let path = &url[Position::BeforePath..Position::AfterQuery];
    *request.uri_mut() = path.parse::<Uri>().map_err(|error| settings(&error))?;
    let host = &url[Position::BeforeHost..Position::AfterPort];
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(host).map_err(|error| settings(&error))?);
    headers.insert(USER_AGENT, HeaderValue::from_str(user_agent).map_err(|error| settings(&error))?);
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    Ok(request)
}

async fn connect(origin: &Origin, url: &Url, limit: Duration) -> Result<TcpStream, OutboundError> {
    let refused = |reason: String| OutboundError::Connect { origin: origin.to_string(), reason };
    let place = url.as_str().parse::<Uri>().map_err(|error| settings(&error))?;
    // The library's own, for its way with several addresses: one that does not answer holds the others up for a moment only.
    let mut connector = HttpConnector::new();
    // The end of a body does not wait for more to come.
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(limit));
    match timeout(limit, connector.call(place)).await {
        Ok(Ok(stream)) => Ok(stream.into_inner()),
        Ok(Err(error)) => Err(refused(innermost(&error))),
        Err(_elapsed) => Err(OutboundError::Timeout { origin: origin.to_string(), waited: limit }),
    }
}

fn broken(origin: &Origin, error: &hyper::Error) -> OutboundError {
    OutboundError::Broken { origin: origin.to_string(), reason: innermost(error) }
}

fn settings(error: &(dyn std::error::Error + 'static)) -> OutboundError {
    OutboundError::Settings(innermost(error))
}
