//! Uploads that were begun and not finished.

use axum::extract::{Query, State};
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{OpenUpload, Page, Problem};
use hythe_identity::Caller;
use hythe_oci::{Digest, ProjectName, Route, UploadId};
use hythe_registry::projects::UploadList;
use hythe_registry::{Page as Found, projects as rules};
use serde::Deserialize;

use super::ApiState;
use super::asked::{Named, Paged, Queried};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// Which of one's own uploads are asked for.
#[derive(Clone, Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct OwnQuery {
    /// How many entries at most: 1 to 1000, 100 if left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the page before; the first page if left out.
    after: Option<String>,
    /// Only those that were begun for this blob: with this a client finds an upload again after it was interrupted,
    /// from another machine as well.
    #[param(value_type = Option<String>)]
    digest: Option<Digest>,
}

/// Your own open uploads.
#[utoipa::path(get, path = "/api/v1/uploads", tag = "uploads", params(OwnQuery), responses(
    (status = 200, description = "In the order of their ids", body = Page<OpenUpload>),
    (status = 400, description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn own(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Queried(Query(query)): Queried<OwnQuery>,
) -> Result<Json<Page<OpenUpload>>, Refusal> {
    let which = query.digest.map_or(UploadList::Own, UploadList::OwnOf);
    let query = PageQuery { limit: query.limit, after: query.after };
    let found = state.registry.list_uploads(&caller, &which, query.after()?, query.limit()?).await?;
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
    let which = UploadList::Project(project);
    let found = state.registry.list_uploads(&caller, &which, query.after()?, query.limit()?).await?;
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
            location: Route::Upload { name: upload.repository.clone(), id: upload.id }.path(),
            repository: upload.repository,
            user: upload.user,
            received: upload.received,
            started: upload.started.rfc3339(),
            expires: upload.expires.rfc3339(),
            expected_digest: upload.expected.map(|expected| expected.digest),
            expected_size: upload.expected.and_then(|expected| expected.size),
        })
        .collect();
    page(items, found.next, |upload: &OpenUpload| upload.id.clone())
}
