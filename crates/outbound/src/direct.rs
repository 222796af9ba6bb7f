//! Bodies out of files, over a plain connection of their own: what they hold is copied nowhere on its way. The library's
//! own connections cannot be given a writer that knows what a placeholder is.

use std::future::IntoFuture as _;
use std::time::Duration;

use http::header::{ACCEPT, HOST};
use http::{HeaderValue, Uri};
use hyper::client::conn::http1;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use hythe_sendfile::{FileSender, Lane};
use reqwest::header::USER_AGENT;
use reqwest::{Body, ResponseBuilderExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;
use tower_service::Service as _;
use url::Position;

use crate::error::innermost;
use crate::{Origin, Outbound, OutboundError, Url};

impl Outbound {
    /// Sends a request whose body may hold placeholders of `lane`.
    pub(crate) async fn send_directly(
        &self,
        origin: &Origin,
        request: reqwest::Request,
        lane: Lane,
    ) -> Result<reqwest::Response, OutboundError> {
        let broken = |error: &hyper::Error| OutboundError::Broken {
            origin: origin.to_string(),
            reason: innermost(error),
        };
        let url = request.url().clone();
        let request = as_sent(request, &url, self.user_agent())?;
        let stream = connect(origin, &url, self.connect_timeout()).await?;
        let io = TokioIo::new(FileSender::with_lane(stream, lane));
        let (mut sender, connection) = http1::handshake(io).await.map_err(|error| broken(&error))?;
        // A task of its own: what wakes it for each window does not go through all that waits for the answer.
        let connection = AbortOnDropHandle::new(tokio::spawn(connection.into_future()));
        let answer = sender.send_request(request).await;
        let (head, body) = answer.map_err(|error| broken(&error))?.into_parts();
        // It ends with the answer's body now.
        drop(connection.detach());
        let mut told = http::Response::builder().status(head.status).url(url);
        if let Some(headers) = told.headers_mut() {
            *headers = head.headers;
        }
        told.body(Body::wrap(body)).map(reqwest::Response::from).map_err(|error| settings(&error))
    }
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

fn settings(error: &(dyn std::error::Error + 'static)) -> OutboundError {
    OutboundError::Settings(innermost(error))
}
