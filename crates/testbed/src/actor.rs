//! Somebody who speaks to a registry: an address and what is sent as `Authorization`.
//!
//! Invariant: an actor keeps no state between requests; each request has its own connection, so that tests
//! do not influence each other.

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::content::{Content, Image, digest};
use crate::http::{Body, Connection, Request, Response};

/// A caller of the registry.
#[derive(Clone, Debug)]
pub struct Actor {
    addr: SocketAddr,
    authorization: Option<String>,
}

impl Actor {
    /// Somebody without credentials.
    pub fn anonymous(addr: SocketAddr) -> Self {
        Self { addr, authorization: None }
    }

    /// Somebody who sends a name and a password with each request.
    pub fn basic(addr: SocketAddr, name: &str, password: &str) -> Self {
        let pair = STANDARD.encode(format!("{name}:{password}"));
        Self { addr, authorization: Some(format!("Basic {pair}")) }
    }

    /// Somebody who sends a token with each request.
    pub fn bearer(addr: SocketAddr, token: &str) -> Self {
        Self { addr, authorization: Some(format!("Bearer {token}")) }
    }

    /// The address spoken to.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Begins a request.
    pub fn ask(&self, method: &str, target: &str) -> Asking {
        let headers = self.authorization.iter().map(|value| ("Authorization".to_owned(), value.clone()));
        Asking {
            addr: self.addr,
            request: Request {
                method: method.to_owned(),
                target: target.to_owned(),
                headers: headers.collect(),
                body: Body::None,
            },
        }
    }

    /// Sends a GET.
    pub fn get(&self, target: &str) -> Response {
        self.ask("GET", target).send()
    }

    /// Sends a HEAD.
    pub fn head(&self, target: &str) -> Response {
        self.ask("HEAD", target).send()
    }

    /// Sends a DELETE.
    pub fn delete(&self, target: &str) -> Response {
        self.ask("DELETE", target).send()
    }

    /// Sends a POST without a body.
    pub fn post(&self, target: &str) -> Response {
        self.ask("POST", target).send()
    }

    /// Sends a POST with JSON.
    pub fn post_json(&self, target: &str, body: &Value) -> Response {
        self.ask("POST", target)
            .header("Content-Type", "application/json")
            .body(Body::Whole(body.to_string().into_bytes()))
            .send()
    }

    /// Opens an upload session and returns the path of its `Location`.
    #[track_caller]
    pub fn open_upload(&self, repository: &str) -> String {
        location_path(&self.post(&format!("/v2/{repository}/blobs/uploads/")).is(202))
    }

    /// Finishes the session at `location` with `bytes` as the last of the blob `digest`.
    pub fn close_upload(&self, location: &str, digest: &str, bytes: &[u8]) -> Response {
        self.ask("PUT", &with_digest(location, digest)).body(Body::Whole(bytes.to_vec())).send()
    }

    /// Pushes a blob by POST and PUT and returns its sha256 digest.
    #[track_caller]
    pub fn push_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = digest(bytes);
        let location = self.open_upload(repository);
        self.close_upload(&location, &digest, bytes).is(201);
        digest
    }

    /// Puts a manifest under a tag or digest.
    pub fn put_manifest(&self, repository: &str, reference: &str, manifest: &Content) -> Response {
        self.ask("PUT", &format!("/v2/{repository}/manifests/{reference}"))
            .header("Content-Type", &manifest.media_type)
            .body(Body::Whole(manifest.bytes.clone()))
            .send()
    }

    /// Pushes an image's blobs and its manifest under a tag or digest.
    #[track_caller]
    pub fn push_image(&self, repository: &str, reference: &str, image: &Image) -> Response {
        for blob in &image.blobs {
            self.push_blob(repository, &blob.bytes);
        }
        self.put_manifest(repository, reference, &image.manifest).is(201)
    }
}

/// A request being put together.
#[derive(Clone, Debug)]
pub struct Asking {
    addr: SocketAddr,
    request: Request,
}

impl Asking {
    /// Adds a header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: Body) -> Self {
        self.request.body = body;
        self
    }

    /// Sends it on a connection of its own.
    pub fn send(self) -> Response {
        Connection::open(self.addr).send(&self.request)
    }

    /// Sends it on a kept connection.
    pub fn attempt_on(self, connection: &mut Connection) -> std::io::Result<Response> {
        connection.attempt(&self.request)
    }

    /// Sends it on a connection of its own, where the server may die before it has answered.
    pub fn attempt(self) -> std::io::Result<Response> {
        Connection::try_open(self.addr)?.attempt(&self.request)
    }

    /// Sends its cut body and drops the connection.
    pub fn cut(self) {
        Connection::open(self.addr).cut(&self.request);
    }
}

/// The path and query of an answer's `Location`, whether absolute or relative.
#[track_caller]
pub fn location_path(response: &Response) -> String {
    let location = response.must("location");
    match location.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None => location.to_owned(),
    }
}

/// `location` with the closing `digest` parameter, whatever parameters it has already.
pub(crate) fn with_digest(location: &str, digest: &str) -> String {
    let join = if location.contains('?') { '&' } else { '?' };
    format!("{location}{join}digest={digest}")
}
