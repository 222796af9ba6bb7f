//! `/api/v1/projects/{project}/members`: who holds which role.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{Member, NewRole, Page, Problem, Role};
use hythe_identity::Caller;
use hythe_oci::{ProjectName, UserName};
use hythe_registry::projects as rules;

use super::ApiState;
use super::asked::{Document, Named, NamedPair, Paged};
use super::projects::role;
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// The members of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/members", tag = "members",
    params(("project" = String, Path, description = "The project's name"), PageQuery), responses(
    (status = 200, description = "In the order of their names", body = Page<Member>),
    (status = 403, description = "You are no member", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "The project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(project): Named<ProjectName>,
    Paged(query): Paged,
) -> Result<Json<Page<Member>>, Refusal> {
    let found = state.registry.list_members(&caller, &project, query.after()?, query.limit()?).await?;
    let items = found.items.into_iter().map(shown).collect();
    Ok(Json(page(items, found.next, |member: &Member| member.user.clone())))
}

/// Gives a user a role in a project, or changes it.
#[utoipa::path(put, path = "/api/v1/projects/{project}/members/{user}", tag = "members", request_body = NewRole,
    params(("project" = String, Path, description = "The project's name"), ("user" = String, Path, description = "The user's name")), responses(
    (status = 200, description = "The member", body = Member),
    (status = 403, description = "You do not own the project", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "There is no such user, or the project would lose its last owner", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn set(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    NamedPair(project, user): NamedPair<ProjectName, UserName>,
    Document(new): Document<NewRole>,
) -> Result<Json<Member>, Refusal> {
    let wanted = match new.role {
        Role::Reader => rules::Role::Reader,
        Role::Pusher => rules::Role::Pusher,
        Role::Owner => rules::Role::Owner,
    };
    Ok(Json(shown(state.registry.set_member(&caller, &project, &user, wanted).await?)))
}

/// Takes a user's role away; anybody may leave.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/members/{user}", tag = "members",
    params(("project" = String, Path, description = "The project's name"), ("user" = String, Path, description = "The user's name")), responses(
    (status = 204, description = "No member any more"),
    (status = 404, description = "There is no such member", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The project would lose its last owner", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn remove(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    NamedPair(project, user): NamedPair<ProjectName, UserName>,
) -> Result<StatusCode, Refusal> {
    state.registry.remove_member(&caller, &project, &user).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(member: rules::Member) -> Member {
    Member { user: member.user, role: role(member.role) }
}
