//! end-3, end-7, end-9: manifests.
//!
//! There is no negotiation: what was pushed is what is served, whatever `Accept` says, for a
//! client that asks too narrowly is better off with the manifest than with an error.

use std::fmt::Write as _;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use hythe_oci::{Endpoint, ErrorCode, MediaType, Reference, RepositoryName, Tag, limits};
use hythe_registry::access::{Delete, Pull, Push};
use hythe_registry::pull::StoredManifest;
use hythe_registry::push::ManifestPush;

use super::fault::Fault;
use super::{CONTENT_DIGEST, Call, conditional, empty, value};
use crate::whole_body::{NO_ROOM_RETRY_SECONDS, NotWhole, Room, WholeBody};

const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");
const TAG: HeaderName = HeaderName::from_static("oci-tag");
const WARNING: HeaderName = HeaderName::from_static("warning");

/// The most `?tag=` parameters of one push.
const TAGS: usize = 100;

/// The most bytes of a warning, as the specification has it.
const WARNING_BYTES: usize = 4096;

pub(super) async fn get(
    call: &Call<'_>,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Fault> {
    let permit = call.permit::<Pull>(name).await?;
    let head = call.endpoint == Endpoint::HeadManifest;
    let found = if head {
        call.registry().stat_manifest(&permit, reference).await?
    } else {
        call.registry().manifest(&permit, reference).await?
    };
    let StoredManifest { digest, media_type, bytes } = found;
    let unchanged = conditional::not_modified(&call.head.headers, &digest);
    let length = bytes.len();
    let body = if head || unchanged { Body::empty() } else { Body::from(Bytes::from_owner(bytes)) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_DIGEST, value(digest)?);
    headers.insert(header::ETAG, conditional::entity_tag(&digest)?);
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(header::CONTENT_TYPE, value(media_type)?);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(response)
}

pub(super) async fn put(
    call: &Call<'_>,
    name: &RepositoryName,
    reference: Reference,
    body: Body,
) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    let tags = tags(call)?;
    let content_type = content_type(call)?;
    // Counted until the answer: what is made of the bytes goes with them.
    let body = read(call, body).await?;
    let bytes = body.bytes.clone();
    let pushed =
        call.registry().put_manifest(&permit, ManifestPush { reference, tags, content_type, bytes }).await?;
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, call.location(&format!("/v2/{name}/manifests/{}", pushed.digest))?);
    headers.insert(CONTENT_DIGEST, value(pushed.digest)?);
    if let Some(subject) = pushed.subject {
        headers.insert(SUBJECT, value(subject)?);
    }
    for tag in pushed.tags {
        headers.append(TAG, value(tag)?);
    }
    Ok(response)
}

pub(super) async fn delete(
    call: &Call<'_>,
    name: &RepositoryName,
    reference: &Reference,
) -> Result<Response, Fault> {
    let permit = call.permit::<Delete>(name).await?;
    let mut response = empty(StatusCode::ACCEPTED);
    match reference {
        Reference::Tag(tag) => call.registry().delete_tag(&permit, tag).await?,
        Reference::Digest(digest) => {
            let tags = call.registry().delete_manifest(&permit, *digest).await?;
            if tags.len() > 1 {
                response.headers_mut().insert(WARNING, value(removed(&tags))?);
            }
        }
    }
    Ok(response)
}

/// Many clients resolve a tag and delete its digest: whoever does is told what else went.
fn removed(tags: &[Tag]) -> String {
    let mut text = String::from("299 - \"With this manifest its tags were deleted:");
    for (position, tag) in tags.iter().enumerate() {
        let rest = tags.len() - position;
        if text.len() + tag.as_str().len() + 40 > WARNING_BYTES {
            // Writing to a string cannot fail.
            let _ = write!(text, " and {rest} more");
            break;
        }
        let _ = write!(text, "{} {tag}", if position == 0 { "" } else { "," });
    }
    text.push_str(".\"");
    text
}

fn tags(call: &Call<'_>) -> Result<Vec<Tag>, Fault> {
    let mut tags = Vec::new();
    for text in call.query.all("tag") {
        let tag = text.parse::<Tag>().map_err(|error| {
            Fault::invalid(ErrorCode::ManifestInvalid, format!("A `tag` parameter is no tag: {error}"))
        })?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > TAGS {
            return Err(Fault::new(
                414,
                ErrorCode::ManifestInvalid,
                format!(
                    "One push sets at most {TAGS} tags by parameter: set the others with further pushes."
                ),
            ));
        }
    }
    Ok(tags)
}

fn content_type(call: &Call<'_>) -> Result<Option<MediaType>, Fault> {
    let Some(header) = call.head.headers.get(header::CONTENT_TYPE) else {
        return Ok(None);
    };
    let parsed = header.to_str().ok().and_then(|text| MediaType::parse(text).ok());
    parsed.map(Some).ok_or_else(|| {
        Fault::invalid(ErrorCode::ManifestInvalid, "The Content-Type of the manifest is no media type.")
    })
}

async fn read(call: &Call<'_>, body: Body) -> Result<WholeBody, Fault> {
    let limit = limits::MANIFEST_BYTES;
    let room = call
        .head
        .extensions
        .get::<Room>()
        .ok_or_else(|| Fault::internal("a request came without its context"))?;
    room.read(body, limit).await.map_err(|error| match error {
        NotWhole::TooLong => Fault::new(
            413,
            ErrorCode::SizeInvalid,
            format!(
                "A manifest may have at most {limit} bytes, for clients read no larger one: put the data into a blob."
            ),
        ),
        NotWhole::NoRoom => Fault::new(503, ErrorCode::Unavailable, NotWhole::NO_ROOM)
            .with_header(header::RETRY_AFTER, HeaderValue::from(NO_ROOM_RETRY_SECONDS)),
        NotWhole::Cut => Fault::invalid(
            ErrorCode::ManifestInvalid,
            "The request's body ended early: nothing was stored; push the manifest again.",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_stays_within_its_length() {
        let few: Vec<Tag> = ["a", "b"].iter().map(|tag| tag.parse().unwrap()).collect();
        assert_eq!(removed(&few), "299 - \"With this manifest its tags were deleted: a, b.\"");
        let many: Vec<Tag> = (0..2_000).map(|n| format!("tag-{n}").parse().unwrap()).collect();
        let text = removed(&many);
        assert!(text.len() <= WARNING_BYTES && text.ends_with("more.\""), "{}", text.len());
    }
}
