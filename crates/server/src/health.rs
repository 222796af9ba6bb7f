//! `/healthz` (the process lives), `/readyz` (it can serve) and `/metrics`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hythe_identity::Identity;
use hythe_registry::condition::explain;
use hythe_registry::{Registry, StorageFault};
use serde_json::{Value, json};

use crate::drain::DrainWatch;
use crate::log_line::RouteLabel;
use crate::metrics::{self, Metrics, Scrape};
use crate::problem::Refusal;

/// What the probes look at.
#[derive(Clone)]
pub(crate) struct HealthState {
    pub(crate) identity: Identity,
    pub(crate) registry: Registry,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) drain: DrainWatch,
}

/// Says that the process lives; looks at nothing else, so that a slow disk gets no process killed.
pub(crate) async fn healthz() -> Response {
    answer("healthz", Json(json!({ "status": "ok" })).into_response())
}

/// Says whether requests can be served: records are readable, and no stop has begun.
///
/// A server whose disk takes no writes is degraded, yet ready: whoever took it out of service would end the pulls
/// that go on.
pub(crate) async fn readyz(State(state): State<HealthState>) -> Response {
    let ready = if state.drain.is_stopping() {
        Err("the server is stopping".to_owned())
    } else {
        state.registry.ready().await
    };
    let said = match ready {
        Ok(()) => Json(condition(&state.registry.storage_faults().await)).into_response(),
        Err(reason) => {
            let body = Json(json!({ "status": "unavailable", "reason": reason }));
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    };
    answer("readyz", said)
}

fn condition(faults: &[StorageFault]) -> Value {
    if faults.is_empty() {
        return json!({ "status": "ready" });
    }
    let problem = |fault: &StorageFault| json!({ "cause": fault.as_str(), "message": explain(*fault) });
    json!({ "status": "degraded", "problems": faults.iter().map(problem).collect::<Vec<_>>() })
}

/// The numbers of the process, for a scraper.
pub(crate) async fn metrics(State(state): State<HealthState>) -> Result<Response, Refusal> {
    let scrape = Scrape::read(&state.registry, &state.identity).await;
    let text = state.metrics.text(Some(scrape)).map_err(|error| Refusal::internal(&error))?;
    Ok(answer("metrics", ([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()))
}

/// A probe's answer: labelled, and never from a cache.
fn answer(label: &'static str, mut response: Response) -> Response {
    response.extensions_mut().insert(RouteLabel(label));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
