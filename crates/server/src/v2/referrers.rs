//! end-12: the referrers of a digest, as an image index.

use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode, header};
use hythe_oci::{Digest, ErrorCode, RepositoryName, media_type};
use hythe_registry::access::Pull;
use hythe_registry::pull::Referrer;
use serde_json::{Value, json};

use super::fault::Fault;
use super::paging::Asked;
use super::{Call, typed_json};

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The most referrers on one page.
const PAGE: u32 = 500;

pub(super) async fn list(call: &Call<'_>, name: &RepositoryName, subject: Digest) -> Result<Response, Fault> {
    let permit = call.permit::<Pull>(name).await?;
    let mut asked = Asked::read(&call.query)?;
    asked.limit = asked.limit.min(PAGE);
    let after = match &asked.last {
        Some(last) => Some(last.parse::<Digest>().map_err(|error| {
            Fault::invalid(ErrorCode::DigestInvalid, format!("`last` must be a digest of the list: {error}"))
        })?),
        None => None,
    };
    let kind = call.query.get("artifactType").map(ToOwned::to_owned);
    let page = call.registry().referrers(&permit, subject, kind.clone(), after, asked.limit).await?;
    let manifests: Vec<Value> = page.items.iter().map(descriptor).collect();
    let index = json!({
        "schemaVersion": 2,
        "mediaType": media_type::OCI_INDEX,
        "manifests": manifests,
    });
    let mut response = typed_json(call, StatusCode::OK, media_type::OCI_INDEX, &index)?;
    if kind.is_some() {
        response.headers_mut().insert(FILTERS_APPLIED, HeaderValue::from_static("artifactType"));
    }
    if page.next
        && let Some(last) = page.items.last()
    {
        let path = format!("/v2/{name}/referrers/{subject}");
        let filter = kind.as_deref().map(|kind| ("artifactType", kind));
        let link = asked.link(&path, &last.digest.to_string(), filter.as_slice())?;
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

fn descriptor(referrer: &Referrer) -> Value {
    let mut descriptor = json!({
        "mediaType": referrer.media_type,
        "digest": referrer.digest.to_string(),
        "size": referrer.size,
    });
    if let Some(kind) = &referrer.artifact_type {
        descriptor["artifactType"] = Value::from(kind.as_str());
    }
    if !referrer.annotations.is_empty() {
        descriptor["annotations"] = json!(referrer.annotations);
    }
    descriptor
}
