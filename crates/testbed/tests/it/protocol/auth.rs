//! Rows A: challenges and the token service.

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{Actor, Role, digest};
use serde_json::Value;

use super::oci_image;
use crate::bench::{Bench, Person, bench, public_bench};

/// The one challenge of a 401, taken apart.
struct Challenge {
    realm: String,
    service: String,
    scope: Option<String>,
    error: Option<String>,
}

#[track_caller]
fn challenge(response: &Response) -> Challenge {
    assert_eq!(response.status, 401, "{response}");
    let lines = response.header_lines("www-authenticate");
    assert_eq!(lines.len(), 1, "exactly one challenge: {response}");
    let rest = lines[0].strip_prefix("Bearer ").unwrap_or_else(|| panic!("a Bearer challenge: {response}"));
    let parameter = |name: &str| {
        let (_, after) = rest.split_once(&format!("{name}=\""))?;
        Some(after.split('"').next()?.to_owned())
    };
    Challenge {
        realm: parameter("realm").unwrap_or_else(|| panic!("a realm: {response}")),
        service: parameter("service").unwrap_or_else(|| panic!("a service: {response}")),
        scope: parameter("scope"),
        error: parameter("error"),
    }
}

/// The path of the token service and the service's name, as the challenge of `/v2/` tells them.
fn token_service(bench: &Bench) -> (String, String) {
    let challenge = challenge(&bench.server.anonymous().get("/v2/"));
    let path = challenge.realm.strip_prefix(&format!("http://{}", bench.server.host()));
    (path.expect("the realm lies on the registry's own address").to_owned(), challenge.service)
}

/// GET of the token service as `actor`; `query` follows `service=…&`.
fn ask_token(bench: &Bench, actor: &Actor, query: &str) -> Response {
    let (path, service) = token_service(bench);
    actor.get(&format!("{path}?service={}&{query}", encoded(&service)))
}

/// POST of a form to the token service.
fn post_token(bench: &Bench, fields: &[(&str, &str)], chunked: bool) -> Response {
    let (path, service) = token_service(bench);
    let mut form = format!("service={}&client_id=test", encoded(&service));
    for (name, value) in fields {
        form += &format!("&{name}={}", encoded(value));
    }
    let bytes = form.into_bytes();
    let body = if chunked { Body::Chunked(vec![bytes]) } else { Body::Whole(bytes) };
    bench
        .server
        .anonymous()
        .ask("POST", &path)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(body)
        .send()
}

/// Percent-encodes everything but letters and digits.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

#[track_caller]
fn token(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response}");
    response.json()["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("an access token: {response}"))
        .to_owned()
}

/// Somebody with a token for `scope` of the test's repository.
fn holder(bench: &Bench, person: &Person, actions: &str) -> Actor {
    let scope = format!("repository:{}:{actions}", bench.repository);
    bearer(bench, &token(&ask_token(bench, &person.actor, &format!("scope={}", encoded(&scope)))))
}

fn bearer(bench: &Bench, token: &str) -> Actor {
    Actor::bearer(bench.server.addr(), token)
}

fn wrong(bench: &Bench, person: &Person) -> Actor {
    Actor::basic(bench.server.addr(), &person.name, "not the password")
}

/// AUTH. A stranger's GET of `/v2/`: 401 with a challenge and the JSON body `UNAUTHORIZED`, public projects
/// or not.
#[test]
fn a01_challenge() {
    let bench = public_bench();
    let response = bench.server.anonymous().get("/v2/").is(401);
    challenge(&response);
    response.code("UNAUTHORIZED");
}

/// AUTH. Exactly one `WWW-Authenticate` line, Bearer, every value quoted, no blank after a comma (enroot).
#[test]
fn a02_one_line() {
    let bench = bench();
    for path in ["/v2/".to_owned(), bench.path("manifests/latest")] {
        let response = bench.server.anonymous().get(&path).is(401);
        let line = response.must("www-authenticate");
        assert!(!line.contains(", ") && line.ends_with('"'), "{line}");
        assert_eq!(line.matches("=\"").count() * 2, line.matches('"').count(), "{line}");
        challenge(&response);
    }
}

/// AUTH. The realm lies on the scheme, host and port the registry was asked on (crane).
#[test]
fn a03_realm() {
    let bench = bench();
    let response =
        bench.server.anonymous().ask("GET", "/v2/").header("Host", "registry.example.org:81").send();
    assert!(challenge(&response).realm.starts_with("http://registry.example.org:81/"), "{response}");
}

/// AUTH. A stranger's HEAD of a manifest that is absent or private: 401 with the challenge, not 404.
#[test]
fn a04_nothing_leaks() {
    let bench = bench();
    bench.admin.push_image(&bench.repository, "latest", &oci_image("a04"));
    let anonymous = bench.server.anonymous();
    let private = anonymous.head(&bench.path("manifests/latest"));
    let absent = anonymous.head("/v2/no-such-project/repo/manifests/latest");
    challenge(&private);
    challenge(&absent);
    let names =
        |response: &Response| response.headers.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&private), names(&absent));
}

/// AUTH. The challenge names the scope: pull for a GET, pull and push for a POST, delete for a DELETE.
#[test]
fn a05_scope() {
    let bench = bench();
    let anonymous = bench.server.anonymous();
    let scope = |response: Response| challenge(&response).scope.unwrap();
    let repository = &bench.repository;
    assert_eq!(
        scope(anonymous.get(&bench.path("manifests/latest"))),
        format!("repository:{repository}:pull")
    );
    assert_eq!(
        scope(anonymous.post(&bench.path("blobs/uploads/"))),
        format!("repository:{repository}:pull,push")
    );
    let delete = scope(anonymous.delete(&bench.path("manifests/latest")));
    assert!(
        delete.starts_with(&format!("repository:{repository}:")) && delete.contains("delete"),
        "{delete}"
    );
}

/// AUTH. GET of a token with Basic: `token` equals `access_token`, `expires_in` is 300 or more.
#[test]
fn a06_get_token() {
    let bench = bench();
    let person = bench.member(Role::Pusher);
    let json = ask_token(&bench, &person.actor, "account=x&client_id=docker").is(200).json();
    assert_eq!(json["token"], json["access_token"]);
    assert!(json["expires_in"].as_u64().unwrap() >= 300, "{json}");
    let holder = holder(&bench, &person, "pull,push");
    holder.push_image(&bench.repository, "latest", &oci_image("a06"));
    holder.get(&bench.path("manifests/latest")).is(200);
}

/// AUTH. GET of a token with a wrong password: 401, so that `docker login` fails.
#[test]
fn a07_wrong_password() {
    let bench = bench();
    let person = bench.stranger();
    ask_token(&bench, &wrong(&bench, &person), "account=x").is(401).code("UNAUTHORIZED");
    let nobody = Actor::basic(bench.server.addr(), "a07-nobody", "anything");
    ask_token(&bench, &nobody, "account=x").is(401).code("UNAUTHORIZED");
}

/// AUTH. POST with `grant_type=password`: `access_token`, `expires_in` and `scope` (containerd, helm).
#[test]
fn a08_post_password() {
    let bench = bench();
    let person = bench.member(Role::Reader);
    let scope = format!("repository:{}:pull", bench.repository);
    let fields = password_fields(&person, &scope);
    let response = post_token(&bench, &fields, false).is(200);
    let json = response.json();
    assert!(json["expires_in"].as_u64().unwrap() >= 300, "{json}");
    assert!(json["scope"].as_str().unwrap().contains(&bench.repository), "{json}");
    bearer(&bench, &token(&response)).get("/v2/").is(200);
}

fn password_fields<'a>(person: &'a Person, scope: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("grant_type", "password"),
        ("username", &person.name),
        ("password", &person.password),
        ("scope", scope),
    ]
}

/// AUTH. POST with a wrong password: 401.
#[test]
fn a09_post_wrong_password() {
    let bench = bench();
    let person = bench.stranger();
    let fields = [("grant_type", "password"), ("username", person.name.as_str()), ("password", "wrong")];
    post_token(&bench, &fields, false).is(401);
}

/// AUTH. `offline_token=true` (GET) and `access_type=offline` (POST) give a refresh token that buys access.
#[test]
fn a10_refresh_token() {
    let bench = bench();
    let person = bench.member(Role::Reader);
    bench.admin.push_image(&bench.repository, "latest", &oci_image("a10"));
    let scope = format!("repository:{}:pull", bench.repository);
    let by_get = ask_token(&bench, &person.actor, "offline_token=true&client_id=docker").is(200).json();
    let mut fields = password_fields(&person, "");
    fields.push(("access_type", "offline"));
    let by_post = post_token(&bench, &fields, false).is(200).json();
    for json in [by_get, by_post] {
        let refresh = json["refresh_token"].as_str().unwrap_or_else(|| panic!("a refresh token: {json}"));
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", &scope)];
        let holder = bearer(&bench, &token(&post_token(&bench, &fields, false)));
        holder.get(&bench.path("manifests/latest")).is(200);
    }
    let fields = [("grant_type", "refresh_token"), ("refresh_token", "made-up"), ("scope", &scope)];
    post_token(&bench, &fields, false).is(401);
}

/// AUTH. No refresh token unless asked for; a refresh token is no Bearer token on `/v2/`.
#[test]
fn a11_refresh_is_not_access() {
    let bench = bench();
    let person = bench.stranger();
    let json = ask_token(&bench, &person.actor, "account=x").is(200).json();
    assert!(json.get("refresh_token").is_none_or(Value::is_null), "{json}");
    let json = ask_token(&bench, &person.actor, "offline_token=true").is(200).json();
    let refresh = json["refresh_token"].as_str().unwrap();
    challenge(&bearer(&bench, refresh).get("/v2/"));
}

/// AUTH. Several scopes: repeated, joined by blanks (GET and POST), and repeated in a chunked POST (skopeo).
#[test]
fn a12_several_scopes() {
    let bench = bench();
    let person = bench.member(Role::Pusher);
    let other = format!("{}/other", bench.project);
    for repository in [&bench.repository, &other] {
        bench.admin.push_image(repository, "latest", &oci_image("a12"));
    }
    let (first, second) =
        (format!("repository:{}:pull", bench.repository), format!("repository:{other}:pull"));
    let joined = format!("{first} {second}");
    let get = |query: String| ask_token(&bench, &person.actor, &query);
    let (mut once, mut twice) = (password_fields(&person, &joined), password_fields(&person, &first));
    once.push(("access_type", "online"));
    twice.push(("scope", &second));
    for response in [
        get(format!("scope={}&scope={}", encoded(&first), encoded(&second))),
        get(format!("scope={}", encoded(&joined))),
        post_token(&bench, &once, false),
        post_token(&bench, &twice, true),
    ] {
        let holder = bearer(&bench, &token(&response));
        holder.get(&bench.path("manifests/latest")).is(200);
        holder.get(&format!("/v2/{other}/manifests/latest")).is(200);
    }
}

/// AUTH. Overlapping scopes of one repository are united (containerd sends pull, then pull,push).
#[test]
fn a13_united_scopes() {
    let bench = bench();
    let person = bench.member(Role::Pusher);
    let scopes = format!("repository:{0}:pull repository:{0}:pull,push", bench.repository);
    let response = post_token(&bench, &password_fields(&person, &scopes), false);
    bearer(&bench, &token(&response)).push_image(&bench.repository, "latest", &oci_image("a13"));
}

/// AUTH. The action `*` gives every right the caller has, delete too (skopeo delete).
#[test]
fn a14_star() {
    let bench = bench();
    let owner = holder(&bench, &bench.member(Role::Owner), "*");
    owner.push_image(&bench.repository, "latest", &oci_image("a14"));
    owner.delete(&bench.path("manifests/latest")).is(202);
    let reader = holder(&bench, &bench.member(Role::Reader), "*");
    reader.post(&bench.path("blobs/uploads/")).one_of(&[401, 403]);
}

/// AUTH. Odd scopes never break the token service.
#[test]
fn a15_odd_scopes() {
    let bench = bench();
    let person = bench.stranger();
    for scope in [
        "",
        "repository(plugin):a/b:pull",
        "repository:host:5000/a/b:pull",
        "registry:catalog:*",
        "unknown:thing:fly",
        "repository:",
        ":::",
        "garbage",
        "repository:UPPER/case:pull",
        "repository:a/b:pull,fly",
        "\u{0}\u{7f}é",
    ] {
        for actor in [&person.actor, &bench.server.anonymous()] {
            token(&ask_token(&bench, actor, &format!("scope={}", encoded(scope))));
        }
    }
}

/// AUTH. Asking for more than allowed is no error: the token holds less, even nothing.
#[test]
fn a16_less_than_asked() {
    let (open, closed) = (public_bench(), bench());
    for bench in [&open, &closed] {
        bench.admin.push_image(&bench.repository, "latest", &oci_image("a16"));
    }
    let scopes = format!("repository:{}:pull,push repository:{}:*", open.repository, closed.repository);
    let response = ask_token(&open, &open.server.anonymous(), &format!("scope={}", encoded(&scopes)));
    let anybody = bearer(&open, &token(&response));
    anybody.get(&open.path("manifests/latest")).is(200);
    anybody.post(&open.path("blobs/uploads/")).one_of(&[401, 403]);
    anybody.get(&closed.path("manifests/latest")).is(401);
}

/// AUTH. A valid token without the right: 401 with `insufficient_scope` and the scope it takes.
#[test]
fn a17_insufficient_scope() {
    let bench = bench();
    let reader = holder(&bench, &bench.member(Role::Reader), "pull");
    let response = reader.post(&bench.path("blobs/uploads/"));
    let challenge = challenge(&response);
    assert_eq!(challenge.error.as_deref(), Some("insufficient_scope"), "{response}");
    assert_eq!(challenge.scope.unwrap(), format!("repository:{}:pull,push", bench.repository));
    response.error();
}

/// AUTH. A garbage, unsigned or altered token: 401 with `invalid_token`.
#[test]
fn a18_invalid_token() {
    let bench = bench();
    let person = bench.stranger();
    let good = token(&ask_token(&bench, &person.actor, "account=x"));
    let parts: Vec<&str> = good.split('.').collect();
    assert_eq!(parts.len(), 3, "a JWT has three parts");
    let flip = |text: &str| {
        let first = if text.starts_with('A') { "B" } else { "A" };
        format!("{first}{}", &text[1..])
    };
    // {"alg":"none","typ":"JWT"}
    let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    for bad in [
        "garbage".to_owned(),
        "a.b.c".to_owned(),
        format!("{unsigned}.{}.", parts[1]),
        format!("{unsigned}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], flip(parts[2])),
        format!("{}.{}.", parts[0], parts[1]),
    ] {
        let response = bearer(&bench, &bad).get("/v2/");
        assert_eq!(challenge(&response).error.as_deref(), Some("invalid_token"), "{bad}: {response}");
    }
    bearer(&bench, &good).get("/v2/").is(200);
}

/// AUTH. A valid user's token without any scope passes GET `/v2/` (the last step of docker login).
#[test]
fn a19_scopeless_token() {
    let bench = bench();
    let person = bench.stranger();
    bearer(&bench, &token(&ask_token(&bench, &person.actor, "account=x"))).get("/v2/").is(200);
}

/// AUTH. Cancelling an upload takes no more than push (skopeo, regctl, docker).
#[test]
fn a20_cancel_with_push() {
    let bench = bench();
    let pusher = holder(&bench, &bench.member(Role::Pusher), "pull,push");
    let location = pusher.open_upload(&bench.repository);
    pusher.delete(&location).is(204);
}

/// AUTH. A mount with a token for the target alone: 201 or 202, or a 401 whose scope names both repositories.
#[test]
fn a21_mount_with_one_scope() {
    let bench = bench();
    let source = format!("{}/source", bench.project);
    let bytes = b"a21";
    bench.admin.push_blob(&source, bytes);
    let pusher = holder(&bench, &bench.member(Role::Pusher), "pull,push");
    let target = bench.path(&format!("blobs/uploads/?mount={}&from={source}", digest(bytes)));
    let response = pusher.post(&target).one_of(&[201, 202, 401]);
    if response.status == 401 {
        let scope = challenge(&response).scope.unwrap();
        assert!(scope.contains(&source) && scope.contains(&bench.repository), "{scope}");
    }
}

/// AUTH. Basic credentials are accepted on `/v2/` itself, the password as well as a token as password.
#[test]
fn a22_basic() {
    let bench = bench();
    let person = bench.member(Role::Reader);
    bench.admin.push_image(&bench.repository, "latest", &oci_image("a22"));
    person.actor.get("/v2/").is(200);
    person.actor.get(&bench.path("manifests/latest")).is(200);
    wrong(&bench, &person).get(&bench.path("manifests/latest")).is(401);
    let scope = format!("scope={}", encoded(&format!("repository:{}:pull", bench.repository)));
    let token = token(&ask_token(&bench, &person.actor, &scope));
    let with_token = Actor::basic(bench.server.addr(), &person.name, &token);
    with_token.get(&bench.path("manifests/latest")).is(200);
}

/// AUTH. A client that keeps its first token of a push works: a blob HEAD offers pull and push (oras-py).
#[test]
fn a23_first_token_of_a_push() {
    let bench = bench();
    let path = bench.path(&format!("blobs/{}", digest(b"a23")));
    let offered = challenge(&bench.server.anonymous().head(&path)).scope.unwrap();
    assert_eq!(offered, format!("repository:{}:pull,push", bench.repository));
    let person = bench.member(Role::Pusher);
    let response = ask_token(&bench, &person.actor, &format!("scope={}", encoded(&offered)));
    bearer(&bench, &token(&response)).push_image(&bench.repository, "latest", &oci_image("a23"));
}

/// AUTH. A token without scopes stands for its user: as Basic password, shown before it is asked for, it pushes, pulls and
/// lists as the password does (clients of platforms never look at the challenge).
#[test]
fn a24_token_as_password() {
    let bench = bench();
    let person = bench.member(Role::Pusher);
    let whole = token(&ask_token(&bench, &person.actor, "account=x"));
    let with_token = Actor::basic(bench.server.addr(), &person.name, &whole);
    with_token.push_image(&bench.repository, "latest", &oci_image("a24"));
    with_token.get(&bench.path("manifests/latest")).is(200);
    with_token.get(&bench.path("tags/list")).is(200);
    let listed = with_token.get("/v2/_catalog?n=1000").is(200).json();
    assert!(listed["repositories"].as_array().unwrap().iter().any(|name| *name == bench.repository.as_str()));
    // The live rules hold: a pusher does not delete, and has no access elsewhere.
    with_token.delete(&bench.path("manifests/latest")).is(403);
    Actor::basic(bench.server.addr(), "admin", &whole).get("/v2/").is(401);
    let stranger = bench.stranger();
    let strange = token(&ask_token(&bench, &stranger.actor, "account=x"));
    Actor::basic(bench.server.addr(), &stranger.name, &strange).get(&bench.path("tags/list")).is(404);
}
