//! The faces put together behind one front door.

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{any, get};
use http::Method;
use hythe_api::ProblemCode;
use hythe_identity::Identity;
use hythe_registry::Registry;
use ipnet::IpNet;
use tower_http::catch_panic::CatchPanicLayer;

use crate::api::{self, ApiState};
use crate::body_pace::BodyPace;
use crate::control;
use crate::drain::DrainWatch;
use crate::external_url::ExternalUrl;
use crate::front::{Front, caught_panic, front_door};
use crate::health::{self, HealthState};
use crate::limits::{STATUS_WAITS, STATUS_WAITS_PER_ADDRESS};
use crate::metrics::Metrics;
use crate::problem::Refusal;
use crate::request::{RequestIds, RequestReader};
use crate::shares::Shares;
use crate::token::{self, TokenState};
use crate::v2::{self, V2State};
use crate::whole_body::Rooms;

/// How requests are read and answered.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// The name of this registry in challenges and tokens.
    pub service: String,
    /// The address clients are told, whatever address they used.
    pub external_url: Option<ExternalUrl>,
    /// Peers whose `X-Forwarded-…` headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// How slowly a request's body may come.
    pub body: BodyPace,
    /// Serve `/metrics` beside the other faces, rather than by [`Server::metrics_router`] alone.
    pub metrics: bool,
}

/// All faces over one identity and one registry.
pub struct Server {
    identity: Identity,
    registry: Registry,
    options: ServerOptions,
    metrics: Arc<Metrics>,
    rooms: Rooms,
}

impl Server {
    /// Faces over these rooms.
    pub fn new(identity: Identity, registry: Registry, options: ServerOptions) -> Self {
        Self { identity, registry, options, metrics: Arc::new(Metrics::new()), rooms: Rooms::new() }
    }

    /// The numbers that listeners and faces count into.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Everything that is served on the network.
    pub fn router(&self, drain: DrainWatch) -> Router {
        let v2 = V2State::new(self.identity.clone(), self.registry.clone(), &self.options.service);
        let tokens = TokenState::new(self.identity.clone(), self.registry.clone(), &self.options.service);
        let mut probes =
            Router::new().route("/healthz", get(health::healthz)).route("/readyz", get(health::readyz));
        if self.options.metrics {
            probes = probes.route("/metrics", get(health::metrics));
        }
        let routes = Router::new()
            .route("/v2", any(v2::handle))
            .route("/v2/", any(v2::handle))
            .route("/v2/{*rest}", any(v2::handle))
            .with_state(v2)
            .merge(token::router(tokens))
            .merge(api::router(ApiState {
                identity: self.identity.clone(),
                registry: self.registry.clone(),
                drain: drain.clone(),
                status_waits: Shares::new(STATUS_WAITS, STATUS_WAITS_PER_ADDRESS),
            }))
            .merge(probes.with_state(self.health(drain)));
        self.behind_front_door(routes)
    }

    /// `/metrics` and the probes, for a listener of their own.
    pub fn metrics_router(&self, drain: DrainWatch) -> Router {
        let routes = Router::new()
            .route("/healthz", get(health::healthz))
            .route("/readyz", get(health::readyz))
            .route("/metrics", get(health::metrics));
        self.behind_front_door(routes.with_state(self.health(drain)))
    }

    fn health(&self, drain: DrainWatch) -> HealthState {
        HealthState {
            identity: self.identity.clone(),
            registry: self.registry.clone(),
            metrics: self.metrics(),
            drain,
        }
    }

    /// What the operator's commands ask of a running server, for the control socket alone.
    pub fn control_router(&self) -> Router {
        self.behind_front_door(control::router(self.registry.clone()))
    }

    fn behind_front_door(&self, routes: Router) -> Router {
        let front = Arc::new(Front {
            reader: RequestReader {
                ids: RequestIds::new(),
                external: self.options.external_url.clone(),
                trusted_proxies: self.options.trusted_proxies.clone(),
            },
            metrics: self.metrics(),
            body: self.options.body,
            rooms: self.rooms.clone(),
        });
        routes
            .fallback(async || Refusal::new(ProblemCode::NoSuchRoute, "There is nothing at this path."))
            .method_not_allowed_fallback(async |method: Method| {
                Refusal::new(
                    ProblemCode::MethodNotAllowed,
                    format!("This path does not take {method}; the `Allow` header lists what it takes."),
                )
            })
            .layer(CatchPanicLayer::custom(caught_panic))
            .layer(middleware::from_fn_with_state(front, front_door))
    }
}
