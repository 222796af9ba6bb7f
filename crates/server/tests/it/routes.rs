//! Route × identity: every route of `/v2` and `/api/v1` with the status it answers to each kind of
//! caller. A route that is missing from its table fails the test, so that none is forgotten.

use std::collections::BTreeSet;
use std::time::Duration;

use hythe_identity::Caller;
use hythe_oci::Endpoint;
use hythe_registry::projects::{Role, Visibility};
use secrecy::SecretString;

use crate::house::{House, PASSWORD, basic, digest, encoded};

/// Who asks, in the order of the tables' columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Anonymous,
    /// Signed in, and nothing in the project.
    Stranger,
    Reader,
    Pusher,
    Owner,
    Admin,
    /// Their password was right once.
    Deleted,
    /// A token of the owner for this repository, past its end.
    ExpiredToken,
    /// A token of the owner for another project.
    OtherToken,
}

const EVERYBODY: [Who; 9] = [
    Who::Anonymous,
    Who::Stranger,
    Who::Reader,
    Who::Pusher,
    Who::Owner,
    Who::Admin,
    Who::Deleted,
    Who::ExpiredToken,
    Who::OtherToken,
];

/// The private project `lab` with a filled repository, and everybody who asks for it.
struct Stage {
    house: House,
    expired: String,
    other: String,
    serial: std::cell::Cell<u32>,
}

const CONFIG: &[u8] = b"{}";

fn manifest() -> Vec<u8> {
    let config = serde_json::json!({
        "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(CONFIG), "size": CONFIG.len(),
    });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    serde_json::json!({ "schemaVersion": 2, "mediaType": kind, "config": config, "layers": [] })
        .to_string()
        .into_bytes()
}

impl Stage {
    async fn new() -> Self {
        let house = House::new().await;
        let ada = house.identity.user_by_name(&"ada".parse().unwrap()).await.unwrap().unwrap();
        let ada = Caller::User(ada);
        let lab = "lab".parse().unwrap();
        let password = SecretString::from(PASSWORD);
        for (name, role) in [
            ("eve", None),
            ("bob", Some(Role::Reader)),
            ("pat", Some(Role::Pusher)),
            ("gone", Some(Role::Owner)),
        ] {
            let name = name.parse().unwrap();
            house.identity.create_user(&name, &password, false).await.unwrap();
            if let Some(role) = role {
                house.registry.set_member(&ada, &lab, &name, role).await.unwrap();
            }
        }
        house.registry.create_project(&ada, "elsewhere".parse().unwrap(), Visibility::Private).await.unwrap();
        let expired = house.token("ada", "repository:lab/app:pull,push,delete").await;
        house.later(Duration::from_mins(30));
        let other = house.token("ada", "repository:elsewhere/app:pull,push,delete").await;
        house.ask("GET", "/v2/", &basic("gone"), b"").await.is(200);
        house.identity.delete_user(&"gone".parse().unwrap()).await.unwrap();
        let stage = Self { house, expired, other, serial: std::cell::Cell::new(0) };
        stage.push_blob(CONFIG).await;
        stage.put_tag("v1").await;
        stage
    }

    fn credentials(&self, who: Who) -> String {
        match who {
            Who::Anonymous => String::new(),
            Who::Stranger => basic("eve"),
            Who::Reader => basic("bob"),
            Who::Pusher => basic("pat"),
            Who::Owner => basic("ada"),
            Who::Admin => basic("admin"),
            Who::Deleted => basic("gone"),
            Who::ExpiredToken => self.expired.clone(),
            Who::OtherToken => self.other.clone(),
        }
    }

    /// A name that was not used before.
    fn fresh(&self) -> String {
        self.serial.set(self.serial.get() + 1);
        format!("x{}", self.serial.get())
    }

    async fn push_blob(&self, bytes: &[u8]) -> String {
        let path = format!("/v2/lab/app/blobs/uploads/?digest={}", digest(bytes));
        self.house.ask("POST", &path, &basic("ada"), bytes).await.is(201);
        digest(bytes)
    }

    async fn put_tag(&self, tag: &str) {
        let path = format!("/v2/lab/app/manifests/{tag}");
        self.house.ask("PUT", &path, &basic("ada"), &manifest()).await.is(201);
    }

    /// An open upload: the caller's own if they may open one.
    async fn open_upload(&self, who: Who) -> String {
        let opener = match who {
            Who::Pusher | Who::Admin => self.credentials(who),
            _ => basic("ada"),
        };
        let opened = self.house.ask("POST", "/v2/lab/app/blobs/uploads/", &opener, b"").await.is(202);
        opened.header("location").to_owned()
    }
}

/// What `/v2` answers: one line for each endpoint, one column for each of `EVERYBODY`.
fn distribution(endpoint: Endpoint) -> [u16; 9] {
    match endpoint {
        Endpoint::Base | Endpoint::Catalog | Endpoint::Extensions => {
            let scoped = if endpoint == Endpoint::Catalog { 401 } else { 200 };
            [401, 200, 200, 200, 200, 200, 401, 401, scoped]
        }
        Endpoint::ListTags
        | Endpoint::GetManifest
        | Endpoint::HeadManifest
        | Endpoint::GetBlob
        | Endpoint::HeadBlob
        | Endpoint::Referrers => [401, 404, 200, 200, 200, 200, 401, 401, 401],
        Endpoint::PutManifest | Endpoint::PutUpload => [401, 404, 403, 201, 201, 201, 401, 401, 401],
        Endpoint::DeleteManifest | Endpoint::DeleteBlob => [401, 404, 403, 403, 202, 202, 401, 401, 401],
        Endpoint::StartUpload | Endpoint::PatchUpload => [401, 404, 403, 202, 202, 202, 401, 401, 401],
        Endpoint::GetUpload | Endpoint::CancelUpload => [401, 404, 403, 204, 204, 204, 401, 401, 401],
    }
}

/// A request of the endpoint on something that is there.
async fn request(stage: &Stage, endpoint: Endpoint, who: Who) -> (&'static str, String, Vec<u8>) {
    let blob = digest(CONFIG);
    match endpoint {
        Endpoint::Base => ("GET", "/v2/".to_owned(), Vec::new()),
        Endpoint::Catalog => ("GET", "/v2/_catalog".to_owned(), Vec::new()),
        Endpoint::Extensions => ("GET", "/v2/_oci/ext/discover".to_owned(), Vec::new()),
        Endpoint::ListTags => ("GET", "/v2/lab/app/tags/list".to_owned(), Vec::new()),
        Endpoint::GetManifest => ("GET", "/v2/lab/app/manifests/v1".to_owned(), Vec::new()),
        Endpoint::HeadManifest => ("HEAD", "/v2/lab/app/manifests/v1".to_owned(), Vec::new()),
        Endpoint::PutManifest => ("PUT", format!("/v2/lab/app/manifests/{}", stage.fresh()), manifest()),
        Endpoint::DeleteManifest => {
            let tag = stage.fresh();
            stage.put_tag(&tag).await;
            ("DELETE", format!("/v2/lab/app/manifests/{tag}"), Vec::new())
        }
        Endpoint::GetBlob => ("GET", format!("/v2/lab/app/blobs/{blob}"), Vec::new()),
        Endpoint::HeadBlob => ("HEAD", format!("/v2/lab/app/blobs/{blob}"), Vec::new()),
        Endpoint::DeleteBlob => {
            let stray = stage.push_blob(stage.fresh().as_bytes()).await;
            ("DELETE", format!("/v2/lab/app/blobs/{stray}"), Vec::new())
        }
        Endpoint::StartUpload => ("POST", "/v2/lab/app/blobs/uploads/".to_owned(), Vec::new()),
        Endpoint::GetUpload => ("GET", stage.open_upload(who).await, Vec::new()),
        Endpoint::PatchUpload => ("PATCH", stage.open_upload(who).await, b"x".to_vec()),
        Endpoint::PutUpload => {
            let location = stage.open_upload(who).await;
            ("PUT", format!("{location}?digest={}", digest(b"x")), b"x".to_vec())
        }
        Endpoint::CancelUpload => ("DELETE", stage.open_upload(who).await, Vec::new()),
        Endpoint::Referrers => ("GET", format!("/v2/lab/app/referrers/{blob}"), Vec::new()),
    }
}

#[tokio::test]
async fn distribution_answers_each_caller_as_the_table_says() {
    let stage = Stage::new().await;
    for endpoint in Endpoint::ALL {
        for (who, expected) in EVERYBODY.into_iter().zip(distribution(endpoint)) {
            let (method, path, body) = request(&stage, endpoint, who).await;
            let answer = stage.house.ask(method, &path, &stage.credentials(who), &body).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status.as_u16(), expected, "{endpoint:?} by {who:?}: {said}");
            if expected == 401 {
                assert!(answer.headers.contains_key("www-authenticate"), "{endpoint:?} by {who:?}");
            }
        }
    }
}

/// What `/api/v1` answers. `{…}` in a path stands for something made for the one request.
const API: &[(&str, &str, &str, [u16; 9])] = &[
    ("GET", "/api/v1/projects", "", [200, 200, 200, 200, 200, 200, 401, 401, 200]),
    (
        "POST",
        "/api/v1/projects",
        r#"{"name":"FRESH","visibility":"private"}"#,
        [401, 201, 201, 201, 201, 201, 401, 401, 403],
    ),
    ("GET", "/api/v1/projects/{project}", "", [401, 404, 200, 200, 200, 200, 401, 401, 200]),
    (
        "PATCH",
        "/api/v1/projects/{project}",
        r#"{"visibility":"private"}"#,
        [401, 404, 403, 403, 200, 200, 401, 401, 403],
    ),
    ("DELETE", "/api/v1/projects/{project}", "", [401, 404, 403, 403, 409, 409, 401, 401, 403]),
    ("GET", "/api/v1/projects/{project}/members", "", [401, 404, 200, 200, 200, 200, 401, 401, 200]),
    (
        "PUT",
        "/api/v1/projects/{project}/members/{user}",
        r#"{"role":"reader"}"#,
        [401, 404, 403, 403, 200, 200, 401, 401, 403],
    ),
    (
        "DELETE",
        "/api/v1/projects/{project}/members/{user}",
        "",
        [401, 404, 403, 403, 204, 204, 401, 401, 403],
    ),
    ("GET", "/api/v1/projects/{project}/repositories", "", [401, 404, 200, 200, 200, 200, 401, 401, 200]),
    (
        "POST",
        "/api/v1/repositories",
        r#"{"name":"lab/FRESH"}"#,
        [401, 404, 403, 201, 201, 201, 401, 401, 403],
    ),
    ("DELETE", "/api/v1/repositories/{repository}", "", [401, 404, 403, 403, 204, 204, 401, 401, 403]),
    ("GET", "/api/v1/projects/{project}/images", "", [401, 404, 200, 200, 200, 200, 401, 401, 200]),
    ("GET", "/api/v1/repositories/{repository}/images", "", [401, 404, 200, 200, 200, 200, 401, 401, 200]),
    (
        "GET",
        "/api/v1/repositories/{repository}/status/{reference}",
        "",
        [401, 404, 200, 200, 200, 200, 401, 401, 200],
    ),
    (
        "PUT",
        "/api/v1/repositories/{repository}/announcements/{digest}",
        r#"{"tag":"v1","parts":[]}"#,
        [401, 404, 403, 204, 204, 204, 401, 401, 403],
    ),
    (
        "DELETE",
        "/api/v1/repositories/{repository}/announcements/{digest}",
        "",
        [401, 404, 403, 404, 204, 204, 401, 401, 403],
    ),
    ("GET", "/api/v1/projects/{project}/uploads", "", [401, 404, 403, 403, 200, 200, 401, 401, 200]),
    ("GET", "/api/v1/uploads", "", [401, 200, 200, 200, 200, 200, 401, 401, 200]),
    ("DELETE", "/api/v1/uploads/{upload}", "", [401, 404, 404, 204, 204, 204, 401, 401, 403]),
    ("GET", "/api/v1/user", "", [401, 200, 200, 200, 200, 200, 401, 401, 200]),
    (
        "PUT",
        "/api/v1/user/password",
        r#"{"current":"not the password","password":"another password"}"#,
        [401, 403, 403, 403, 403, 403, 401, 401, 403],
    ),
    ("GET", "/api/v1/user/tokens", "", [401, 200, 200, 200, 200, 200, 401, 401, 200]),
    ("DELETE", "/api/v1/user/tokens/{token}", "", [401, 404, 404, 404, 404, 404, 401, 401, 403]),
    ("GET", "/api/v1/users", "", [401, 403, 403, 403, 403, 200, 401, 401, 403]),
    (
        "POST",
        "/api/v1/users",
        r#"{"name":"FRESH","password":"a good password"}"#,
        [401, 403, 403, 403, 403, 201, 401, 401, 403],
    ),
    ("DELETE", "/api/v1/users/{user}", "", [401, 403, 403, 403, 403, 204, 401, 401, 403]),
    (
        "PUT",
        "/api/v1/users/{user}/password",
        r#"{"password":"a new password"}"#,
        [401, 403, 403, 403, 403, 204, 401, 401, 403],
    ),
];

/// Fills a path with things that are there and that only this request touches.
async fn concrete(stage: &Stage, path: &str, who: Who) -> String {
    let mut filled = path.replace("{project}", "lab");
    if filled.contains("{user}") {
        let name = stage.fresh();
        let password = SecretString::from(PASSWORD);
        stage.house.identity.create_user(&name.parse().unwrap(), &password, false).await.unwrap();
        let member = format!("/api/v1/projects/lab/members/{name}");
        stage.house.ask("PUT", &member, &basic("ada"), br#"{"role":"reader"}"#).await.is(200);
        filled = filled.replace("{user}", &name);
    }
    if filled.contains("{repository}") {
        let name = stage.fresh();
        let body = format!(r#"{{"name":"lab/{name}"}}"#);
        stage.house.ask("POST", "/api/v1/repositories", &basic("ada"), body.as_bytes()).await.is(201);
        filled = filled.replace("{repository}", &format!("lab%2F{name}"));
    }
    if filled.contains("{digest}") || filled.contains("{reference}") {
        // Announced by the owner: whoever asks meets an image that is on its way.
        let announced = digest(stage.fresh().as_bytes());
        let path = filled.replace("{digest}", &announced);
        let path = path.replace("/status/{reference}", &format!("/announcements/{announced}"));
        stage.house.ask("PUT", &path, &basic("ada"), br#"{"parts":[]}"#).await.is(204);
        filled = filled.replace("{digest}", &announced).replace("{reference}", &announced);
    }
    if filled.contains("{upload}") {
        let location = stage.open_upload(who).await;
        filled = filled.replace("{upload}", location.rsplit('/').next().unwrap());
    }
    filled.replace("{token}", "00000000000000000000000000000000")
}

#[tokio::test]
async fn the_api_answers_each_caller_as_the_table_says() {
    let stage = Stage::new().await;
    for (method, path, body, row) in API {
        for (who, expected) in EVERYBODY.into_iter().zip(row) {
            let path = concrete(&stage, path, who).await;
            let body = body.replace("FRESH", &stage.fresh());
            let answer = stage.house.ask(method, &path, &stage.credentials(who), body.as_bytes()).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status.as_u16(), *expected, "{method} {path} by {who:?}: {said}");
            if !answer.status.is_success() {
                let problem = answer.json();
                assert!(problem["detail"].as_str().unwrap().ends_with(['.', '?']), "{problem}");
                assert!(!problem["request_id"].as_str().unwrap().is_empty());
            }
        }
    }
}

/// An access token that was asked for without scopes stands for its user: as Basic password and as Bearer it is
/// answered as the password is, until it ends; then it opens nothing.
#[tokio::test]
async fn a_token_that_stands_for_its_user_is_answered_as_its_user() {
    let stage = Stage::new().await;
    let people = [(Who::Stranger, "eve"), (Who::Reader, "bob"), (Who::Pusher, "pat"), (Who::Owner, "ada")];
    let mut ended = Vec::new();
    for (who, name) in people {
        let column = EVERYBODY.iter().position(|column| *column == who).unwrap();
        let answer = stage.house.ask("GET", "/token?service=hythe", &basic(name), b"").await.is(200);
        let token = answer.json()["token"].as_str().unwrap().to_owned();
        let forms = [format!("Bearer {token}"), encoded(&format!("{name}:{token}"))];
        for credentials in &forms {
            for endpoint in Endpoint::ALL {
                let (method, path, body) = request(&stage, endpoint, who).await;
                let answer = stage.house.ask(method, &path, credentials, &body).await;
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                let expected = distribution(endpoint)[column];
                assert_eq!(answer.status.as_u16(), expected, "{endpoint:?} by {name}'s token: {said}");
            }
        }
        let other = encoded(&format!("admin:{token}"));
        stage.house.ask("GET", "/v2/", &other, b"").await.is(401);
        ended.extend(forms);
    }
    stage.house.later(Duration::from_mins(30));
    for credentials in &ended {
        stage.house.ask("GET", "/v2/lab/app/manifests/v1", credentials, b"").await.is(401);
    }
}

/// The routes beside `/v2` and `/api/v1`, with what they answer to each caller. Probes and numbers ask nobody who
/// they are; the token service answers credentials it cannot use with 401, and gives a token to anybody else.
const OTHERS: &[(&str, &str, [u16; 9])] = &[
    ("GET", "/healthz", [200; 9]),
    ("GET", "/readyz", [200; 9]),
    ("GET", "/metrics", [200; 9]),
    ("GET", "/api/v1/openapi.json", [200; 9]),
    ("GET", "/token", [200, 200, 200, 200, 200, 200, 401, 401, 401]),
    // The form carries the credentials; a header alone is no grant.
    ("POST", "/token", [400; 9]),
    // The control socket's routes do not exist on the network.
    ("POST", "/gc", [404; 9]),
    ("POST", "/fsck", [404; 9]),
    ("POST", "/backup", [404; 9]),
];

#[tokio::test]
async fn the_other_routes_answer_each_caller_as_the_table_says() {
    let stage = Stage::new().await;
    for (method, path, row) in OTHERS {
        for (who, expected) in EVERYBODY.into_iter().zip(row) {
            let answer = stage.house.ask(method, path, &stage.credentials(who), b"").await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status.as_u16(), *expected, "{method} {path} by {who:?}: {said}");
        }
    }
}

/// What the control socket answers: who asks is settled by who may open it, so credentials change nothing, and
/// nothing that asks for them is there.
const CONTROL: &[(&str, &str, u16)] = &[
    ("POST", "/gc", 200),
    ("POST", "/fsck", 200),
    // Without a folder to go to.
    ("POST", "/backup", 400),
    ("GET", "/gc", 405),
    ("GET", "/fsck", 405),
    ("GET", "/backup", 405),
    ("GET", "/v2/", 404),
    ("GET", "/v2/lab/app/manifests/v1", 404),
    ("GET", "/token", 404),
    ("GET", "/api/v1/projects", 404),
    ("GET", "/metrics", 404),
];

#[tokio::test]
async fn the_control_socket_answers_each_caller_alike() {
    let stage = Stage::new().await;
    for (method, path, expected) in CONTROL {
        for who in EVERYBODY {
            let body: &[u8] = if *method == "POST" { b"{}" } else { b"" };
            let answer = stage.house.order(method, path, &stage.credentials(who), body).await;
            let said = String::from_utf8_lossy(&answer.body).into_owned();
            assert_eq!(answer.status.as_u16(), *expected, "{method} {path} by {who:?}: {said}");
        }
    }
}

/// A path that the code serves and no table holds fails here.
#[test]
fn every_path_in_the_code_is_in_a_table() {
    fn collect(folder: &std::path::Path, paths: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, paths);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                let routes =
                    text.split(".route(").skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
                paths.extend(routes.filter_map(|rest| rest.split('"').next()).map(ToOwned::to_owned));
            }
        }
    }
    let mut served = BTreeSet::new();
    collect(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut served);
    assert!(served.len() > 5, "{served:?}");
    let listed: BTreeSet<&str> = OTHERS.iter().map(|(_, path, _)| *path).collect();
    for path in served {
        // Everything under these two is in the tables above.
        let elsewhere =
            path.starts_with("/v2") || (path.starts_with("/api/v1") && !listed.contains(path.as_str()));
        assert!(elsewhere || listed.contains(path.as_str()), "{path} is in no table");
    }
}

#[test]
fn the_api_table_holds_every_documented_route_and_no_other() {
    let document = serde_json::to_value(hythe_server::api::document()).unwrap();
    let mut documented = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let listed: BTreeSet<String> = API.iter().map(|(method, path, ..)| format!("{method} {path}")).collect();
    assert_eq!(documented, listed);
}
