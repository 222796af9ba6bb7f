//! The front door: what happens to every request before and after its handler, whichever face it is for.
//!
//! In this order: find out who sent it and under which id, refuse a head that is too long or names no
//! host, run the handler, give refusals their body, add `X-Request-Id`, follow the answer to its end.

use std::any::Any;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Version, header, request};
use hythe_api::ProblemCode;
use tracing::Instrument;

use crate::body_pace::{BodyPace, PacedBody};
use crate::limits::{HEAD_BYTES, HEADER_COUNT, METHOD_BYTES, TARGET_BYTES};
use crate::log_line::LogLine;
use crate::metrics::Metrics;
use crate::problem::{Face, Refusal};
use crate::request::{BadHost, RequestReader};
use crate::whole_body::Rooms;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the front door needs for its work.
pub(crate) struct Front {
    pub(crate) reader: RequestReader,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) body: BodyPace,
    pub(crate) rooms: Rooms,
}

/// Takes every request through the front door.
pub(crate) async fn front_door(State(front): State<Arc<Front>>, request: Request, next: Next) -> Response {
    let (mut head, body) = request.into_parts();
    let (context, host) = front.reader.read(&head);
    let face = Face::of(head.uri.path());
    let id = context.id.clone();
    let checked = check_head(&head)
        .and_then(|()| check_framing(&head).map_err(|refusal| closing(refusal, head.version)))
        .and_then(|()| host.map_err(Refusal::from));
    let line = LogLine::begin(&head, context.clone(), Arc::clone(&front.metrics));

    let mut response = if let Err(refusal) = checked {
        refusal.into_response()
    } else {
        head.extensions.insert(context.id);
        head.extensions.insert(front.rooms.of(context.client.0));
        head.extensions.insert(context.client);
        head.extensions.insert(context.origin);
        let body = PacedBody::new(line.count_received(body), front.body, Arc::clone(&front.metrics));
        let span = tracing::info_span!("request", %id);
        next.run(Request::from_parts(head, Body::new(body))).instrument(span).await
    };
    if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
        refusal.fill(&mut response, face, &id);
    }
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    line.follow(response)
}

/// Turns a panic of a handler into an answer; the other requests go on.
pub(crate) fn caught_panic(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    tracing::error!(panic = text, "a handler panicked");
    Refusal::failure().into_response()
}

fn check_head(head: &request::Parts) -> Result<(), Refusal> {
    let method = head.method.as_str().len();
    if method > METHOD_BYTES {
        return Err(Refusal::new(
            ProblemCode::Malformed,
            format!("The request's method has {method} bytes; this server reads {METHOD_BYTES} at most."),
        ));
    }
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if target > TARGET_BYTES {
        return Err(Refusal::new(
            ProblemCode::TargetTooLong,
            format!("The request target has {target} bytes; this server reads {TARGET_BYTES} at most."),
        ));
    }
    let headers: usize =
        head.headers.iter().map(|(name, value)| name.as_str().len() + value.as_bytes().len()).sum();
    if target + headers > HEAD_BYTES || head.headers.len() > HEADER_COUNT {
        return Err(Refusal::new(
            ProblemCode::HeadTooLarge,
            format!(
                "The head of the request is too long; this server reads {HEAD_BYTES} bytes in {HEADER_COUNT} header lines at most."
            ),
        ));
    }
    Ok(())
}

/// Refuses what a proxy before us may have read differently (RFC 9112, 3.2 and 6.1).
fn check_framing(head: &request::Parts) -> Result<(), Refusal> {
    if head.headers.get_all(header::HOST).iter().nth(1).is_some() {
        return Err(Refusal::new(
            ProblemCode::Malformed,
            "The request has several `Host` headers; send one.",
        ));
    }
    let mut codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(only), None) if only.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => Err(Refusal::new(
            ProblemCode::Malformed,
            "The request's `Transfer-Encoding` is not understood; this server takes `chunked` alone, once.",
        )),
    }
}

/// With the connection closed after the answer: where the next request begins is not sure.
fn closing(refusal: Refusal, version: Version) -> Refusal {
    if version == Version::HTTP_2 {
        return refusal;
    }
    refusal.with(header::CONNECTION, HeaderValue::from_static("close"))
}

impl From<BadHost> for Refusal {
    fn from(BadHost: BadHost) -> Self {
        Self::new(
            ProblemCode::Malformed,
            "The request has no usable `Host` header; send the host name, with a port if need be, and nothing else.",
        )
    }
}
