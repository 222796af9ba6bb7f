//! A server without a socket: requests go straight into its router.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use base64::Engine as _;
use http::{HeaderMap, Request, StatusCode};
use hythe_identity::{HashCost, Identity, IdentityOptions};
use hythe_oci::{Algorithm, Digest};
use hythe_registry::{Registry, RegistryOptions};
use hythe_server::drain::Drain;
use hythe_server::{BodyPace, Server, ServerOptions};
use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};
use secrecy::SecretString;
use tower::ServiceExt as _;

pub(crate) const PASSWORD: &str = "correct-horse-battery";

pub(crate) struct House {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) identity: Identity,
    pub(crate) registry: Registry,
    router: Router,
    control: Router,
    drain: Option<Drain>,
    _folder: tempfile::TempDir,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.headers)).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

impl House {
    /// A server with the administrator `admin`, the user `ada` and her private project `lab`.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_800_000_000)));
        let lock = DataFolder::lock(folder.path()).unwrap();
        let store = Store::open(&lock, clock.clone(), StoreOptions::default()).unwrap();
        let cheap = HashCost { memory_kib: 16, passes: 1, lanes: 1 };
        let options = IdentityOptions { hash_cost: cheap, ..IdentityOptions::new("hythe") };
        let identity = Identity::new(store.clone(), options).await.unwrap();
        identity.bootstrap(Some(SecretString::from(PASSWORD))).await.unwrap();
        let name = "ada".parse().unwrap();
        identity.create_user(&name, &SecretString::from(PASSWORD), false).await.unwrap();
        let ada = identity.user_by_name(&name).await.unwrap().unwrap();
        let registry = Registry::new(store, RegistryOptions::default());
        let caller = hythe_identity::Caller::User(ada);
        let private = hythe_registry::projects::Visibility::Private;
        registry.create_project(&caller, "lab".parse().unwrap(), private).await.unwrap();
        let drain = Drain::new();
        let options = ServerOptions {
            service: "hythe".to_owned(),
            external_url: None,
            trusted_proxies: Vec::new(),
            body: BodyPace::default(),
            metrics: true,
        };
        let server = Server::new(identity.clone(), registry.clone(), options);
        let (router, control) = (server.router(drain.watch()), server.control_router());
        Self { clock, identity, registry, router, control, drain: Some(drain), _folder: folder }
    }

    /// Begins the stop, as a signal would.
    pub(crate) async fn stop(&mut self) {
        self.drain.take().expect("a house stops once").finish(Duration::ZERO).await;
    }

    pub(crate) fn later(&self, time: Duration) {
        self.clock.advance(time);
    }

    /// Asks over the network.
    pub(crate) async fn ask(&self, method: &str, path: &str, authorization: &str, body: &[u8]) -> Answer {
        Self::ask_of(&self.router, method, path, authorization, body).await
    }

    /// Asks over the control socket.
    pub(crate) async fn order(&self, method: &str, path: &str, authorization: &str, body: &[u8]) -> Answer {
        Self::ask_of(&self.control, method, path, authorization, body).await
    }

    async fn ask_of(router: &Router, method: &str, path: &str, authorization: &str, body: &[u8]) -> Answer {
        let path = path.strip_prefix("http://registry.test").unwrap_or(path);
        let mut request = Request::builder().method(method).uri(path).header("host", "registry.test");
        if !authorization.is_empty() {
            request = request.header("authorization", authorization);
        }
        if path.contains("/manifests/") && method == "PUT" {
            request = request.header("content-type", "application/vnd.oci.image.manifest.v1+json");
        }
        if !path.starts_with("/v2/") && !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.to_vec())).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// A Bearer token of a user for a scope.
    pub(crate) async fn token(&self, user: &str, scope: &str) -> String {
        let path = format!("/token?service=hythe&scope={scope}");
        let answer = self.ask("GET", &path, &basic(user), b"").await.is(200);
        format!("Bearer {}", answer.json()["token"].as_str().unwrap())
    }
}

pub(crate) fn basic(user: &str) -> String {
    encoded(&format!("{user}:{PASSWORD}"))
}

/// Basic credentials of a `name:secret` pair.
pub(crate) fn encoded(pair: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    Digest::of(Algorithm::Sha256, bytes).to_string()
}
