//! The token face against real rooms in a temporary folder.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use hythe_identity::{HashCost, IdentityOptions};
use hythe_oci::ScopeSet;
use hythe_registry::RegistryOptions;
use hythe_store::records::projects::Visibility;
use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::*;
use crate::request::{RequestIds, RequestReader};
use crate::whole_body::Rooms;

const PASSWORD: &str = "correct horse";
const ADA: Option<(&str, &str)> = Some(("ada", PASSWORD));
const ALL: &str = "repository:lab/app:pull,push,delete";

/// Ada owns the private project `lab`; `open` is public.
struct House {
    router: Router,
    identity: Identity,
    _folder: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_900_000_000)));
        let locked = DataFolder::lock(folder.path()).unwrap();
        let store = Store::open(&locked, clock, StoreOptions::default()).unwrap();
        let cheap = HashCost { memory_kib: 64, passes: 1, lanes: 1 };
        let options = IdentityOptions { hash_cost: cheap, ..IdentityOptions::new("hythe.test") };
        let identity = Identity::new(store.clone(), options).await.unwrap();
        let registry = Registry::new(store, RegistryOptions::default());
        let ada = identity.create_user(&"ada".parse().unwrap(), &PASSWORD.into(), false).await.unwrap().user;
        let ada = Caller::User(Arc::new(ada));
        for (name, visibility) in [("lab", Visibility::Private), ("open", Visibility::Public)] {
            registry.create_project(&ada, name.parse().unwrap(), visibility).await.unwrap();
        }
        let router = router(TokenState::new(identity.clone(), registry, "hythe.test"))
            .layer(Extension(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST))))
            .layer(Extension(Rooms::new().of(IpAddr::V4(Ipv4Addr::LOCALHOST))))
            .layer(Extension(request_id()));
        Self { router, identity, _folder: folder }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer { status: head.status, headers: head.headers, body: serde_json::from_slice(&body).unwrap() }
    }

    async fn get(&self, query: &str, credentials: Option<(&str, &str)>) -> Answer {
        let mut request = Request::get(format!("/token?{query}"));
        if let Some((name, secret)) = credentials {
            request = request.header("authorization", basic(name, secret));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn post(&self, form: impl Into<Body>) -> Answer {
        let request = Request::post("/token").header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(form.into()).unwrap()).await
    }

    /// The scopes of the token in an answer, as the registry reads them; `whole` of one that stands for its user.
    async fn scopes(&self, answer: &Answer) -> String {
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let session = self.identity.verify_token(answer.text("access_token")).await.unwrap();
        session.scopes.map_or_else(|| "whole".to_owned(), |scopes| scopes.to_string())
    }
}

impl Answer {
    fn text(&self, field: &str) -> &str {
        self.body[field].as_str().unwrap_or_else(|| panic!("no `{field}` in {}", self.body))
    }

    fn error(&self) -> (&str, &str) {
        let error = &self.body["errors"][0];
        assert!(error["detail"]["request_id"].is_string(), "{}", self.body);
        (error["code"].as_str().unwrap(), error["message"].as_str().unwrap())
    }
}

fn request_id() -> RequestId {
    let reader = RequestReader { ids: RequestIds::new(), external: None, trusted_proxies: Vec::new() };
    reader.read(&Request::get("/token").body(()).unwrap().into_parts().0).0.id
}

fn basic(name: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{secret}")))
}

#[tokio::test]
async fn docker_login_gets_a_token_and_a_refresh_token() {
    let house = House::new().await;
    let answer = house.get("account=ada&client_id=docker&offline_token=true&service=hythe.test", ADA).await;
    assert_eq!(house.scopes(&answer).await, "whole");
    assert_eq!(answer.body["token"], answer.body["access_token"]);
    assert!(answer.body["expires_in"].as_u64().unwrap() >= 300);
    assert!(answer.body.get("issued_at").is_none(), "clients would compare it with their own clock");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert!(!answer.headers.contains_key("set-cookie"));
    let refresh = answer.text("refresh_token").to_owned();

    let form = format!("grant_type=refresh_token&refresh_token={refresh}&scope={ALL}&client_id=docker");
    let answer = house.post(form).await;
    assert_eq!(house.scopes(&answer).await, ALL);
    assert_eq!(answer.text("scope"), ALL);
    assert!(answer.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn no_refresh_token_unless_asked_for() {
    let house = House::new().await;
    let answer = house.get("service=hythe.test", ADA).await;
    assert!(answer.body.get("refresh_token").is_none());
    let answer = house.get("offline_token=true", None).await;
    assert!(answer.body.get("refresh_token").is_none(), "nobody is no one to keep a token for");
}

#[tokio::test]
async fn a_wrong_password_is_refused_with_or_without_a_scope() {
    let house = House::new().await;
    for query in ["", "scope=repository:open/app:pull"] {
        for user in ["ada", "nobody"] {
            let answer = house.get(query, Some((user, "wrong password"))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"hythe.test\"");
            let (code, message) = answer.error();
            assert_eq!(code, "UNAUTHORIZED");
            assert!(message.starts_with("The user name or the password is wrong."), "{message}");
            assert!(
                answer.body.get("error").is_none(),
                "GET speaks the form of the distribution specification"
            );
        }
    }
}

#[tokio::test]
async fn scopes_are_cut_to_the_live_rights() {
    let house = House::new().await;
    let wish = "scope=repository:lab/app:*&scope=repository:open/x:pull,push+repository:absent/x:pull";
    let anonymous = house.get(wish, None).await;
    assert_eq!(house.scopes(&anonymous).await, "repository:open/x:pull");
    let owner = house.get(wish, ADA).await;
    assert_eq!(house.scopes(&owner).await, format!("{ALL} repository:open/x:pull,push"));
}

#[tokio::test]
async fn scopes_of_one_repository_are_united() {
    let house = House::new().await;
    let form = "grant_type=password&username=ada&password=correct+horse&service=hythe.test\
                &scope=repository:lab/app:pull&scope=repository:lab/app:pull,push";
    let answer = house.post(form).await;
    assert_eq!(house.scopes(&answer).await, "repository:lab/app:pull,push");
}

#[tokio::test]
async fn odd_scopes_and_parameters_never_break_the_service() {
    let house = House::new().await;
    for query in [
        "scope=",
        "scope=*",
        "scope=junk&scope=:::&scope=a:b",
        "scope=repository(plugin):lab/app:pull",
        "scope=repository:host:5000/lab/app:pull",
        "scope=registry:unknown:*&error=insufficient_scope&error=invalid_token&%ff=%fe",
        "scope=repository:lab/app:fly,pull,",
    ] {
        let answer = house.get(query, ADA).await;
        house.scopes(&answer).await;
    }
}

#[tokio::test]
async fn a_chunked_form_is_read() {
    let house = House::new().await;
    let pieces = ["grant_type=pass", "word&username=ada&password=corr", "ect+horse&scope=", ALL]
        .map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
    let answer = house.post(Body::from_stream(futures_util::stream::iter(pieces))).await;
    assert_eq!(house.scopes(&answer).await, ALL);
}

#[tokio::test]
async fn a_wrong_password_in_a_form_is_an_invalid_grant() {
    let house = House::new().await;
    let answer = house.post("grant_type=password&username=ada&password=wrong").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.body["error"], "invalid_grant");
    assert_eq!(answer.body["error_description"], answer.error().1);
    let answer = house.post("grant_type=refresh_token&refresh_token=hyr_unknown").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn other_forms_are_refused_in_words() {
    let house = House::new().await;
    let answer = house.post("grant_type=client_credentials").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"], "unsupported_grant_type");
    let answer = house.post("grant_type=password&username=ada").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"], "invalid_request");
    let answer = house.post(vec![b'x'; FORM_BYTES + 1]).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn guessing_ends_in_429_with_a_time() {
    let house = House::new().await;
    for number in 0..10 {
        let guess = format!("guess {number}");
        // containerd: POST first, then GET with the same credentials.
        let form = format!("grant_type=password&username=ada&password={guess}");
        assert_eq!(house.post(form).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(house.get("", Some(("ada", &guess))).await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = house.get("", ADA).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.error().0, "TOOMANYREQUESTS");
    assert_eq!(answer.headers["retry-after"], "6");
}

#[tokio::test]
async fn an_access_token_buys_no_more_than_itself() {
    let house = House::new().await;
    let narrow = house.get("scope=repository:lab/app:pull", ADA).await;
    let token = narrow.text("token");
    let answer = house.get(&format!("scope={ALL}&offline_token=true"), Some(("ada", token))).await;
    assert_eq!(house.scopes(&answer).await, "repository:lab/app:pull");
    assert!(answer.body.get("refresh_token").is_none());
    // One that stands for its user buys every scope, and nothing that outlives it.
    let whole = house.get("", ADA).await;
    let answer =
        house.get(&format!("scope={ALL}&offline_token=true"), Some(("ada", whole.text("token")))).await;
    assert_eq!(house.scopes(&answer).await, ALL);
    assert!(answer.body.get("refresh_token").is_none());
}

#[tokio::test]
async fn a_refresh_token_does_not_renew_itself() {
    let house = House::new().await;
    let first = house.get("offline_token=true", ADA).await;
    let refresh = first.text("refresh_token");
    let again = house.get("offline_token=true", Some(("ada", refresh))).await;
    assert_eq!(again.text("refresh_token"), refresh);
    let form = format!("grant_type=refresh_token&refresh_token={refresh}&access_type=offline");
    assert_eq!(house.post(form).await.text("refresh_token"), refresh);
}

#[tokio::test]
async fn other_credentials_are_refused() {
    let house = House::new().await;
    for value in ["Bearer abc", "Basic %%%", "Digest x"] {
        let request = Request::get("/token").header("authorization", value).body(Body::empty()).unwrap();
        let answer = house.send(request).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{value}");
        assert_eq!(answer.error().0, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn the_catalogue_scope_is_kept() {
    let house = House::new().await;
    let answer = house.get("scope=registry:catalog:*", ADA).await;
    assert!(ScopeSet::parse([house.scopes(&answer).await.as_str()]).catalog());
}
