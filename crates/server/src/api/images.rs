//! Tagged images, their status, and announced pushes.

use std::time::Duration;

use axum::extract::{Query, State};
use axum::{Extension, Json};
use http::{HeaderValue, StatusCode, header};
use hythe_api::{Image, ImageStatus, NewAnnouncement, Page, PlaceStatus, Problem, ProblemCode, Readiness};
use hythe_identity::Caller;
use hythe_oci::{Digest, ProjectName, Reference, RepositoryName};
use hythe_registry::projects::{ImagePosition, TaggedImage};
use hythe_registry::readiness::{self, AnnouncedPart, Announcement, LONGEST_WAIT};
use serde::Deserialize;

use super::ApiState;
use super::asked::{Document, Named, NamedPair, Paged, Queried};
use crate::page::{PageQuery, page};
use crate::problem::Refusal;
use crate::request::ClientAddress;
use crate::shares::Full;

/// The tagged images of a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}/images", tag = "images",
    params(("project" = String, Path, description = "The project's name"), PageQuery), responses(
    (status = 200, description = "In the order of repository and tag", body = Page<Image>),
    (status = 404, description = "The project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn of_project(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(project): Named<ProjectName>,
    Paged(query): Paged,
) -> Result<Json<Page<Image>>, Refusal> {
    let found = state.registry.list_images(&caller, &project, query.after()?, query.limit()?).await?;
    let items = found.items.into_iter().map(shown).collect();
    Ok(Json(page(items, found.next, |image: &Image| ImagePosition::of(&image.repository, &image.tag))))
}

/// The tagged images of a repository.
#[utoipa::path(get, path = "/api/v1/repositories/{repository}/images", tag = "images",
    params(("repository" = String, Path, description = "The repository's full name, its slashes written as %2F"), PageQuery), responses(
    (status = 200, description = "In the order of their tags", body = Page<Image>),
    (status = 404, description = "It does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn of_repository(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Named(repository): Named<RepositoryName>,
    Paged(query): Paged,
) -> Result<Json<Page<Image>>, Refusal> {
    let found = state.registry.list_images_of(&caller, &repository, query.after()?, query.limit()?).await?;
    let items = found.items.into_iter().map(shown).collect();
    Ok(Json(page(items, found.next, |image: &Image| image.tag.clone())))
}

/// How long to wait for a status.
#[derive(Clone, Copy, Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitQuery {
    /// Seconds to wait until the image is ready, at most 50; 0 if left out.
    #[param(minimum = 0, maximum = 50)]
    wait: Option<u64>,
}

/// Whether an image can be pulled, at once or as soon as it can.
///
/// With `wait` the answer comes when the image is ready, and after that time with what holds then. An image that is
/// neither here nor announced is waited for as well, and then is no error but 404.
#[utoipa::path(get, path = "/api/v1/repositories/{repository}/status/{reference}", tag = "images",
    params(("repository" = String, Path, description = "The repository's full name, its slashes written as %2F"),
        ("reference" = String, Path, description = "A digest, or a tag"), WaitQuery), responses(
    (status = 200, description = "It is here or on its way", body = ImageStatus),
    (status = 404, description = "It is neither here nor announced, or you may not see it", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It has too many parts, or too many of them are missing", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many requests from your network wait for a status", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "Too many requests ask or wait for a status", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn status(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Extension(client): Extension<ClientAddress>,
    NamedPair(repository, reference): NamedPair<RepositoryName, Reference>,
    Queried(Query(query)): Queried<WaitQuery>,
) -> Result<Json<ImageStatus>, Refusal> {
    let wait = Duration::from_secs(query.wait.unwrap_or(0));
    if wait > LONGEST_WAIT {
        return Err(Refusal::new(
            ProblemCode::Malformed,
            format!("`wait` is at most {} seconds: ask again when they are over.", LONGEST_WAIT.as_secs()),
        ));
    }
    let mut place = state.status_waits.of(client.0);
    if !wait.is_zero() {
        place.take(1).map_err(no_place)?;
    }
    let ask = |wait| state.registry.image_status(&caller, &repository, &reference, wait);
    let status = tokio::select! {
        status = ask(wait) => status?,
        // A server that stops keeps nobody waiting.
        () = state.drain.stopping(), if !wait.is_zero() => ask(Duration::ZERO).await?,
    };
    Ok(Json(told(repository, status)))
}

/// Why nobody else may wait: told to come back, for to wait is all they want.
fn no_place(full: Full) -> Refusal {
    let (code, whose) = match full {
        Full::Server => (ProblemCode::Unavailable, "Too many requests wait"),
        Full::Network => (ProblemCode::TooManyRequests, "Too many requests from your network wait"),
    };
    let detail = format!(
        "{whose} for the status of an image at the moment: ask again in a few seconds, or without `wait`."
    );
    Refusal::new(code, detail).with(header::RETRY_AFTER, HeaderValue::from_static("5"))
}

/// Announces that an image is going to be pushed.
///
/// It is pending from now on, until its manifest is here. Announce again within ten minutes, or it is forgotten.
#[utoipa::path(put, path = "/api/v1/repositories/{repository}/announcements/{digest}", tag = "images",
    request_body = NewAnnouncement,
    params(("repository" = String, Path, description = "The repository's full name, its slashes written as %2F"),
        ("digest" = String, Path, description = "The digest of the manifest that will be pushed")), responses(
    (status = 204, description = "Announced"),
    (status = 403, description = "You may not push to its project", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Its project does not exist, or you may not see it", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "Too many parts, or you announced too much", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn announce(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    NamedPair(repository, digest): NamedPair<RepositoryName, Digest>,
    Document(new): Document<NewAnnouncement>,
) -> Result<StatusCode, Refusal> {
    let parts = new.parts.iter().map(|part| AnnouncedPart { digest: part.digest, size: part.size }).collect();
    let announcement = Announcement { digest, tag: new.tag, parts };
    state.registry.announce(&caller, &repository, announcement).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Withdraws an announcement: the image will not come.
#[utoipa::path(delete, path = "/api/v1/repositories/{repository}/announcements/{digest}", tag = "images",
    params(("repository" = String, Path, description = "The repository's full name, its slashes written as %2F"),
        ("digest" = String, Path, description = "The digest that was announced")), responses(
    (status = 204, description = "Withdrawn"),
    (status = 403, description = "You may not push to its project", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such announcement of yours or in a project you own", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn withdraw(
    State(state): State<ApiState>,
    Extension(caller): Extension<Caller>,
    NamedPair(repository, digest): NamedPair<RepositoryName, Digest>,
) -> Result<StatusCode, Refusal> {
    state.registry.withdraw(&caller, &repository, digest).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(image: TaggedImage) -> Image {
    Image {
        repository: image.repository,
        tag: image.tag,
        digest: image.digest,
        media_type: image.media_type,
        size: image.size,
        updated: image.updated.rfc3339(),
    }
}

fn told(repository: RepositoryName, status: readiness::ImageStatus) -> ImageStatus {
    let readiness = match status.condition {
        readiness::Condition::Pending => Readiness::Pending,
        readiness::Condition::Ready => Readiness::Ready,
    };
    let place = PlaceStatus {
        place: "registry".to_owned(),
        status: readiness,
        percent: status.percent(),
        bytes_present: status.present.bytes,
        bytes_needed: status.needed.bytes,
        reason: status.reason,
    };
    ImageStatus { repository, digest: status.digest, status: readiness, places: vec![place] }
}
