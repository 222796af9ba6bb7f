//! Rows B: the base endpoint, names, errors and `Location`.

use hythe_testbed::location_path;

use super::oci_image;
use crate::bench::bench;

/// MUST. A signed-in GET of `/v2/` is answered 200.
#[test]
fn b01_base_endpoint() {
    bench().admin.get("/v2/").is(200);
}

/// QUIRK. `/v2/` names the API version in `Docker-Distribution-Api-Version: registry/2.0`, to strangers too.
#[test]
fn b02_version_header() {
    let bench = bench();
    for response in [bench.admin.get("/v2/"), bench.server.anonymous().get("/v2/")] {
        assert_eq!(response.must("docker-distribution-api-version"), "registry/2.0");
    }
}

/// QUIRK. `/v2` without its slash is understood (200, a redirect or the 401 challenge).
#[test]
fn b03_base_without_slash() {
    let bench = bench();
    bench.admin.get("/v2").one_of(&[200, 301, 302, 307, 308]);
    bench.server.anonymous().get("/v2").one_of(&[401, 301, 302, 307, 308]);
}

/// MUST. Refusals carry the OCI error body: a code of capitals, a sentence, a detail that is not null.
#[test]
fn b04_error_body() {
    let bench = bench();
    let response = bench.admin.get(&bench.path("manifests/nothing")).is(404);
    assert!(response.must("content-type").starts_with("application/json"));
    response.code("MANIFEST_UNKNOWN");
    bench.admin.get(&bench.path("manifests/-bad-")).refused().error();
    bench.server.anonymous().get("/v2/").is(401).code("UNAUTHORIZED");
}

/// SHOULD. A repository name outside the grammar is refused with a 4xx, and nothing is stored under it.
#[test]
fn b05_invalid_names() {
    let bench = bench();
    let project = &bench.project;
    let long = "a".repeat(256);
    for bad in ["UPPER", "a..b", "-a", "a-", "a___b", "_a", "a//b", "%2e%2e", &long] {
        let name = format!("{project}/{bad}");
        let response = bench.admin.post(&format!("/v2/{name}/blobs/uploads/")).one_of(&[400, 404]);
        response.error();
        bench.admin.get(&format!("/v2/{name}/tags/list")).one_of(&[400, 404]);
    }
    let catalog = bench.admin.get("/v2/_catalog?n=1000").is(200).json();
    let listed = catalog["repositories"].as_array().unwrap();
    assert!(!listed.iter().any(|name| name.as_str().unwrap().starts_with(&format!("{project}/"))));
}

/// MUST. Names with dots, single and double underscores, dashes and five parts are accepted.
#[test]
fn b06_valid_names() {
    let bench = bench();
    for good in ["a.b", "a_b", "a__b", "a-b", "a--b", "a/b/c/d", "blobs", "tags", "blobs/uploads", "0"] {
        let name = format!("{}/{good}", bench.project);
        let image = oci_image(&name);
        bench.admin.push_image(&name, "latest", &image);
        let back = bench.admin.get(&format!("/v2/{name}/manifests/latest")).is(200);
        assert_eq!(back.body, image.manifest.bytes, "{name}");
    }
    // The project alone is a repository too.
    let image = oci_image(&bench.project);
    bench.admin.push_image(&bench.project, "latest", &image);
    bench.admin.get(&format!("/v2/{}/manifests/latest", bench.project)).is(200);
}

/// QUIRK. A digest whose colon is percent-encoded in the path is the same digest.
#[test]
fn b07_percent_encoded_digest() {
    let bench = bench();
    let image = oci_image("b07");
    bench.admin.push_image(&bench.repository, "latest", &image);
    for digest in ["sha256%3A", "sha256%3a"] {
        let of = |content: &hythe_testbed::Content| content.digest().replace("sha256:", digest);
        bench.admin.get(&bench.path(&format!("manifests/{}", of(&image.manifest)))).is(200);
        bench.admin.head(&bench.path(&format!("blobs/{}", of(&image.blobs[0])))).is(200);
    }
}

/// QUIRK. `Location` names the host that the request's `Host` header named.
#[test]
fn b08_location_follows_host() {
    let bench = bench();
    let response = bench
        .admin
        .ask("POST", &bench.path("blobs/uploads/"))
        .header("Host", "registry.example.org:5443")
        .send()
        .is(202);
    assert!(response.must("location").starts_with("http://registry.example.org:5443/v2/"), "{response}");
}

/// QUIRK. Behind a trusted proxy, `X-Forwarded-Proto: https` makes an https `Location`.
#[test]
fn b09_forwarded_proto() {
    let bench = bench();
    let response = bench
        .admin
        .ask("POST", &bench.path("blobs/uploads/"))
        .header("Host", "registry.example.org")
        .header("X-Forwarded-Proto", "https")
        .send()
        .is(202);
    assert!(response.must("location").starts_with("https://registry.example.org/v2/"), "{response}");
}

/// MAY. A `Warning` header, where there is one, has the form `299 - "text"` and no date.
#[test]
fn b10_warning_form() {
    let bench = bench();
    let image = oci_image("b10");
    for tag in ["one", "two"] {
        bench.admin.push_image(&bench.repository, tag, &image);
    }
    let digest = image.manifest.digest();
    // Deleting a digest takes both tags with it, which is worth a warning.
    let response = bench.admin.delete(&bench.path(&format!("manifests/{digest}"))).is(202);
    let warnings = response.header_lines("warning");
    assert!(!warnings.is_empty(), "{response}");
    for warning in warnings {
        let text = warning.strip_prefix("299 - \"").and_then(|rest| rest.strip_suffix('"'));
        assert!(text.is_some_and(|text| !text.replace("\\\"", "").contains('"')), "{warning}");
        assert!(warning.len() <= 4096);
    }
}

/// SHOULD. Unknown methods and paths below `/v2/` are answered with a 4xx.
#[test]
fn b11_unknown_routes() {
    let bench = bench();
    for path in
        ["blobs", "blobs/", "manifests", "manifests/", "tags", "tags/other", "nothing/here", "uploads/"]
    {
        bench.admin.get(&bench.path(path)).refused();
    }
    for (method, path) in [
        ("POST", "manifests/latest"),
        ("PATCH", "manifests/latest"),
        ("PUT", "tags/list"),
        ("DELETE", "blobs/uploads/"),
        ("BREW", "manifests/latest"),
    ] {
        bench.admin.ask(method, &bench.path(path)).send().refused();
    }
    bench.admin.post("/v2/").refused();
}

/// QUIRK. `Location` of uploads, blobs and manifests is absolute (`ch-image` cannot follow a relative one).
#[test]
fn b12_absolute_location() {
    let bench = bench();
    let image = oci_image("b12");
    let start = format!("http://{}/v2/{}/", bench.server.host(), bench.repository);
    let opened = bench.admin.post(&bench.path("blobs/uploads/")).is(202);
    assert!(opened.must("location").starts_with(&start), "{opened}");
    let blob = &image.blobs[0];
    let placed = bench.admin.close_upload(&location_path(&opened), &blob.digest(), &blob.bytes).is(201);
    assert_eq!(placed.must("location"), format!("{start}blobs/{}", blob.digest()));
    let pushed = bench.admin.push_image(&bench.repository, "latest", &image);
    assert!(pushed.must("location").starts_with(&format!("{start}manifests/")), "{pushed}");
}
