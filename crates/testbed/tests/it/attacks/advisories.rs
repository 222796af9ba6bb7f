//! Published advisories of other registries, tried here. A test's name carries the first id of its class; the
//! table of `docs/security-advisories.md` names every id, and the last test here holds table and tests together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{Actor, Content, Family, Packing, Role, image, noise};
use serde_json::json;

use super::numbers::resident_kib;
use super::wire::{Wire, statuses};
use super::{server, still_serves};
use crate::bench::{bench, public_bench};

/// One document that reads as manifest and as index.
#[test]
fn cve_2021_41190_a_document_is_one_thing() {
    let bench = bench();
    let image = image(Family::Oci, Packing::Gzip, "two things", "amd64");
    for blob in &image.blobs {
        bench.admin.push_blob(&bench.repository, &blob.bytes);
    }
    let both = |kind: &str, named: bool| {
        let mut document: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        document["manifests"] = json!([]);
        if named {
            document["mediaType"] = json!(kind);
        } else {
            document.as_object_mut().unwrap().remove("mediaType");
        }
        Content::json(kind, &document)
    };
    for kind in ["application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"] {
        for named in [true, false] {
            bench.admin.put_manifest(&bench.repository, "v1", &both(kind, named)).refused();
        }
    }
    // And the type of the request is the type of the document.
    let index =
        Content { media_type: "application/vnd.oci.image.index.v1+json".into(), ..image.manifest.clone() };
    bench.admin.put_manifest(&bench.repository, "v1", &index).refused();
    bench.admin.get(&bench.path("manifests/v1")).is(404);
}

/// A page size that makes the server reserve memory for it.
#[test]
fn cve_2023_2253_a_page_reserves_nothing() {
    let server = server(&[]);
    let admin = server.admin();
    admin.push_blob("lab/app", b"something");
    let before = resident_kib(&server);
    for n in ["2147483647", "4294967296", "18446744073709551615", "99999999999999999999999999"] {
        admin.get(&format!("/v2/_catalog?n={n}")).is(200);
        admin.get(&format!("/v2/lab/app/tags/list?n={n}")).one_of(&[200, 404]);
        admin.get(&format!("/api/v1/projects?limit={n}")).refused_or_ok();
    }
    assert!(resident_kib(&server).saturating_sub(before) < 16 * 1024);
    for n in ["-1", "0x10", "1e9", "", "%00"] {
        admin.get(&format!("/v2/_catalog?n={n}")).is(400).code("PAGINATION_NUMBER_INVALID");
    }
    still_serves(&server);
}

/// Fields that only an administrator may set, sent along by anybody.
#[test]
fn cve_2019_16097_nobody_makes_themselves_more() {
    let bench = bench();
    let person = bench.stranger();
    let wish = json!({"name": format!("{}-2", person.name), "password": "a long password", "admin": true});
    person.actor.post_json("/api/v1/users", &wish).is(403);
    bench.server.anonymous().post_json("/api/v1/users", &wish).is(401);
    for field in ["owner", "owner_id", "id", "role", "admin"] {
        let project = json!({"name": format!("{}-p", person.name), "visibility": "private", field: "admin"});
        person.actor.post_json("/api/v1/projects", &project).refused_or_ok();
        let password = json!({"current": person.password, "password": "another long one", field: true});
        let body = Body::Whole(password.to_string().into_bytes());
        let put = person.actor.ask("PUT", "/api/v1/user/password").header("Content-Type", "application/json");
        assert_ne!(put.body(body).send().status / 100, 2, "an unknown field is not passed over");
    }
    person.actor.get("/api/v1/users").is(403);
    assert_eq!(person.actor.get("/api/v1/user").is(200).json()["admin"], false);
}

/// Statements smuggled in through parameters.
#[test]
fn cve_2019_19029_parameters_are_no_statements() {
    let bench = bench();
    bench.admin.push_image(&bench.repository, "v1", &image(Family::Oci, Packing::Gzip, "sql", "amd64"));
    let other = bench_of_another();
    for attempt in [
        "%27",
        "%27%20OR%20%271%27%3D%271",
        "x%27%29%3BDROP%20TABLE%20tags%3B--",
        "%25",
        "_",
        "%5C",
        "%22%3B",
    ] {
        let paths = [
            format!("/v2/_catalog?last={attempt}"),
            bench.path(&format!("tags/list?last={attempt}")),
            bench.path(&format!("referrers/{}?artifactType={attempt}", hythe_testbed::digest(b"x"))),
            bench.path(&format!("manifests/{attempt}")),
            format!("/api/v1/projects?after={attempt}"),
            format!("/api/v1/projects/{attempt}"),
            format!("/api/v1/users?after={attempt}"),
            format!("/token?scope=repository:{attempt}:pull"),
        ];
        for path in paths {
            let answer = bench.admin.get(&path).refused_or_ok();
            let text = String::from_utf8_lossy(&answer.body).to_lowercase();
            for word in ["sqlite", "syntax error", "select ", "no such table"] {
                assert!(!text.contains(word), "{path}: {text}");
            }
        }
        // A member of one project is shown nothing of another by a clever cursor.
        let listed = other.1.get(&format!("/v2/_catalog?last={attempt}")).is(200);
        assert!(!String::from_utf8_lossy(&listed.body).contains(&bench.project));
    }
    bench.admin.get(&bench.path("manifests/v1")).is(200);
}

fn bench_of_another() -> (crate::bench::Bench, Actor) {
    let bench = bench();
    let member = bench.member(Role::Reader);
    (bench, member.actor)
}

/// Requests that a foreign page makes a browser send.
#[test]
fn cve_2019_19025_no_answer_sets_a_cookie_and_no_form_changes_anything() {
    let bench = public_bench();
    let person = bench.stranger();
    for path in ["/v2/", "/token", "/api/v1/user", "/api/v1/projects", "/healthz", "/nowhere"] {
        let answer = person.actor.get(path);
        assert!(answer.header("set-cookie").is_none(), "{answer}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{answer}");
    }
    // What a form can send without asking first is not taken for JSON.
    for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
        let body = Body::Whole(br#"{"name":"forged","visibility":"public"}"#.to_vec());
        person.actor.ask("POST", "/api/v1/projects").header("Content-Type", kind).body(body).send().is(415);
    }
}

/// What there is must not be told from what there is not.
#[test]
fn cve_2019_19030_private_looks_like_missing() {
    let bench = bench();
    bench.admin.push_image(&bench.repository, "v1", &image(Family::Oci, Packing::Gzip, "hidden", "amd64"));
    let stranger = bench.stranger();
    let missing = "no-such-project";
    let digest = hythe_testbed::digest(b"x");
    for (who, actor) in [("stranger", &stranger.actor), ("anonymous", &bench.server.anonymous())] {
        for (method, path) in [
            ("GET", "/v2/{}/repo/manifests/v1".to_owned()),
            ("HEAD", "/v2/{}/repo/manifests/v1".to_owned()),
            ("GET", "/v2/{}/repo/tags/list".to_owned()),
            ("GET", format!("/v2/{{}}/repo/blobs/{digest}")),
            ("GET", format!("/v2/{{}}/repo/referrers/{digest}")),
            ("POST", "/v2/{}/repo/blobs/uploads/".to_owned()),
            ("DELETE", "/v2/{}/repo/manifests/v1".to_owned()),
            ("GET", "/api/v1/projects/{}".to_owned()),
            ("GET", "/api/v1/projects/{}/members".to_owned()),
            ("DELETE", "/api/v1/projects/{}".to_owned()),
        ] {
            let ask = |project: &str| {
                let answer = actor.ask(method, &path.replace("{}", project)).send();
                looks(&answer, project)
            };
            assert_eq!(ask(&bench.project), ask(missing), "{who}: {method} {path}");
        }
    }
}

/// Everything of an answer that could tell, with the project's name and the request's id made equal.
fn looks(answer: &Response, project: &str) -> (u16, Vec<String>, String) {
    let id = answer.header("x-request-id").unwrap_or_default();
    let plain = |text: &str| text.replace(project, "PROJECT").replace(id, "ID");
    let headers = answer.headers.iter().filter(|(name, _)| name != "date" && name != "content-length");
    let headers = headers.map(|(name, value)| plain(&format!("{name}: {value}"))).collect();
    (answer.status, headers, plain(&String::from_utf8_lossy(&answer.body)))
}

/// A list that everybody gets.
#[test]
fn cve_2020_29662_the_catalogue_is_closed() {
    let bench = bench();
    bench.admin.push_blob(&bench.repository, b"something");
    for path in
        ["/v2/_catalog", "/v2/_catalog/", "//v2/_catalog", "/v2/./_catalog", "/v2/%5Fcatalog", "/V2/_catalog"]
    {
        let answer = bench.server.anonymous().get(path).refused_or_ok();
        assert!(answer.status >= 400, "{answer}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&bench.repository), "{answer}");
    }
}

/// Things addressed by an id alone.
#[test]
fn cve_2022_31666_ids_of_others_are_not_there() {
    let bench = bench();
    let [ada, eve] = [bench.member(Role::Pusher), bench.member(Role::Pusher)];
    let location = ada.actor.open_upload(&bench.repository);
    let upload = location.rsplit('/').next().unwrap();
    eve.actor.delete(&format!("/api/v1/uploads/{upload}")).is(404);
    let issued = ada.actor.get("/token?service=hythe&offline_token=true&client_id=laptop").is(200);
    assert!(issued.json()["refresh_token"].is_string());
    let listed = ada.actor.get("/api/v1/user/tokens").is(200).json();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    eve.actor.delete(&format!("/api/v1/user/tokens/{id}")).is(404);
    bench.admin.delete(&format!("/api/v1/user/tokens/{id}")).is(404);
    assert_eq!(eve.actor.get("/api/v1/user/tokens").is(200).json()["items"], json!([]));
    ada.actor.delete(&format!("/api/v1/user/tokens/{id}")).is(204);
    ada.actor.get(&location).is(204);
}

/// A login that looks at the first bytes of a password only.
#[test]
fn cve_2024_9683_a_password_counts_to_its_last_byte() {
    let bench = bench();
    let name = format!("{}-long", bench.project);
    let password = "0123456789".repeat(20);
    bench.server.create_user(&name, &password).get("/v2/").is(200);
    for wrong in [
        &password[..199],
        &password[..72],
        &format!("{}x", &password[..199]),
        &format!("{password}x"),
        &format!("{password}\0"),
    ] {
        Actor::basic(bench.server.addr(), &name, wrong).get("/v2/").is(401);
    }
    Actor::basic(bench.server.addr(), &name, &format!("{password}{password}")).get("/v2/").is(401);
}

/// Headers of a proxy that is not there.
#[test]
fn cve_2026_20896_a_header_makes_nobody_an_administrator() {
    let server = server(&[]);
    for name in [
        "X-WEBAUTH-USER",
        "X-Remote-User",
        "Remote-User",
        "X-Forwarded-User",
        "X-Auth-Request-User",
        "X-Real-IP",
        "X-Forwarded-For",
        "X-Client-IP",
        "Forwarded",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-HTTP-Method-Override",
        "X-User",
        "X-Admin",
    ] {
        for value in ["admin", "127.0.0.1", "/api/v1/users", "for=127.0.0.1"] {
            server.anonymous().ask("GET", "/api/v1/users").header(name, value).send().is(401);
            server.anonymous().ask("GET", "/v2/").header(name, value).send().is(401);
        }
    }
    let asked = server.anonymous().ask("GET", "/v2/").header("X-Forwarded-Host", "evil.example").send();
    assert!(!asked.must("www-authenticate").contains("evil"), "{asked}");
}

/// Paths that climb.
#[test]
fn cve_2024_4956_no_path_leads_out() {
    let server = server(&[]);
    server.admin().push_blob("lab/app", b"something");
    for climb in
        ["..%2f", "%2e%2e/", "..%5c", "..%c0%af", "%252e%252e%252f", "../", "....//", "%2F..%2F", ".%00./"]
    {
        for base in
            ["/", "/v2/lab/app/blobs/", "/v2/lab/app/manifests/", "/v2/", "/api/v1/projects/", "/%2F%2F"]
        {
            for target in ["etc/passwd", "admin-password", "records.db", "hythe.sock"] {
                let request = format!(
                    "GET {base}{}{target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                    climb.repeat(6)
                );
                let answer = Wire::open(server.addr()).exchange(request.as_bytes());
                assert!(matches!(statuses(&answer)[..], [400..=499]), "{request}");
            }
        }
    }
    still_serves(&server);
}

/// A body that is authorised by its beginning and used to its end.
#[test]
fn cve_2024_41110_no_right_comes_from_a_body() {
    let bench = bench();
    let reader = bench.member(Role::Reader);
    // Refused before the body is looked at, whatever it is and however long.
    for bytes in [b"{}".to_vec(), noise("prefix", 6 << 20)] {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let request = format!(
            "PUT {} HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: {kind}\r\nAuthorization: Basic {}\r\nContent-Length: {}\r\n\r\n",
            bench.path("manifests/v1"),
            base64_of(&format!("{}:{}", reader.name, reader.password)),
            bytes.len()
        );
        let answer = Wire::open(bench.server.addr()).exchange(&[request.into_bytes(), bytes].concat());
        assert!(matches!(statuses(&answer)[..], [403] | []), "{:?}", statuses(&answer));
    }
    bench.admin.get(&bench.path("manifests/v1")).is(404);
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The names of all test functions of the workspace.
fn tests_there_are() -> BTreeSet<String> {
    fn collect(folder: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, names);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let functions = text.lines().filter_map(|line| {
                    let line = line.trim_start();
                    line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))
                });
                names.extend(functions.filter_map(|rest| rest.split('(').next()).map(ToOwned::to_owned));
            }
        }
    }
    let mut names = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap(), &mut names);
    names
}

#[test]
fn every_advisory_of_the_table_has_its_tests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/security-advisories.md");
    let document = std::fs::read_to_string(path).unwrap();
    let there = tests_there_are();
    let mut rows = 0;
    for line in document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| id")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [id, class, answer, tests] = cells[..] else { panic!("four cells: {line}") };
        assert!(!id.is_empty() && !class.is_empty() && !answer.is_empty(), "{line}");
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(
            !named.is_empty() || tests.starts_with("when "),
            "a test, or the feature that brings one: {line}"
        );
        for test in named {
            let name = test.rsplit("::").next().unwrap();
            assert!(there.contains(name), "there is no test {test}: {line}");
        }
        rows += 1;
    }
    assert!(rows > 50, "{rows} rows");
    // And the other way: what is tested here is in the table.
    for name in there.iter().filter(|name| name.starts_with("cve_")) {
        assert!(document.contains(name.as_str()), "{name} is missing in the table");
    }
}
