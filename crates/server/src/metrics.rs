//! The numbers at `/metrics`, in the text form of `OpenMetrics`.
//!
//! Labels are closed sets (route labels, methods, the statuses we answer): no name from outside ever becomes
//! a label, so that nobody can grow the server's memory by asking for odd things.

mod durations;
mod process;
mod scrape;

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use durations::Durations;
pub(crate) use scrape::Scrape;

/// The content type of [`Metrics::text`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All counters of the front door; clones share them.
#[derive(Debug)]
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<RequestLabels, Counter>,
    first_byte: Family<RouteLabels, Durations>,
    duration: Family<RouteLabels, Durations>,
    pub(crate) in_flight: Gauge,
    bytes_in: Family<RouteLabels, Counter>,
    bytes_out: Family<RouteLabels, Counter>,
    cut_short: Family<RouteLabels, Counter>,
    pub(crate) connections: Gauge,
    pub(crate) accepted: Counter,
    refused: Family<ReasonLabels, Counter>,
    cut: Family<ReasonLabels, Counter>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

/// One finished request, as the log line knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) route: &'static str,
    pub(crate) method: &'a Method,
    pub(crate) status: StatusCode,
    pub(crate) first_byte: Duration,
    pub(crate) duration: Duration,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) complete: bool,
}

impl Metrics {
    /// Counters at nought.
    pub fn new() -> Self {
        let metrics = Self {
            registry: Mutex::default(),
            requests: Family::default(),
            first_byte: Family::default(),
            duration: Family::default(),
            in_flight: Gauge::default(),
            bytes_in: Family::default(),
            bytes_out: Family::default(),
            cut_short: Family::default(),
            connections: Gauge::default(),
            accepted: Counter::<u64, AtomicU64>::default(),
            refused: Family::default(),
            cut: Family::default(),
        };
        // Counters that nobody has seen yet stand at nought, so that their first step shows as one.
        for reason in ["server_full", "address_full"] {
            drop(metrics.refused.get_or_create(&ReasonLabels { reason }));
        }
        for reason in ["slow_head", "slow_body", "slow_reader", "malformed", "stopping"] {
            drop(metrics.cut.get_or_create(&ReasonLabels { reason }));
        }
        drop(metrics.cut_short.get_or_create(&RouteLabels { route: "get_blob" }));
        metrics.extend(|registry| {
            registry.register("hythe_http_requests", "Requests answered", metrics.requests.clone());
            registry.register(
                "hythe_http_requests_in_flight",
                "Requests being answered now",
                metrics.in_flight.clone(),
            );
            registry.register(
                "hythe_http_first_byte_seconds",
                "Time from the head of a request to the first byte of its answer's body, or to its head if it has none",
                metrics.first_byte.clone(),
            );
            registry.register(
                "hythe_http_request_duration_seconds",
                "Time from the head of a request to the end of its answer",
                metrics.duration.clone(),
            );
            registry.register(
                "hythe_http_received_bytes",
                "Bytes of request bodies",
                metrics.bytes_in.clone(),
            );
            registry.register("hythe_http_sent_bytes", "Bytes of answer bodies", metrics.bytes_out.clone());
            registry.register(
                "hythe_http_cut_answers",
                "Answers that ended before their last byte",
                metrics.cut_short.clone(),
            );
            registry.register("hythe_connections", "Connections open now", metrics.connections.clone());
            registry.register("hythe_connections_accepted", "Connections accepted", metrics.accepted.clone());
            registry.register(
                "hythe_connections_refused",
                "Connections refused because a limit was reached",
                metrics.refused.clone(),
            );
            registry.register(
                "hythe_connections_cut",
                "Connections ended because the client was too slow, or did not speak HTTP",
                metrics.cut.clone(),
            );
            let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
            registry.register("hythe_build", "Which build this is", build);
        });
        metrics
    }

    /// Lets another room add its own counters.
    pub fn extend(&self, add: impl FnOnce(&mut Registry)) {
        add(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All numbers as text: those counted here, and those of a scrape.
    pub(crate) fn text(&self, scrape: Option<Scrape>) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        if let Some(scrape) = scrape {
            let mut scraped = Registry::default();
            scraped.register_collector(Box::new(scrape));
            encode_registry(&mut text, &scraped)?;
        }
        encode_eof(&mut text)?;
        Ok(text)
    }

    pub(crate) fn finished(&self, request: Finished<'_>) {
        let route = RouteLabels { route: request.route };
        let labels = RequestLabels {
            route: request.route,
            method: method_label(request.method),
            status: request.status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.first_byte.get_or_create(&route).observe(request.first_byte);
        self.duration.get_or_create(&route).observe(request.duration);
        self.bytes_in.get_or_create(&route).inc_by(request.bytes_in);
        self.bytes_out.get_or_create(&route).inc_by(request.bytes_out);
        if !request.complete {
            self.cut_short.get_or_create(&route).inc();
        }
    }

    pub(crate) fn refused_connection(&self, reason: &'static str) {
        self.refused.get_or_create(&ReasonLabels { reason }).inc();
    }

    pub(crate) fn cut_connection(&self, reason: &'static str) {
        self.cut.get_or_create(&ReasonLabels { reason }).inc();
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finished_request_is_counted_under_its_labels() {
        let metrics = Metrics::new();
        metrics.finished(Finished {
            route: "blob",
            method: &Method::from_bytes(b"BREW").unwrap(),
            status: StatusCode::NOT_FOUND,
            first_byte: Duration::from_millis(2),
            duration: Duration::from_millis(3),
            bytes_in: 7,
            bytes_out: 11,
            complete: false,
        });
        let text = metrics.text(None).unwrap();
        for line in [
            r#"hythe_http_requests_total{route="blob",method="other",status="404"} 1"#,
            r#"hythe_http_received_bytes_total{route="blob"} 7"#,
            r#"hythe_http_sent_bytes_total{route="blob"} 11"#,
            r#"hythe_http_cut_answers_total{route="blob"} 1"#,
            r#"hythe_http_request_duration_seconds_count{route="blob"} 1"#,
            r#"hythe_http_first_byte_seconds_count{route="blob"} 1"#,
        ] {
            assert!(text.contains(line), "{line} in:\n{text}");
        }
    }
}
