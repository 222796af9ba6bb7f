//! The OCI distribution face: every path under `/v2`.
//!
//! One pure parser turns the path into a [`Route`]; the same value decides routing, rights, log
//! label and metrics. A request is parsed, authenticated and authorised before any store is
//! touched, and an error never says more than its caller may know. Nothing here is compressed and
//! no cookie is set: clients rely on exact lengths and ranges.

mod blobs;
mod body;
mod catalogue;
mod conditional;
mod fault;
mod manifests;
mod paging;
mod query;
mod referrers;
mod refusal;
mod tags;
mod uploads;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use hythe_identity::{Caller, Identity, Session};
use hythe_oci::{Endpoint, RepositoryName, Route};
use hythe_registry::Registry;
use hythe_registry::access::{Permit, Right};
use hythe_sendfile::Lane;

use crate::authenticate::authenticate;
use crate::log_line::{Identified, RouteLabel};
use crate::request::{ClientAddress, Origin, RequestId};
use fault::Fault;
use query::Query;

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// What the `/v2` face works with.
#[derive(Clone)]
pub struct V2State {
    identity: Identity,
    registry: Registry,
    service: std::sync::Arc<str>,
}

impl V2State {
    /// The face over these rooms; `service` is the name in challenges and tokens.
    pub fn new(identity: Identity, registry: Registry, service: &str) -> Self {
        Self { identity, registry, service: service.into() }
    }
}

/// One request without its body, as far as it is known before its endpoint runs.
struct Call<'a> {
    state: &'a V2State,
    origin: Origin,
    session: Session,
    endpoint: Endpoint,
    query: Query,
    head: Parts,
}

impl Call<'_> {
    fn registry(&self) -> &Registry {
        &self.state.registry
    }

    async fn permit<R: Right>(&self, name: &RepositoryName) -> Result<Permit<R>, Fault> {
        self.registry()
            .authorize(&self.session, name)
            .await
            .map_err(|error| refusal::unauthorised(self, error))
    }

    /// Where parts of files may be sent from without a copy, if this connection can do that.
    fn lane(&self) -> Option<&Lane> {
        // The connection of an HTTP/2 stream has one as well, and frames the bytes: not for a placeholder.
        (self.head.version <= Version::HTTP_11).then(|| self.head.extensions.get())?
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok()
    }

    /// An absolute address below `/v2`: some clients cannot follow a relative one.
    fn location(&self, path: &str) -> Result<HeaderValue, Fault> {
        HeaderValue::from_str(&format!("{}{path}", self.origin.base()))
            .map_err(|_| Fault::internal("an address of ours is no header value"))
    }
}

/// Answers a request under `/v2`.
pub async fn handle(State(state): State<V2State>, request: Request) -> Response {
    let request_id = request.extensions().get::<RequestId>().cloned();
    let mut label = "unknown";
    let mut identified = None;
    let mut response = match answer(&state, request, &mut label, &mut identified).await {
        Ok(response) => response,
        Err(fault) => fault.into_response(request_id.as_ref()),
    };
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    response.extensions_mut().insert(RouteLabel(label));
    if let Some(name) = identified {
        response.extensions_mut().insert(Identified(name));
    }
    response
}

async fn answer(
    state: &V2State,
    request: Request,
    label: &mut &'static str,
    identified: &mut Option<String>,
) -> Result<Response, Fault> {
    let origin = extension::<Origin>(&request)?;
    let client = extension::<ClientAddress>(&request)?;
    let parsed = Route::parse(request.uri().path());
    // Who is asking comes first: an unknown or malformed thing tells a stranger no more than a
    // missing one.
    let session = match authenticate(&state.identity, request.headers(), client).await {
        Ok(session) => session,
        Err(error) => {
            let route = parsed.ok();
            let endpoint = route.as_ref().and_then(|route| Endpoint::of(route, request.method().as_str()));
            return Err(refusal::unauthenticated(error, state, &origin, route.as_ref(), endpoint));
        }
    };
    if let Caller::User(user) = &session.caller {
        *identified = Some(user.name.to_string());
    }
    let method = request.method().as_str();
    let route = match parsed {
        Ok(route) => route,
        Err(error) => {
            return Err(Fault::new(error.status(method), error.code(method), error.to_string()));
        }
    };
    let Some(endpoint) = Endpoint::of(&route, method) else {
        return Err(Fault::method_not_allowed(method, &route));
    };
    *label = endpoint.label();
    let query = Query::parse(request.uri().query().unwrap_or_default());
    let (head, body) = request.into_parts();
    let call = Call { state, origin, session, endpoint, query, head };
    refusal::check_expiry(&call, &route).await?;
    dispatch(&call, route, body).await
}

async fn dispatch(call: &Call<'_>, route: Route, body: Body) -> Result<Response, Fault> {
    match (route, call.endpoint) {
        (Route::Base, _) => base(call),
        (Route::Extensions(_), _) => {
            refusal::require_credentials(call, None)?;
            json(call, StatusCode::OK, &serde_json::json!({ "extensions": [] }))
        }
        (Route::Catalog, _) => catalogue::list(call).await,
        (Route::Tags { name }, _) => tags::list(call, &name).await,
        (Route::Referrers { name, digest }, _) => referrers::list(call, &name, digest).await,
        (Route::Manifest { name, reference }, Endpoint::PutManifest) => {
            manifests::put(call, &name, reference, body).await
        }
        (Route::Manifest { name, reference }, Endpoint::DeleteManifest) => {
            manifests::delete(call, &name, &reference).await
        }
        (Route::Manifest { name, reference }, _) => manifests::get(call, &name, &reference).await,
        (Route::Blob { name, digest }, Endpoint::DeleteBlob) => blobs::delete(call, &name, digest).await,
        (Route::Blob { name, digest }, Endpoint::HeadBlob) => blobs::head(call, &name, digest).await,
        (Route::Blob { name, digest }, _) => blobs::get(call, &name, digest).await,
        (Route::Uploads { name }, _) => uploads::start(call, &name, body).await,
        (Route::Upload { name, id }, Endpoint::PatchUpload) => uploads::patch(call, &name, id, body).await,
        (Route::Upload { name, id }, Endpoint::PutUpload) => uploads::put(call, &name, id, body).await,
        (Route::Upload { name, id }, Endpoint::CancelUpload) => uploads::cancel(call, &name, id).await,
        (Route::Upload { name, id }, _) => uploads::status(call, &name, id).await,
    }
}

/// end-1: is this a registry, and does it know me? Never open to callers without credentials,
/// for docker takes its challenge from here alone.
fn base(call: &Call<'_>) -> Result<Response, Fault> {
    refusal::require_credentials(call, None)?;
    json(call, StatusCode::OK, &serde_json::json!({}))
}

fn extension<T: Clone + Send + Sync + 'static>(request: &Request) -> Result<T, Fault> {
    request
        .extensions()
        .get::<T>()
        .cloned()
        .ok_or_else(|| Fault::internal("a request came without its context"))
}

/// A JSON answer with its exact length, without the body for HEAD.
fn json(call: &Call<'_>, status: StatusCode, value: &serde_json::Value) -> Result<Response, Fault> {
    typed_json(call, status, "application/json", value)
}

fn typed_json(
    call: &Call<'_>,
    status: StatusCode,
    content_type: &'static str,
    value: &serde_json::Value,
) -> Result<Response, Fault> {
    let bytes =
        serde_json::to_vec(value).map_err(|_| Fault::internal("an answer cannot be written as JSON"))?;
    let length = bytes.len();
    let body = if call.head.method == Method::HEAD { Body::empty() } else { Body::from(bytes) };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

/// An answer without a body.
fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// A value made of digests, names and numbers: never anything but visible ASCII.
fn value(text: impl std::fmt::Display) -> Result<HeaderValue, Fault> {
    HeaderValue::try_from(text.to_string()).map_err(|_| Fault::internal("a value of ours is no header value"))
}
