//! A server without a socket for the targets that go through the front door: what is asked must be answered, and
//! never by a failure of ours.

use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use http::{HeaderValue, Request, Response};
use hythe_identity::{Caller, HashCost, Identity, IdentityOptions};
use hythe_registry::projects::Visibility;
use hythe_registry::{Registry, RegistryOptions};
use hythe_server::drain::Drain;
use hythe_server::{BodyPace, Server, ServerOptions};
use hythe_store::{DataFolder, Store, StoreOptions, SystemClock};
use secrecy::SecretString;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// `admin:correct-horse-battery`, as Basic credentials.
pub const ADMIN: &str = "Basic YWRtaW46Y29ycmVjdC1ob3JzZS1iYXR0ZXJ5";

/// A server with the administrator `admin` and the project `lab`, made once for a process.
pub struct FrontDoor {
    runtime: Runtime,
    router: Router,
    _drain: Drain,
    _folder: tempfile::TempDir,
}

impl FrontDoor {
    /// The server of this process.
    pub fn get() -> &'static Self {
        static DOOR: OnceLock<FrontDoor> = OnceLock::new();
        DOOR.get_or_init(Self::new)
    }

    fn new() -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (router, drain) = runtime.block_on(async {
            let lock = DataFolder::lock(folder.path()).expect("a new folder can be locked");
            let store = Store::open(&lock, Arc::new(SystemClock), StoreOptions::default()).expect("a store opens");
            let cheap = HashCost { memory_kib: 16, passes: 1, lanes: 1 };
            let options = IdentityOptions { hash_cost: cheap, ..IdentityOptions::new("hythe") };
            let identity = Identity::new(store.clone(), options).await.expect("sign-in can be set up");
            let password = SecretString::from("correct-horse-battery");
            identity.bootstrap(Some(password)).await.expect("the first user can be made");
            let registry = Registry::new(store, RegistryOptions::default());
            let name = "admin".parse().expect("a name");
            let admin = identity.user_by_name(&name).await.expect("records answer");
            let admin = Caller::User(admin.expect("it was made above"));
            for project in ["lab", "office", "workshop"] {
                let name = project.parse().expect("a name");
                registry.create_project(&admin, name, Visibility::Public).await.expect("records answer");
            }
            let drain = Drain::new();
            let options = ServerOptions {
                service: "hythe".to_owned(),
                external_url: None,
                trusted_proxies: Vec::new(),
                body: BodyPace::default(),
                metrics: true,
            };
            (Server::new(identity, registry, options).router(drain.watch()), drain)
        });
        Self { runtime, router, _drain: drain, _folder: folder }
    }

    /// Asks, and insists on an answer that is no failure of ours. `None` if the request cannot be one.
    pub fn ask(&self, method: &str, target: &str, authorization: &[u8], body: &[u8]) -> Option<Response<Vec<u8>>> {
        let mut request = Request::builder().method(method).uri(target).header("host", "registry.test");
        if !authorization.is_empty() {
            request = request.header("authorization", HeaderValue::from_bytes(authorization).ok()?);
        }
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Body::from(body.to_vec())).ok()?;
        let answer = self.runtime.block_on(async {
            let (head, body) = self.router.clone().oneshot(request).await.expect("no error leaves").into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("an answer in memory can be read");
            Response::from_parts(head, body.to_vec())
        });
        let status = answer.status().as_u16();
        assert!(status < 500, "{status}: {}", String::from_utf8_lossy(answer.body()));
        Some(answer)
    }
}
