//! What a request brings: a JSON body, names in its path, a page of a list. Each is parsed into a
//! type before a handler sees it, and each refusal is a sentence.

use std::str::FromStr;

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use http::{HeaderValue, header};
use hythe_api::ProblemCode;
use serde::de::DeserializeOwned;

use crate::limits::API_BODY_BYTES;
use crate::page::PageQuery;
use crate::problem::Refusal;
use crate::whole_body::{NO_ROOM_RETRY_SECONDS, NotWhole, Room};

/// A JSON document of at most 64 KiB.
pub(crate) struct Document<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Document<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::new(
                ProblemCode::UnsupportedMediaType,
                "The body must be JSON: send it with `Content-Type: application/json`.",
            ));
        }
        let room = request.extensions().get::<Room>().cloned().ok_or_else(Refusal::failure)?;
        let body = room.read(request.into_body(), API_BODY_BYTES).await.map_err(|error| match error {
            NotWhole::TooLong => Refusal::new(
                ProblemCode::BodyTooLarge,
                format!("The body is longer than {API_BODY_BYTES} bytes, the most that is read here."),
            ),
            NotWhole::NoRoom => Refusal::new(ProblemCode::Unavailable, NotWhole::NO_ROOM)
                .with(header::RETRY_AFTER, HeaderValue::from(NO_ROOM_RETRY_SECONDS)),
            NotWhole::Cut => Refusal::new(ProblemCode::Malformed, "The request's body ended early."),
        })?;
        serde_json::from_slice(&body.bytes).map(Self).map_err(|error| {
            Refusal::new(ProblemCode::Malformed, format!("The body is not what is expected here: {error}."))
        })
    }
}

/// The one name in the path, parsed.
pub(super) struct Named<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Named<T>
where
    T: FromStr<Err: std::fmt::Display> + Send,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| unreadable())?;
        parsed(&text).map(Self)
    }
}

/// Both names in the path, parsed.
pub(super) struct NamedPair<A, B>(pub(super) A, pub(super) B);

impl<A, B, S> FromRequestParts<S> for NamedPair<A, B>
where
    A: FromStr<Err: std::fmt::Display> + Send,
    B: FromStr<Err: std::fmt::Display> + Send,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let Path((first, second)) =
            Path::<(String, String)>::from_request_parts(parts, state).await.map_err(|_| unreadable())?;
        Ok(Self(parsed(&first)?, parsed(&second)?))
    }
}

/// A name outside its grammar cannot be anything's: the thing is not there.
fn parsed<T: FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error| Refusal::new(ProblemCode::NotFound, format!("{error}")))
}

fn unreadable() -> Refusal {
    Refusal::new(ProblemCode::Malformed, "The path is no valid UTF-8.")
}

/// A query other than a page's.
pub(super) struct Queried<T>(pub(super) Query<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Queried<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Query::<T>::from_request_parts(parts, state).await.map(Self).map_err(|error| {
            Refusal::new(ProblemCode::Malformed, format!("The query cannot be read: {}.", error.body_text()))
        })
    }
}

/// The part of a list asked for.
pub(super) struct Paged(pub(super) PageQuery);

impl<S: Send + Sync> FromRequestParts<S> for Paged {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        match Query::<PageQuery>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => Err(Refusal::new(
                ProblemCode::Malformed,
                format!("The query cannot be read; a list takes `limit` and `after`. {}.", error.body_text()),
            )),
        }
    }
}
