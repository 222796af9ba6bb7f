//! end-2, end-10: blobs, whole or in ranges.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use hythe_oci::{ByteRanges, Digest, ErrorCode, RangeAnswer, RepositoryName};
use hythe_registry::access::{Delete, Pull};

use super::body::{self, Multipart};
use super::fault::Fault;
use super::{CONTENT_DIGEST, Call, conditional, empty, value};

const OCTETS: HeaderValue = HeaderValue::from_static("application/octet-stream");

pub(super) async fn head(call: &Call<'_>, name: &RepositoryName, digest: Digest) -> Result<Response, Fault> {
    let permit = call.permit::<Pull>(name).await?;
    let size = call.registry().stat_blob(&permit, digest).await?;
    let mut response = described(digest)?;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, OCTETS);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
    Ok(response)
}

pub(super) async fn get(call: &Call<'_>, name: &RepositoryName, digest: Digest) -> Result<Response, Fault> {
    let permit = call.permit::<Pull>(name).await?;
    let blob = call.registry().open_blob(&permit, digest).await?;
    let size = blob.size();
    let mut response = described(digest)?;
    let request = &call.head.headers;
    if conditional::not_modified(request, &digest) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return Ok(response);
    }
    let asked = call.header(&header::RANGE).filter(|_| conditional::range_applies(request, &digest));
    match asked.map_or(RangeAnswer::Whole, |range| ByteRanges::parse(range, size)) {
        RangeAnswer::Whole => {
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_TYPE, OCTETS);
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(size));
            *response.body_mut() = body::whole(blob, call.lane());
        }
        RangeAnswer::Parts(parts) => {
            let blob = blob.for_ranges().await?;
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            if let [part] = &parts[..] {
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, OCTETS);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
                headers.insert(header::CONTENT_RANGE, value(body::content_range(part, size))?);
                *response.body_mut() = body::of(&blob, part.clone(), call.lane());
            } else {
                let multipart = Multipart::new(parts, size, &digest);
                let headers = response.headers_mut();
                headers.insert(header::CONTENT_TYPE, value(multipart.content_type())?);
                headers.insert(header::CONTENT_LENGTH, HeaderValue::from(multipart.length()));
                *response.body_mut() = multipart.body(blob);
            }
        }
        RangeAnswer::Unsatisfiable => {
            return Err(Fault::new(
                416,
                ErrorCode::RangeInvalid,
                format!("The blob has {size} bytes, and none of the ranges asked for lies within."),
            )
            .with_header(header::CONTENT_RANGE, value(format_args!("bytes */{size}"))?));
        }
    }
    Ok(response)
}

pub(super) async fn delete(
    call: &Call<'_>,
    name: &RepositoryName,
    digest: Digest,
) -> Result<Response, Fault> {
    let permit = call.permit::<Delete>(name).await?;
    call.registry().delete_blob(&permit, digest).await?;
    Ok(empty(StatusCode::ACCEPTED))
}

/// What every answer about a blob carries.
fn described(digest: Digest) -> Result<Response, Fault> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, value(digest)?);
    headers.insert(header::ETAG, conditional::entity_tag(&digest)?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    Ok(response)
}
