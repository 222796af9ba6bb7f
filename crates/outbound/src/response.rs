//! An answer: status, headers, and a body that is read within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use futures_util::stream;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_LENGTH, HeaderMap, HeaderName};
use serde::de::DeserializeOwned;
use url::Url;

use crate::trace::Told;
use crate::{Origin, OutboundError};

/// A server's answer. The body is not read yet; dropping it closes the connection.
#[derive(Debug)]
pub struct Response {
    pub(crate) inner: reqwest::Response,
    pub(crate) origin: Origin,
    pub(crate) idle_timeout: Duration,
    pub(crate) told: Told,
}

impl Response {
    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.inner.status()
    }

    /// All headers.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// The first value of a header, or `None` when it is absent or not visible ASCII.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// Where the answer came from, after redirects.
    pub fn url(&self) -> &Url {
        self.inner.url()
    }

    /// The server that answered, after redirects.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The size of the body in bytes as the server announced it; of an answer to `HEAD`, the size that the
    /// body of a `GET` would have.
    pub fn content_length(&self) -> Option<u64> {
        // The library only knows the body that follows, and none follows a HEAD.
        self.header(&CONTENT_LENGTH).map_or_else(|| self.inner.content_length(), |text| text.parse().ok())
    }

    /// The whole body, of at most `limit` bytes.
    ///
    /// # Errors
    /// The body is larger, or the exchange broke off or stood still.
    pub async fn bytes(mut self, limit: usize) -> Result<Bytes, OutboundError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len().saturating_add(chunk.len()) > limit {
                return Err(OutboundError::TooLarge { origin: self.origin.to_string(), limit });
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    /// The body as JSON, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Response::bytes`], or the body is not the JSON expected.
    pub async fn json<T: DeserializeOwned>(self, limit: usize) -> Result<T, OutboundError> {
        let origin = self.origin.to_string();
        let bytes = self.bytes(limit).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| OutboundError::Unreadable { origin, reason: error.to_string() })
    }

    /// The body in pieces as they arrive; after an error the stream ends.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, OutboundError>> + Send + 'static {
        stream::try_unfold(self, |mut response| async move {
            Ok(response.chunk().await?.map(|chunk| (chunk, response)))
        })
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, OutboundError> {
        let chunk = match tokio::time::timeout(self.idle_timeout, self.inner.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => {
                Err(OutboundError::from_reqwest(self.origin.to_string(), self.idle_timeout, &error))
            }
            Err(_elapsed) => {
                Err(OutboundError::Timeout { origin: self.origin.to_string(), waited: self.idle_timeout })
            }
        };
        match &chunk {
            Ok(piece) => self.told.received(piece.as_ref().map_or(0, Bytes::len)),
            Err(error) => self.told.failed(error),
        }
        chunk
    }
}
