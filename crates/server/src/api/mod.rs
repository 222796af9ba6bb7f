//! `/api/v1`: projects, members, users, repositories, images, open uploads, device sessions.
//!
//! A handler parses, asks a room, and writes the answer; rules live in `hythe_registry` and
//! `hythe_identity`. The OpenAPI document comes out of the handlers themselves.

mod asked;
mod document;
mod images;
mod members;
mod projects;
mod refusals;
mod repositories;
mod tokens;
mod uploads;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use http::{HeaderValue, Method, header};
use hythe_api::ProblemCode;
use hythe_identity::{Caller, Identity, Session};
use hythe_registry::Registry;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authenticate::authenticate;
use crate::drain::DrainWatch;
use crate::log_line::{Identified, RouteLabel};
use crate::problem::Refusal;
use crate::request::ClientAddress;
use crate::shares::Shares;

pub(crate) use asked::Document;
pub use document::document;

/// What the face works with.
#[derive(Clone)]
pub(crate) struct ApiState {
    pub(crate) identity: Identity,
    pub(crate) registry: Registry,
    /// Tells long answers when to end.
    pub(crate) drain: DrainWatch,
    /// The requests that wait for a status.
    pub(crate) status_waits: Arc<Shares>,
}

/// The face, with its document.
pub(crate) fn router(state: ApiState) -> Router {
    let (routes, document) = routes().split_for_parts();
    let document = document::route(document);
    routes.layer(middleware::from_fn_with_state(state.clone(), identify)).with_state(state).merge(document)
}

/// Every route, in one list.
fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::with_openapi(document::Base::openapi())
        .routes(routes!(projects::list, projects::create))
        .routes(routes!(projects::show, projects::change, projects::delete))
        .routes(routes!(members::list))
        .routes(routes!(members::set, members::remove))
        .routes(routes!(repositories::list))
        .routes(routes!(repositories::create))
        .routes(routes!(repositories::delete))
        .routes(routes!(images::of_project))
        .routes(routes!(images::of_repository))
        .routes(routes!(images::status))
        .routes(routes!(images::announce, images::withdraw))
        .routes(routes!(uploads::of_project))
        .routes(routes!(uploads::own))
        .routes(routes!(uploads::cancel))
        .routes(routes!(users::list, users::create))
        .routes(routes!(users::delete))
        .routes(routes!(users::set_password))
        .routes(routes!(users::me))
        .routes(routes!(users::change_own_password))
        .routes(routes!(tokens::list))
        .routes(routes!(tokens::revoke))
}

/// Finds out who asks, before any handler runs.
///
/// A token that was asked for with scopes was meant for images: here it may only read. Passwords,
/// refresh tokens, and tokens asked for without scopes stand for the user.
async fn identify(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let label = request.extensions().get::<MatchedPath>().map_or("api", |path| label(path.as_str()));
    let mut response = identified(&state, request, next).await;
    response.extensions_mut().insert(RouteLabel(label));
    response
}

async fn identified(state: &ApiState, mut request: Request, next: Next) -> Response {
    let Some(client) = request.extensions().get::<ClientAddress>().copied() else {
        return Refusal::failure().into_response();
    };
    let session = match authenticate(&state.identity, request.headers(), client).await {
        Ok(session) => session,
        Err(error) => return refusals::unauthenticated(&error).into_response(),
    };
    if let Err(refusal) = may_use(&session, request.method()) {
        return refusal.into_response();
    }
    let name = session.caller.user().map(|user| user.name.to_string());
    request.extensions_mut().insert(session.caller);
    let mut response = next.run(request).await;
    if let Some(name) = name {
        response.extensions_mut().insert(Identified(name));
    }
    response
}

/// What logs and metrics call a route: the kind of thing it is about, the last fixed part of its path.
fn label(path: &str) -> &'static str {
    match path.split('/').rfind(|part| !part.starts_with('{')) {
        Some("projects") => "api_projects",
        Some("members") => "api_members",
        Some("repositories") => "api_repositories",
        Some("images") => "api_images",
        Some("status") => "api_status",
        Some("announcements") => "api_announcements",
        Some("uploads") => "api_uploads",
        Some("users") => "api_users",
        Some("user") => "api_user",
        Some("password") => "api_password",
        Some("tokens") => "api_tokens",
        _ => "api",
    }
}

fn may_use(session: &Session, method: &Method) -> Result<(), Refusal> {
    if session.expired {
        return Err(refusals::challenge(
            ProblemCode::InvalidToken,
            "The access token has expired: get a new one from the token service.",
        ));
    }
    if !session.whole && method != Method::GET {
        return Err(Refusal::new(
            ProblemCode::InsufficientScope,
            "This access token was asked for with scopes for images and may only read here: use your password, a refresh token, or a token without scopes.",
        ));
    }
    Ok(())
}

/// The user who must be signed in for this.
fn signed_in(caller: &Caller) -> Result<&Arc<hythe_identity::User>, Refusal> {
    caller.user().ok_or_else(|| {
        refusals::challenge(
            ProblemCode::SignInRequired,
            "This needs a signed-in user: send a user name and password (Basic), or an access token (Bearer).",
        )
    })
}

/// The administrator who must be asking for this.
fn administrator(caller: &Caller) -> Result<(), Refusal> {
    let user = signed_in(caller)?;
    if user.admin {
        return Ok(());
    }
    Err(Refusal::new(
        ProblemCode::Forbidden,
        format!("{} is no administrator, and only administrators manage users: ask one.", user.name),
    ))
}

/// A header that browsers and curl understand as "send a password".
const BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"hythe\"");

fn with_challenge(refusal: Refusal) -> Refusal {
    refusal.with(header::WWW_AUTHENTICATE, BASIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_has_a_label_of_its_kind() {
        for path in document().paths.paths.keys() {
            assert_ne!(label(path), "api", "{path}");
        }
    }
}
