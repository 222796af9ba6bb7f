//! Uploads that were begun and not finished.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{OpenUpload, Page, Problem};
use hythe_identity::Caller;
use hythe_oci::{ProjectName, UploadId};
use hythe_registry::{Page as Found, projects as rules};

use super::ApiState;
use super::asked::{Named, Paged};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// Your own open uploads.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads", params(PageQuery), responses(
    (status = 200, description = "In the order of their ids", body = Page<OpenUpload>),
    (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn own(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Paged(query): Paged,
) -> Result<Json<Page<OpenUpload>>, Refusal> {
    let found = state.registry.list_uploads(&caller, None, query.after()?, query.limit()?).await?;
    Ok(Json(paged(found)))
}

/// Everybody's open uploads into a project, for its owners.
#[utoipa::path(get, path = "/api/v1/projects/{project}/uploads", tag = "uploads",
    params(("project" = String, Path, description = "The project's name"), PageQuery), responses(
    (status = 200, description = "In the order of their ids", body = Page<OpenUpload>),
    (status = 403, description = "You do not own the project", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "The project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn of_project(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(project): Named<ProjectName>,
    Paged(query): Paged,
) -> Result<Json<Page<OpenUpload>>, Refusal> {
    let found = state.registry.list_uploads(&caller, Some(&project), query.after()?, query.limit()?).await?;
    Ok(Json(paged(found)))
}

/// Gives an upload up and frees its bytes.
#[utoipa::path(delete, path = "/api/v1/uploads/{upload}", tag = "uploads",
    params(("upload" = String, Path, description = "The upload's id")), responses(
    (status = 204, description = "Given up"),
    (status = 404, description = "There is no such open upload of yours or of a project you own", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<UploadId>,
) -> Result<StatusCode, Refusal> {
    state.registry.cancel_upload(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn paged(found: Found<rules::OpenUpload>) -> Page<OpenUpload> {
    let items = found
        .items
        .into_iter()
        .map(|upload| OpenUpload {
            id: upload.id.to_string(),
            repository: upload.repository,
            user: upload.user,
            received: upload.received,
            started: upload.started.rfc3339(),
            expires: upload.expires.rfc3339(),
        })
        .collect();
    page(items, found.next, |upload: &OpenUpload| upload.id.clone())
}
