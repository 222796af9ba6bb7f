//! Local users, for administrators; and what everybody may know and change of themselves.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{NewPassword, NewUser, Page, PasswordChange, Problem, ProblemCode, User};
use hythe_identity::{Caller, ListedUser, REFRESH_PREFIX, SignInError};
use hythe_oci::UserName;
use secrecy::SecretString;

use super::asked::{Document, Named, Paged};
use super::{ApiState, administrator, refusals, signed_in};
use crate::authenticate::AuthenticateError;
use crate::page::{PageQuery, page};
use crate::problem::Refusal;
use crate::request::ClientAddress;

/// All users.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(PageQuery), responses(
    (status = 200, description = "In the order of their names", body = Page<User>),
    (status = 403, description = "You are no administrator", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Paged(query): Paged,
) -> Result<Json<Page<User>>, Refusal> {
    administrator(&caller)?;
    let limit = query.limit()?;
    let mut found = state.identity.list_users(query.after()?, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let items = found.iter().map(listed).collect();
    Ok(Json(page(items, more, |user: &User| user.name.clone())))
}

/// Makes a user.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser, responses(
    (status = 201, description = "Made", body = User),
    (status = 403, description = "You are no administrator", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The name is taken", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The password is too short or too long", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Document(new): Document<NewUser>,
) -> Result<(StatusCode, Json<User>), Refusal> {
    administrator(&caller)?;
    let password = SecretString::from(new.password.into_inner());
    let made = state.identity.create_user(&new.name, &password, new.admin).await?;
    Ok((StatusCode::CREATED, Json(listed(&made))))
}

/// Deletes a user with their memberships, tokens and open uploads.
#[utoipa::path(delete, path = "/api/v1/users/{user}", tag = "users",
    params(("user" = String, Path, description = "The user's name")), responses(
    (status = 204, description = "Deleted"),
    (status = 403, description = "You are no administrator", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is the only administrator", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn delete(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<UserName>,
) -> Result<StatusCode, Refusal> {
    administrator(&caller)?;
    state.identity.delete_user(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a user's password; their tokens end.
#[utoipa::path(put, path = "/api/v1/users/{user}/password", tag = "users", request_body = NewPassword,
    params(("user" = String, Path, description = "The user's name")), responses(
    (status = 204, description = "Set"),
    (status = 403, description = "You are no administrator", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The password is too short or too long", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn set_password(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<UserName>,
    Document(new): Document<NewPassword>,
) -> Result<StatusCode, Refusal> {
    administrator(&caller)?;
    state.identity.set_password(&name, &SecretString::from(new.password.into_inner())).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who you are.
#[utoipa::path(get, path = "/api/v1/user", tag = "users", responses(
    (status = 200, description = "You", body = User),
    (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn me(Extension(caller): Extension<Caller>) -> Result<Json<User>, Refusal> {
    let user = signed_in(&caller)?;
    Ok(Json(User { name: user.name.clone(), admin: user.admin }))
}

/// Changes your password, which needs the present one; your tokens end.
#[utoipa::path(put, path = "/api/v1/user/password", tag = "users", request_body = PasswordChange, responses(
    (status = 204, description = "Changed"),
    (status = 403, description = "The present password is wrong", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "The new password is too short or too long", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn change_own_password(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<ClientAddress>,
    Document(change): Document<PasswordChange>,
) -> Result<StatusCode, Refusal> {
    let user = signed_in(&caller)?;
    let wrong = || {
        Refusal::new(
            ProblemCode::Forbidden,
            "The present password is wrong, so the new one was not set: check it and try again.",
        )
    };
    // A token on somebody's disk must not be enough to take the account over.
    if change.current.expose().starts_with(REFRESH_PREFIX) {
        return Err(wrong());
    }
    let current = SecretString::from(change.current.into_inner());
    match state.identity.sign_in(user.name.as_str(), &current, client.0).await {
        Ok(_) => {}
        Err(SignInError::WrongCredentials) => return Err(wrong()),
        Err(other) => return Err(refusals::unauthenticated(&AuthenticateError::SignIn(other))),
    }
    state.identity.set_password(&user.name, &SecretString::from(change.password.into_inner())).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn listed(listed: &ListedUser) -> User {
    User { name: listed.user.name.clone(), admin: listed.user.admin }
}
