//! end-8: the tags of a repository.

use axum::response::Response;
use http::{StatusCode, header};
use hythe_oci::{RepositoryName, Tag};
use hythe_registry::access::Pull;
use serde_json::json;

use super::fault::Fault;
use super::paging::Asked;
use super::{Call, json as answer};

pub(super) async fn list(call: &Call<'_>, name: &RepositoryName) -> Result<Response, Fault> {
    let permit = call.permit::<Pull>(name).await?;
    let asked = Asked::read(&call.query)?;
    let page = call.registry().tags(&permit, asked.last.clone(), asked.limit).await?;
    let tags: Vec<&str> = page.items.iter().map(Tag::as_str).collect();
    let mut response = answer(call, StatusCode::OK, &json!({ "name": name.as_str(), "tags": tags }))?;
    if page.next
        && let Some(last) = tags.last()
    {
        let path = format!("/v2/{name}/tags/list");
        response.headers_mut().insert(header::LINK, asked.link(&path, last, &[])?);
    }
    Ok(response)
}
