//! Repositories as people manage them: empty ones included.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{NewRepository, Page, Problem, Repository};
use hythe_identity::Caller;
use hythe_oci::{ProjectName, RepositoryName};
use hythe_registry::projects as rules;

use super::ApiState;
use super::asked::{Document, Named, Paged};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// The repositories of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/repositories", tag = "repositories",
    params(("project" = String, Path, description = "The project's name"), PageQuery), responses(
    (status = 200, description = "In the order of their names, empty ones included", body = Page<Repository>),
    (status = 404, description = "The project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(project): Named<ProjectName>,
    Paged(query): Paged,
) -> Result<Json<Page<Repository>>, Refusal> {
    let found = state.registry.list_repositories(&caller, &project, query.after()?, query.limit()?).await?;
    let items = found.items.into_iter().map(shown).collect();
    Ok(Json(page(items, found.next, |repository: &Repository| repository.name.clone())))
}

/// Makes an empty repository. (A push makes its repository by itself.)
#[utoipa::path(post, path = "/api/v1/repositories", tag = "repositories", request_body = NewRepository, responses(
    (status = 201, description = "Made", body = Repository),
    (status = 403, description = "You may not push to its project", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Its project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It exists", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Document(new): Document<NewRepository>,
) -> Result<(StatusCode, Json<Repository>), Refusal> {
    let made = state.registry.create_repository(&caller, &new.name).await?;
    Ok((StatusCode::CREATED, Json(shown(made))))
}

/// Deletes a repository with everything in it. A large one takes a while; if the request is cut, ask again for the rest.
#[utoipa::path(delete, path = "/api/v1/repositories/{repository}", tag = "repositories",
    params(("repository" = String, Path, description = "The repository's full name, its slashes written as %2F")), responses(
    (status = 204, description = "Deleted"),
    (status = 403, description = "You may not delete from its project", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<RepositoryName>,
) -> Result<StatusCode, Refusal> {
    state.registry.delete_repository(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(repository: rules::Repository) -> Repository {
    Repository {
        name: repository.name,
        created: repository.created.rfc3339(),
        updated: repository.updated.rfc3339(),
        manifests: repository.manifests,
    }
}
