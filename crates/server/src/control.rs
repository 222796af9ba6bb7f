//! The face on the control socket: what the operator's commands ask of a running server.
//! The socket's file mode is its only guard, so it is never served on the network.

use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use axum::{Json, Router};
use hythe_api::ProblemCode;
use hythe_registry::backup::BackupOptions;
use hythe_registry::check::CheckOptions;
use hythe_registry::collect::{CollectOptions, CollectReport};
use hythe_registry::{Error, Registry};
use serde::{Deserialize, Serialize};

use crate::api::Document;
use crate::problem::Refusal;
use crate::told;

/// The body of `POST /gc`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GcRequest {
    /// Only say what would go.
    pub dry_run: bool,
    /// Keep what became unreferenced within so many seconds; the configured time if absent.
    pub grace_seconds: Option<u64>,
}

impl GcRequest {
    /// The same as options of the collector.
    pub fn options(self) -> CollectOptions {
        CollectOptions {
            dry_run: self.dry_run,
            grace: self.grace_seconds.map(std::time::Duration::from_secs),
        }
    }
}

pub(crate) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/gc", post(gc))
        .route("/fsck", post(fsck))
        .route("/backup", post(backup))
        .with_state(registry)
}

async fn gc(
    State(registry): State<Registry>,
    Document(request): Document<GcRequest>,
) -> Result<Json<CollectReport>, Refusal> {
    registry.collect(request.options()).await.map(Json).map_err(|error| match error {
        // Nothing failed: another run, or a backup, is under way.
        Error::JobTaken => Refusal::new(ProblemCode::Conflict, error.to_string()),
        error => Refusal::to_operator(&error),
    })
}

async fn fsck(State(registry): State<Registry>, Document(options): Document<CheckOptions>) -> Response {
    told::answer(|progress| async move { registry.check(options, &progress).await })
}

async fn backup(State(registry): State<Registry>, Document(options): Document<BackupOptions>) -> Response {
    told::answer(|progress| async move { registry.backup(options, &progress).await })
}
