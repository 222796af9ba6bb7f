//! Sending: the idle watch, and redirects that drop the credential.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use tokio::time::Instant;
use url::Url;

use crate::request::Kind;
use crate::trace::Told;
use crate::{Authorization, Body, Origin, Outbound, OutboundError, Request, Response};

/// A registry sends a blob to a store, the store to a mirror; more than this is a loop.
const MAX_REDIRECTS: usize = 5;

/// Smaller bodies out of files go over the connections that are there already.
const WORTH_A_CONNECTION: u64 = 256 * 1024;

impl Outbound {
    /// Sends a request and answers as soon as the response's head is here.
    ///
    /// `GET` and `HEAD` follow up to five redirects. The credential goes along only while the
    /// [`Origin`] stays the same, and once dropped it stays dropped. Other methods answer with the
    /// redirect itself: whether to send a body elsewhere is the caller's decision.
    ///
    /// Every status is an `Ok`.
    ///
    /// # Errors
    /// No answer came, or a redirect must not be followed (too many, no usable `Location`, from
    /// `https` to `http`, into a private network that is not the server's own).
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        let Request { method, mut url, headers, mut authorization, mut body } = request;
        let follows = matches!(method, Method::GET | Method::HEAD) && matches!(body.0, Kind::Empty);
        let first = Origin::of(&url);
        for _ in 0..=MAX_REDIRECTS {
            let response = self
                .exchange(&method, &url, &headers, authorization.as_ref(), std::mem::take(&mut body))
                .await?;
            if !follows || !is_followed(response.status()) {
                return Ok(response);
            }
            let next = redirect_target(&response)?;
            if first.as_ref().is_some_and(|first| !next.1.may_be_named_by(first)) {
                return Err(OutboundError::Redirect {
                    origin: response.origin.to_string(),
                    problem: format!(
                        "{}, in a private network that is not its own; it is not followed",
                        next.1
                    ),
                });
            }
            if next.1 != response.origin {
                authorization = None;
            }
            url = next.0;
        }
        Err(OutboundError::Redirect {
            origin: Origin::of(&url).map(|origin| origin.to_string()).unwrap_or_default(),
            problem: format!("yet another place; more than {MAX_REDIRECTS} redirects are not followed"),
        })
    }

    /// One request, one answer.
    async fn exchange(
        &self,
        method: &Method,
        url: &Url,
        headers: &HeaderMap,
        authorization: Option<&Authorization>,
        body: Body,
    ) -> Result<Response, OutboundError> {
        let origin =
            Origin::of(url).ok_or_else(|| OutboundError::Scheme { scheme: url.scheme().to_owned() })?;
        let mut request = reqwest::Request::new(method.clone(), url.clone());
        *request.headers_mut() = headers.clone();
        if let Some(authorization) = authorization {
            request.headers_mut().insert(AUTHORIZATION, authorization.header());
        }
        let idle = Idle::new(self.idle_timeout());
        let mut told = Told::begin(method, url, request.headers());
        let sent = told.sender();
        let mut direct = None;
        match body.0 {
            Kind::Empty => {
                // Servers want a length on a POST, PUT or PATCH without a body; hyper leaves it out.
                if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
                    *request.body_mut() = Some(reqwest::Body::from(Bytes::new()));
                    request.headers_mut().insert(CONTENT_LENGTH, 0.into());
                }
            }
            Kind::Bytes(bytes) => {
                sent(bytes.len());
                *request.body_mut() = Some(reqwest::Body::from(bytes));
            }
            Kind::Stream { size, content } => {
                if let Some(size) = size {
                    request.headers_mut().insert(CONTENT_LENGTH, size.into());
                }
                let watch = idle.clone();
                let content = content.map(move |pieces| {
                    pieces.inspect(move |piece| {
                        watch.touch();
                        sent(piece.as_ref().map_or(0, Bytes::len));
                    })
                });
                match size {
                    Some(size)
                        if size >= WORTH_A_CONNECTION
                            && content.is_of_file()
                            && self.is_direct(&origin, url) =>
                    {
                        direct = Some((size, content));
                    }
                    _ => *request.body_mut() = Some(reqwest::Body::wrap_stream(content.read())),
                }
            }
        }
        let sending = async {
            match direct {
                // Boxed: it holds a whole connection.
                Some((size, content)) => Box::pin(self.send_directly(&origin, request, size, content)).await,
                None => self.client(&origin)?.execute(request).await.map_err(|error| {
                    OutboundError::from_reqwest(origin.to_string(), self.connect_timeout(), &error)
                }),
            }
        };
        let outcome = tokio::select! {
            answer = sending => answer,
            () = idle.elapsed() => {
                Err(OutboundError::Timeout { origin: origin.to_string(), waited: self.idle_timeout() })
            }
        };
        match outcome {
            Ok(inner) => {
                told.answered(inner.status(), inner.headers());
                Ok(Response { inner, origin, idle_timeout: self.idle_timeout(), told })
            }
            Err(error) => {
                told.failed(&error);
                Err(error)
            }
        }
    }
}

/// The statuses whose `Location` is where the same GET should go (RFC 9110 section 15.4).
fn is_followed(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn redirect_target(response: &Response) -> Result<(Url, Origin), OutboundError> {
    let refuse = |problem: &str| OutboundError::Redirect {
        origin: response.origin.to_string(),
        problem: problem.to_owned(),
    };
    let location = response.header(&LOCATION).ok_or_else(|| refuse("nowhere: it sent no Location header"))?;
    let url = response.url().join(location).map_err(|_| refuse("an address that cannot be read"))?;
    let origin = Origin::of(&url).ok_or_else(|| refuse("an address that is neither http nor https"))?;
    if response.origin.is_secure() && !origin.is_secure() {
        return Err(refuse("an unencrypted address, which is not followed from an encrypted one"));
    }
    Ok((url, origin))
}

/// When a byte last moved in this exchange.
///
/// The library's own read time-out runs from the start of the request and would cut a long upload.
#[derive(Clone)]
struct Idle {
    limit: Duration,
    last: Arc<Mutex<Instant>>,
}

impl Idle {
    fn new(limit: Duration) -> Self {
        Self { limit, last: Arc::new(Mutex::new(Instant::now())) }
    }

    fn touch(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Returns once nothing has moved for the limit.
    async fn elapsed(&self) {
        loop {
            let deadline = *self.last.lock().unwrap_or_else(PoisonError::into_inner) + self.limit;
            if deadline <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(deadline).await;
        }
    }
}
