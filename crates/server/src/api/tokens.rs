//! Device sessions: the refresh tokens that `docker login` and its kind leave behind.

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use hythe_api::{Page, Problem, ProblemCode, RefreshToken};
use hythe_identity::{Caller, TokenId};

use super::asked::{Named, Paged};
use super::{ApiState, signed_in};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;

/// Your own refresh tokens.
#[utoipa::path(get, path = "/api/v1/user/tokens", tag = "tokens", params(PageQuery), responses(
    (status = 200, description = "In the order of their ids", body = Page<RefreshToken>),
    (status = 401, description = "Nobody is signed in", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Paged(query): Paged,
) -> Result<Json<Page<RefreshToken>>, Refusal> {
    let user = signed_in(&caller)?;
    let limit = query.limit()?;
    let mut found = state.identity.list_refresh(user.id, query.after()?, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let items = found
        .into_iter()
        .map(|token| RefreshToken {
            id: token.id.to_string(),
            client: token.client,
            created: token.created.rfc3339(),
            last_used: Some(token.used.rfc3339()),
            expires: token.expires.rfc3339(),
        })
        .collect();
    Ok(Json(page(items, more, |token: &RefreshToken| token.id.clone())))
}

/// Revokes one of your refresh tokens: that device must sign in again.
#[utoipa::path(delete, path = "/api/v1/user/tokens/{token}", tag = "tokens",
    params(("token" = String, Path, description = "The token's id")), responses(
    (status = 204, description = "Revoked"),
    (status = 404, description = "You have no such token", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<TokenId>,
) -> Result<StatusCode, Refusal> {
    let user = signed_in(&caller)?;
    if state.identity.revoke_refresh(user.id, id).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Refusal::new(
        ProblemCode::NotFound,
        format!("You have no refresh token {id}: it may have been revoked already."),
    ))
}
