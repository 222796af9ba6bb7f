//! One line per request, written when the answer's body has ended, so that bytes and time are true.
//!
//! The path is logged without its query: a query may hold what nobody should read later. The same
//! numbers feed the metrics. An answer that ends before its last byte is called `cut`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Method, StatusCode, request};
use http_body::{Body as _, Frame, SizeHint};

use crate::limits::METHOD_BYTES;
use crate::metrics::{Finished, Metrics};
use crate::request::RequestContext;

/// Response extension: the name of whoever was identified; absent for anonymous callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified(pub String);

/// Response extension: which route answered, from a closed set of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteLabel(pub &'static str);

/// The most characters of a path that a log line shows.
const PATH_CHARACTERS: usize = 512;

/// A line in the making, from the head of a request to the end of its answer.
pub(crate) struct LogLine {
    started: Instant,
    context: RequestContext,
    method: Method,
    path: String,
    received: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
}

impl LogLine {
    pub(crate) fn begin(head: &request::Parts, context: RequestContext, metrics: Arc<Metrics>) -> Self {
        metrics.in_flight.inc();
        Self {
            started: Instant::now(),
            context,
            method: head.method.clone(),
            path: shortened(head.uri.path()),
            received: Arc::default(),
            metrics,
        }
    }

    /// Counts the bytes of the request's body as they are read.
    pub(crate) fn count_received<B>(&self, body: B) -> ReceivedBody<B> {
        ReceivedBody { body, received: Arc::clone(&self.received) }
    }

    /// Follows the answer to its end and writes the line then.
    pub(crate) fn follow(self, response: Response) -> Response {
        let (head, body) = response.into_parts();
        let without_body = self.method == Method::HEAD
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        // A streamed body does not know its length, but its head does.
        let announced = || head.headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok();
        let length = if without_body { Some(0) } else { body.size_hint().exact().or_else(announced) };
        let sent = SentBody {
            body,
            sent: 0,
            length,
            first_byte: self.started.elapsed(),
            ended: false,
            status: head.status,
            identity: head.extensions.get::<Identified>().map(|Identified(name)| name.clone()),
            route: head.extensions.get::<RouteLabel>().map_or("other", |RouteLabel(label)| label),
            line: self,
        };
        Response::from_parts(head, Body::new(sent))
    }
}

/// A request is in flight until its line is written, or until its client has gone before there was an answer.
impl Drop for LogLine {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}

/// A request body that counts what comes.
pub(crate) struct ReceivedBody<B> {
    body: B,
    received: Arc<AtomicU64>,
}

impl<B: http_body::Body<Data = Bytes> + Unpin> http_body::Body for ReceivedBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.received.fetch_add(data_length(frame), Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body that writes the log line when it is dropped.
struct SentBody {
    body: Body,
    sent: u64,
    /// The length the head promises, if it does.
    length: Option<u64>,
    /// When the first piece of the body was there, or the head if no piece was.
    first_byte: Duration,
    ended: bool,
    status: StatusCode,
    identity: Option<String>,
    route: &'static str,
    line: LogLine,
}

impl http_body::Body for SentBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if self.sent == 0 {
                    self.first_byte = self.line.started.elapsed();
                }
                self.sent += data_length(frame);
            }
            Poll::Ready(None) => self.ended = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for SentBody {
    fn drop(&mut self) {
        // A body of known length is dropped without being asked for the end that everybody knows of.
        let complete = self.ended || self.length.is_some_and(|length| self.sent >= length);
        let line = &self.line;
        let duration = line.started.elapsed();
        let received = line.received.load(Ordering::Relaxed);
        tracing::info!(
            target: "hythe::request",
            request_id = %line.context.id,
            client = %line.context.client.0,
            identity = self.identity.as_deref().unwrap_or("-"),
            route = self.route,
            method = beginning(line.method.as_str()),
            path = %line.path,
            status = self.status.as_u16(),
            sent = self.sent,
            received,
            milliseconds = milliseconds(duration),
            cut = !complete,
        );
        line.metrics.finished(Finished {
            route: self.route,
            method: &line.method,
            status: self.status,
            first_byte: self.first_byte,
            duration,
            bytes_in: received,
            bytes_out: self.sent,
            complete,
        });
    }
}

/// As much of a method as one may have that is not refused.
fn beginning(method: &str) -> &str {
    method.get(..METHOD_BYTES).unwrap_or(method)
}

fn shortened(path: &str) -> String {
    if path.len() <= PATH_CHARACTERS { path.to_owned() } else { path.chars().take(PATH_CHARACTERS).collect() }
}

fn data_length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// Milliseconds with three digits behind the point, for people.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use futures_util::stream;
    use http::Request;
    use http_body_util::BodyExt;

    use super::*;
    use crate::request::{RequestIds, RequestReader};

    fn line(method: Method, metrics: &Arc<Metrics>) -> LogLine {
        let (head, ()) = Request::builder()
            .method(method)
            .uri("/v2/lab/app/blobs/sha256:00?secret=1")
            .header("host", "h")
            .body(())
            .unwrap()
            .into_parts();
        let reader = RequestReader { ids: RequestIds::new(), external: None, trusted_proxies: Vec::new() };
        LogLine::begin(&head, reader.read(&head).0, Arc::clone(metrics))
    }

    fn labelled(body: Body) -> Response {
        let mut response = body.into_response();
        response.extensions_mut().insert(RouteLabel("blob"));
        response
    }

    fn pieces(count: usize) -> Body {
        Body::from_stream(stream::iter(
            (0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"12345"))),
        ))
    }

    #[test]
    fn the_query_is_not_kept() {
        assert_eq!(line(Method::GET, &Arc::default()).path, "/v2/lab/app/blobs/sha256:00");
    }

    #[tokio::test]
    async fn an_answer_read_to_its_end_is_counted_whole() {
        let metrics = Arc::default();
        let response = line(Method::GET, &metrics).follow(labelled(pieces(3)));
        assert!(!metrics.text(None).unwrap().contains("route=\"blob\""), "nothing is said before the end");
        response.into_body().collect().await.unwrap();
        let text = metrics.text(None).unwrap();
        assert!(text.contains("hythe_http_sent_bytes_total{route=\"blob\"} 15"), "{text}");
        assert!(!text.contains("hythe_http_cut_answers_total{route=\"blob\""), "{text}");
    }

    #[tokio::test]
    async fn an_answer_of_announced_length_ends_with_its_last_byte() {
        let metrics = Arc::default();
        let mut response = labelled(pieces(3));
        response.headers_mut().insert(CONTENT_LENGTH, 15.into());
        let mut body = line(Method::GET, &metrics).follow(response).into_body();
        for _ in 0..3 {
            body.frame().await.unwrap().unwrap();
        }
        drop(body);
        assert!(!metrics.text(None).unwrap().contains("hythe_http_cut_answers_total{route=\"blob\""));
    }

    #[tokio::test]
    async fn an_answer_dropped_half_way_is_cut() {
        let metrics = Arc::default();
        let mut body = line(Method::GET, &metrics).follow(labelled(pieces(3))).into_body();
        body.frame().await.unwrap().unwrap();
        drop(body);
        let text = metrics.text(None).unwrap();
        assert!(text.contains("hythe_http_sent_bytes_total{route=\"blob\"} 5"), "{text}");
        assert!(text.contains("hythe_http_cut_answers_total{route=\"blob\"} 1"), "{text}");
    }

    #[tokio::test]
    async fn a_head_answer_is_complete_without_a_byte() {
        let metrics = Arc::default();
        drop(line(Method::HEAD, &metrics).follow(labelled(Body::from("hello"))));
        assert!(!metrics.text(None).unwrap().contains("hythe_http_cut_answers_total{route=\"blob\""));
    }

    #[test]
    fn a_long_method_is_shown_by_its_beginning() {
        assert_eq!(beginning("PROPFIND"), "PROPFIND");
        assert_eq!(beginning(&"M".repeat(250_000)).len(), METHOD_BYTES);
    }

    #[tokio::test]
    async fn received_bytes_are_counted() {
        let metrics = Arc::default();
        let line = line(Method::PUT, &metrics);
        line.count_received(Body::from("123")).collect().await.unwrap();
        line.follow(labelled(Body::empty())).into_body().collect().await.unwrap();
        assert!(metrics.text(None).unwrap().contains("hythe_http_received_bytes_total{route=\"blob\"} 3"));
    }
}
