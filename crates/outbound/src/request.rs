//! A request to send: method, URL, headers, credential and body.

use std::fmt;

use bytes::Bytes;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use url::Url;

use crate::{Authorization, Content, Origin, OutboundError};

/// One request. The credential is kept apart from the headers, so that a redirect can drop it.
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) authorization: Option<Authorization>,
    pub(crate) body: Body,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), authorization: None, body: Body::empty() }
    }

    /// Where the request goes; whoever signs requests looks here for the [`Origin`] first.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Adds a header line; several of one name are all sent.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }

    /// Sends this credential to the origin of the URL, and nowhere else.
    pub fn authorization(mut self, authorization: Option<Authorization>) -> Self {
        self.authorization = authorization;
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// Sets a JSON body and its `Content-Type`.
    ///
    /// # Errors
    /// The value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self, OutboundError> {
        let bytes = serde_json::to_vec(value)
            .map_err(|error| OutboundError::Settings(format!("the request has no JSON form: {error}")))?;
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Body::bytes(Bytes::from(bytes));
        Ok(self)
    }
    /// Sets a form as the body (`application/x-www-form-urlencoded`) and its `Content-Type`. What it holds
    /// appears in no log: `Debug` of a request shows the size of the body only.
    pub fn form<'a>(mut self, fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.body = Body::bytes(Bytes::from(form));
        self
    }
}

/// Shows neither the query, which may hold a signature, nor a user name in the address.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, path) = (&self.method, self.url.path());
        let origin = Origin::of(&self.url).map(|origin| origin.to_string()).unwrap_or_default();
        f.debug_struct("Request")
            .field("method", method)
            .field("url", &format!("{origin}{path}"))
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// What a request carries.
pub struct Body(pub(crate) Kind);

pub(crate) enum Kind {
    Empty,
    Bytes(Bytes),
    Stream { size: Option<u64>, content: Content },
}

impl Body {
    /// No body at all.
    pub fn empty() -> Self {
        Self(Kind::Empty)
    }

    /// Bytes in memory.
    pub fn bytes(bytes: Bytes) -> Self {
        Self(Kind::Bytes(bytes))
    }

    /// Content of exactly `size` bytes; it is read as fast as the server takes it, so memory holds
    /// one chunk. Content that ends early or runs over breaks the exchange off.
    pub fn stream(size: u64, content: impl Into<Content>) -> Self {
        Self(Kind::Stream { size: Some(size), content: content.into() })
    }

    /// Content whose size is not known before it ends, sent with `Transfer-Encoding: chunked`.
    pub fn unsized_stream(content: impl Into<Content>) -> Self {
        Self(Kind::Stream { size: None, content: content.into() })
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::empty()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Empty => f.write_str("Body(empty)"),
            Kind::Bytes(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Kind::Stream { size: Some(size), .. } => write!(f, "Body(stream of {size} bytes)"),
            Kind::Stream { size: None, .. } => f.write_str("Body(stream)"),
        }
    }
}
