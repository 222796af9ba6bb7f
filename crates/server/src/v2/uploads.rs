//! end-4, end-5, end-6, end-11, end-13, end-14: uploads and mounts.

use axum::body::Body;
use axum::response::Response;
use futures_util::StreamExt;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use hythe_oci::{Algorithm, ContentRange, Digest, ErrorCode, RepositoryName, UploadId};
use hythe_registry::Error;
use hythe_registry::access::{Permit, Push};
use hythe_registry::push::{BodyError, Chunk, Expected, Mounted, Placed};

use super::fault::Fault;
use super::{CONTENT_DIGEST, Call, UPLOAD_UUID, empty, value};

const BLOB_DIGEST: HeaderName = HeaderName::from_static("hythe-blob-digest");
const BLOB_SIZE: HeaderName = HeaderName::from_static("hythe-blob-size");

/// POST: mounts, stores a whole blob, or opens a session.
pub(super) async fn start(call: &Call<'_>, name: &RepositoryName, body: Body) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    if let Some(digest) = digest_parameter(call, "mount")? {
        let from = match call.query.get("from") {
            Some(from) => Some(from.parse::<RepositoryName>().map_err(|error| {
                Fault::invalid(ErrorCode::NameInvalid, format!("`from` is no repository name: {error}"))
            })?),
            None => None,
        };
        return match call.registry().mount(&permit, digest, from).await? {
            Mounted::Done(placed) => created(call, name, placed),
            Mounted::Absent => open(call, &permit, digest.algorithm()).await,
        };
    }
    if let Some(digest) = digest_parameter(call, "digest")? {
        let chunk_length = content_length(&call.head.headers)?;
        // Some clients announce the digest and send the bytes with PUT.
        let bodiless = chunk_length == Some(0) && digest != Digest::of(digest.algorithm(), b"");
        if bodiless {
            return open(call, &permit, digest.algorithm()).await;
        }
        let chunk = chunk(call, body)?;
        let registry = call.registry().clone();
        let placed = detached(async move { registry.put_blob(&permit, digest, chunk).await }).await?;
        return created(call, name, placed);
    }
    let algorithm = match call.query.get("digest-algorithm") {
        Some(text) => text.parse::<Algorithm>().map_err(|error| {
            Fault::invalid(ErrorCode::DigestInvalid, format!("`digest-algorithm` is not supported: {error}"))
        })?,
        None => Algorithm::Sha256,
    };
    open(call, &permit, algorithm).await
}

/// PATCH: adds bytes.
pub(super) async fn patch(
    call: &Call<'_>,
    name: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    let chunk = chunk(call, body)?;
    let registry = call.registry().clone();
    match detached(async move { registry.append(&permit, id, chunk).await }).await {
        Ok(offset) => session(call, name, id, offset, StatusCode::ACCEPTED),
        Err(error) => Err(with_position(call, name, id, error)),
    }
}

/// PUT: closes the upload, with the last bytes if there are any.
pub(super) async fn put(
    call: &Call<'_>,
    name: &RepositoryName,
    id: UploadId,
    body: Body,
) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    let Some(digest) = digest_parameter(call, "digest")? else {
        return Err(Fault::invalid(
            ErrorCode::DigestInvalid,
            "Closing an upload needs the blob's digest: add `?digest=sha256:…` to the address.",
        ));
    };
    let chunk = chunk(call, body)?;
    let registry = call.registry().clone();
    match detached(async move { registry.finish(&permit, id, digest, chunk).await }).await {
        Ok(placed) => created(call, name, placed),
        Err(error) => Err(with_position(call, name, id, error)),
    }
}

/// GET: how far it is.
pub(super) async fn status(call: &Call<'_>, name: &RepositoryName, id: UploadId) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    let offset = call.registry().upload_offset(&permit, id).await?;
    session(call, name, id, offset, StatusCode::NO_CONTENT)
}

/// DELETE: gives it up.
pub(super) async fn cancel(call: &Call<'_>, name: &RepositoryName, id: UploadId) -> Result<Response, Fault> {
    let permit = call.permit::<Push>(name).await?;
    call.registry().cancel(&permit, id).await?;
    Ok(empty(StatusCode::NO_CONTENT))
}

async fn open(call: &Call<'_>, permit: &Permit<Push>, algorithm: Algorithm) -> Result<Response, Fault> {
    let expected = expected(call)?;
    let id = call.registry().start_upload(permit, algorithm, expected).await?;
    session(call, permit.repository(), id, 0, StatusCode::ACCEPTED)
}

/// Runs work to its end even if the client hangs up: what arrived is kept, and a blob that is being
/// placed gets its record.
async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, Error> {
    match tokio::spawn(work).await {
        Ok(outcome) => outcome,
        Err(died) => Err(Error::Internal(Box::new(died))),
    }
}

/// The answer that tells where an upload is and how far.
fn session(
    call: &Call<'_>,
    name: &RepositoryName,
    id: UploadId,
    offset: u64,
    status: StatusCode,
) -> Result<Response, Fault> {
    let mut response = empty(status);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, call.location(&format!("/v2/{name}/blobs/uploads/{id}"))?);
    headers.insert(header::RANGE, range(offset)?);
    headers.insert(UPLOAD_UUID, value(id)?);
    Ok(response)
}

/// `0-last`. An empty upload says `0-0` too: the specification has no other way to write it.
fn range(offset: u64) -> Result<HeaderValue, Fault> {
    value(format_args!("0-{}", offset.saturating_sub(1)))
}

fn created(call: &Call<'_>, name: &RepositoryName, placed: Placed) -> Result<Response, Fault> {
    let mut response = empty(StatusCode::CREATED);
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, call.location(&format!("/v2/{name}/blobs/{}", placed.digest))?);
    headers.insert(CONTENT_DIGEST, value(placed.digest)?);
    Ok(response)
}

/// A chunk out of order is told where to go on, so that a client need not ask.
fn with_position(call: &Call<'_>, name: &RepositoryName, id: UploadId, error: Error) -> Fault {
    let offset = match &error {
        Error::ChunkOutOfOrder { offset, .. } | Error::BodyCut { received: offset } => Some(*offset),
        _ => None,
    };
    let mut fault = Fault::from(error);
    if let Some(offset) = offset
        && let Ok(location) = call.location(&format!("/v2/{name}/blobs/uploads/{id}"))
        && let Ok(range) = range(offset)
    {
        fault = fault.with_header(header::LOCATION, location).with_header(header::RANGE, range);
    }
    fault
}

fn digest_parameter(call: &Call<'_>, name: &str) -> Result<Option<Digest>, Fault> {
    match call.query.get(name) {
        Some(text) => text.parse().map(Some).map_err(|error| {
            Fault::invalid(ErrorCode::DigestInvalid, format!("`{name}` is no digest of ours: {error}"))
        }),
        None => Ok(None),
    }
}

/// What the upload is going to be, if the client says so (an extension of ours: `GET /api/v1/uploads?digest=` then
/// finds the upload again).
fn expected(call: &Call<'_>) -> Result<Option<Expected>, Fault> {
    let Some(digest) = call.header(&BLOB_DIGEST) else { return Ok(None) };
    let digest = digest.parse().map_err(|error| {
        Fault::invalid(ErrorCode::DigestInvalid, format!("`Hythe-Blob-Digest` is no digest of ours: {error}"))
    })?;
    let size = match call.header(&BLOB_SIZE) {
        Some(text) => Some(text.parse().map_err(|_| {
            Fault::invalid(ErrorCode::SizeInvalid, "`Hythe-Blob-Size` is no number of bytes.")
        })?),
        None => None,
    };
    Ok(Some(Expected { digest, size }))
}

fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let Some(length) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    length
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| Fault::invalid(ErrorCode::SizeInvalid, "The Content-Length is no number of bytes."))
}

/// The request's body as a chunk of an upload.
fn chunk(call: &Call<'_>, body: Body) -> Result<Chunk, Fault> {
    let range = match call.header(&header::CONTENT_RANGE) {
        Some(text) => Some(ContentRange::parse(text).map_err(|error| {
            Fault::invalid(ErrorCode::BlobUploadInvalid, format!("The Content-Range cannot be read: {error}"))
        })?),
        None => None,
    };
    let length = content_length(&call.head.headers)?;
    let body = body.into_data_stream().map(|piece| piece.map_err(|_| BodyError));
    Ok(Chunk { range, length, body: Box::pin(body) })
}
