//! `/api/v1/projects`: the first component of every repository's name.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{Compression, NewProject, Page, Problem, Project, ProjectChanges, Role, Visibility};
use hythe_identity::Caller;
use hythe_oci::ProjectName;
use hythe_registry::projects as rules;

use super::ApiState;
use super::asked::{Document, Named, Paged};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// The projects you may see.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", params(PageQuery), responses(
    (status = 200, description = "In the order of their names", body = Page<Project>),
    (status = 400, description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Paged(query): Paged,
) -> Result<Json<Page<Project>>, Refusal> {
    let found = state.registry.list_projects(&caller, query.after()?, query.limit()?).await?;
    let items = found.items.into_iter().map(shown).collect();
    Ok(Json(page(items, found.next, |project: &Project| project.name.clone())))
}

/// Makes a project that you own.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProject, responses(
    (status = 201, description = "Made", body = Project),
    (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Document(new): Document<NewProject>,
) -> Result<(StatusCode, Json<Project>), Refusal> {
    let made = state.registry.create_project(&caller, new.name, inner(new.visibility)).await?;
    Ok((StatusCode::CREATED, Json(shown(made))))
}

/// One project.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "The project's name")), responses(
    (status = 200, description = "The project", body = Project),
    (status = 404, description = "It does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<ProjectName>,
) -> Result<Json<Project>, Refusal> {
    Ok(Json(shown(state.registry.project(&caller, &name).await?)))
}

/// Changes a project's visibility or policies; fields left out stay as they are.
#[utoipa::path(patch, path = "/api/v1/projects/{project}", tag = "projects", request_body = ProjectChanges,
    params(("project" = String, Path, description = "The project's name")), responses(
    (status = 200, description = "The changed project", body = Project),
    (status = 403, description = "You do not own it", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "It does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<ProjectName>,
    Document(changes): Document<ProjectChanges>,
) -> Result<Json<Project>, Refusal> {
    let patch = rules::ProjectPatch {
        visibility: changes.visibility.map(inner),
        untagged_days: changes.untagged_days,
        compression: changes.compression.map(|compression| match compression {
            Compression::Gzip => rules::Compression::Gzip,
            Compression::Zstd => rules::Compression::Zstd,
        }),
    };
    Ok(Json(shown(state.registry.update_project(&caller, &name, patch).await?)))
}

/// Deletes a project that holds no repository.
#[utoipa::path(delete, path = "/api/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path, description = "The project's name")), responses(
    (status = 204, description = "Deleted"),
    (status = 404, description = "It does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It still holds repositories", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<ProjectName>,
) -> Result<StatusCode, Refusal> {
    state.registry.delete_project(&caller, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(project: rules::Project) -> Project {
    Project {
        name: project.name,
        visibility: match project.visibility {
            rules::Visibility::Public => Visibility::Public,
            rules::Visibility::Internal => Visibility::Internal,
            rules::Visibility::Private => Visibility::Private,
        },
        untagged_days: project.untagged_days,
        compression: match project.compression {
            rules::Compression::Gzip => Compression::Gzip,
            rules::Compression::Zstd => Compression::Zstd,
        },
        created: project.created.rfc3339(),
        role: project.role.map(role),
    }
}

fn inner(visibility: Visibility) -> rules::Visibility {
    match visibility {
        Visibility::Public => rules::Visibility::Public,
        Visibility::Internal => rules::Visibility::Internal,
        Visibility::Private => rules::Visibility::Private,
    }
}

pub(super) fn role(role: rules::Role) -> Role {
    match role {
        rules::Role::Reader => Role::Reader,
        rules::Role::Pusher => Role::Pusher,
        rules::Role::Owner => Role::Owner,
    }
}
