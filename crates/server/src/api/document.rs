//! The OpenAPI 3.1 document.

use axum::Router;
use axum::response::IntoResponse as _;
use axum::routing::get;
use http::{HeaderValue, header};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, Server};
use utoipa::{Modify, OpenApi};

/// What the document says beside the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Hythe",
        description = "Projects, members, users, repositories and uploads of a Hythe registry. Images go over /v2, the OCI distribution protocol. A password, a refresh token, or an access token asked for without scopes stands for its user; an access token asked for with scopes may only read here. Refusals are problem details (RFC 9457); lists are paged by cursor.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(hythe_api::Problem)),
    modifiers(&SignIn),
    security(("basic" = []), ("bearer" = []))
)]
pub(super) struct Base;

struct SignIn;

impl Modify for SignIn {
    fn modify(&self, document: &mut Document) {
        document.servers = Some(vec![Server::new("/")]);
        let components = document.components.get_or_insert_default();
        for (name, scheme) in [("basic", HttpAuthScheme::Basic), ("bearer", HttpAuthScheme::Bearer)] {
            components.add_security_scheme(name, SecurityScheme::Http(Http::new(scheme)));
        }
    }
}

/// The document that is served, for tests that compare it with the routes.
pub fn document() -> Document {
    super::routes().into_openapi()
}

/// Serves the document to anybody: it tells what every installation of this version can do.
pub(super) fn route(document: Document) -> Router {
    let text = match document.to_json() {
        Ok(text) => bytes::Bytes::from(text),
        Err(error) => unreachable!("the document is made of strings and numbers: {error}"),
    };
    let json = HeaderValue::from_static("application/json");
    let answer = move || {
        let text = text.clone();
        async move { ([(header::CONTENT_TYPE, json)], text).into_response() }
    };
    Router::new().route("/api/v1/openapi.json", get(answer))
}
