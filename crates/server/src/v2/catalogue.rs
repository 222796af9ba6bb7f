//! The catalogue: repositories with content that the caller may see.

use axum::response::Response;
use http::{StatusCode, header};
use hythe_oci::RepositoryName;
use serde_json::json;

use super::fault::Fault;
use super::paging::Asked;
use super::{Call, json as answer, refusal};

const SCOPE: &str = "registry:catalog:*";

pub(super) async fn list(call: &Call<'_>) -> Result<Response, Fault> {
    refusal::require_credentials(call, Some(SCOPE.to_owned()))?;
    if call.session.scopes.as_ref().is_some_and(|scopes| !scopes.catalog()) {
        let message =
            "The access token does not cover the catalogue: ask the token service for `registry:catalog:*`.";
        return Err(refusal::missing_scope(call, SCOPE.to_owned(), message));
    }
    let asked = Asked::read(&call.query)?;
    let page = call.registry().catalogue(&call.session, asked.last.clone(), asked.limit).await?;
    let names: Vec<&str> = page.items.iter().map(RepositoryName::as_str).collect();
    let mut response = answer(call, StatusCode::OK, &json!({ "repositories": names }))?;
    if page.next
        && let Some(last) = names.last()
    {
        response.headers_mut().insert(header::LINK, asked.link("/v2/_catalog", last, &[])?);
    }
    Ok(response)
}
