//! Rows P: pulling manifests.

use hythe_testbed::{Content, Image};

use super::{OCI_INDEX, OCI_MANIFEST, altered, oci_image};
use crate::bench::{Bench, bench};

fn with_image() -> (Bench, Image) {
    let bench = bench();
    let image = oci_image(&bench.project);
    bench.admin.push_image(&bench.repository, "latest", &image);
    (bench, image)
}

fn by_digest(bench: &Bench, content: &Content) -> String {
    bench.path(&format!("manifests/{}", content.digest()))
}

/// MUST. GET of a manifest by tag answers its exact bytes.
#[test]
fn p01_get_by_tag() {
    let (bench, image) = with_image();
    let response = bench.admin.get(&bench.path("manifests/latest")).is(200);
    assert_eq!(response.body, image.manifest.bytes);
}

/// MUST. GET of a manifest by digest answers its exact bytes.
#[test]
fn p02_get_by_digest() {
    let (bench, image) = with_image();
    assert_eq!(bench.admin.get(&by_digest(&bench, &image.manifest)).is(200).body, image.manifest.bytes);
}

/// SHOULD. The `Content-Type` of a manifest is the type it was pushed with, without parameters.
#[test]
fn p03_content_type() {
    let (bench, _) = with_image();
    let response = bench.admin.get(&bench.path("manifests/latest")).is(200);
    assert_eq!(response.must("content-type"), OCI_MANIFEST);
}

/// DEV. GET of a manifest names its digest in `Docker-Content-Digest`.
#[test]
fn p04_digest_header() {
    let (bench, image) = with_image();
    for path in [bench.path("manifests/latest"), by_digest(&bench, &image.manifest)] {
        assert_eq!(bench.admin.get(&path).is(200).must("docker-content-digest"), image.manifest.digest());
    }
}

/// MUST. HEAD by tag: 200 with length, type and digest, and no body.
#[test]
fn p05_head_by_tag() {
    let (bench, image) = with_image();
    check_head(&bench, &bench.path("manifests/latest"), &image);
}

/// MUST. HEAD by digest: 200 with length, type and digest, and no body.
#[test]
fn p06_head_by_digest() {
    let (bench, image) = with_image();
    check_head(&bench, &by_digest(&bench, &image.manifest), &image);
}

fn check_head(bench: &Bench, path: &str, image: &Image) {
    let head = bench.admin.head(path).is(200);
    assert_eq!(head.must("content-length"), image.manifest.bytes.len().to_string());
    assert_eq!(head.must("content-type"), OCI_MANIFEST);
    assert_eq!(head.must("docker-content-digest"), image.manifest.digest());
}

/// MUST. A missing tag is a 404, for GET with the code `MANIFEST_UNKNOWN`.
#[test]
fn p07_missing_tag() {
    let (bench, _) = with_image();
    bench.admin.get(&bench.path("manifests/missing")).is(404).code("MANIFEST_UNKNOWN");
    bench.admin.head(&bench.path("manifests/missing")).is(404);
}

/// MUST. A missing digest is a 404.
#[test]
fn p08_missing_digest() {
    let (bench, _) = with_image();
    let other = oci_image("never pushed").manifest;
    bench.admin.get(&by_digest(&bench, &other)).is(404).code("MANIFEST_UNKNOWN");
    bench.admin.head(&by_digest(&bench, &other)).is(404);
}

/// MUST. A manifest of a repository that does not exist is a 404.
#[test]
fn p09_missing_repository() {
    let bench = bench();
    bench.admin.get(&bench.path("manifests/latest")).is(404).error();
    bench.admin.get("/v2/no-such-project/repo/manifests/latest").is(404).error();
}

/// MUST. A malformed digest as the reference is a 400 or 404 with an OCI error body.
#[test]
fn p10_malformed_digest() {
    let (bench, _) = with_image();
    for bad in ["sha256:xyz", "sha256:", "sha256:ABC", "md5:d41d8cd98f00b204e9800998ecf8427e", "sha256:00:00"]
    {
        bench.admin.get(&bench.path(&format!("manifests/{bad}"))).one_of(&[400, 404]).error();
    }
}

/// MUST. Tags of 128 characters, and with capitals, dot, dash and a leading underscore, are accepted.
#[test]
fn p11_valid_tags() {
    let (bench, image) = with_image();
    let long = "t".repeat(128);
    for tag in [long.as_str(), "_A.b-c", "V1", "0"] {
        bench.admin.put_manifest(&bench.repository, tag, &image.manifest).is(201);
        bench.admin.get(&bench.path(&format!("manifests/{tag}"))).is(200);
    }
}

/// MUST. A tag of 129 characters or with a leading dot is refused.
#[test]
fn p12_invalid_tags() {
    let (bench, image) = with_image();
    let long = "t".repeat(129);
    for tag in [long.as_str(), ".dot", "-dash"] {
        bench.admin.put_manifest(&bench.repository, tag, &image.manifest).refused().error();
        bench.admin.get(&bench.path(&format!("manifests/{tag}"))).refused();
    }
}

/// QUIRK. `Accept` in several header lines is read as one list (docker, podman).
#[test]
fn p13_accept_lines() {
    let (bench, image) = with_image();
    let response = bench
        .admin
        .ask("GET", &bench.path("manifests/latest"))
        .header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
        .header("Accept", OCI_MANIFEST)
        .header("Accept", "application/json")
        .send()
        .is(200);
    assert_eq!(response.body, image.manifest.bytes);
}

/// QUIRK. No `Accept`, `*/*` and one that does not match give the stored manifest, unconverted.
#[test]
fn p14_accept_mismatch() {
    let (bench, image) = with_image();
    for accept in [None, Some("*/*"), Some(OCI_INDEX), Some("text/html"), Some("nonsense")] {
        let mut asking = bench.admin.ask("GET", &bench.path("manifests/latest"));
        if let Some(accept) = accept {
            asking = asking.header("Accept", accept);
        }
        let response = asking.send().is(200);
        assert_eq!(response.must("content-type"), OCI_MANIFEST);
        assert_eq!(response.body, image.manifest.bytes);
    }
}

/// QUIRK. `Accept` with quality values, blanks and parameters is no error.
#[test]
fn p15_accept_quality() {
    let (bench, _) = with_image();
    let accept = format!("{OCI_INDEX};q=0.5 , {OCI_MANIFEST} ; q=0.9, */* ;q=0.1");
    bench.admin.ask("GET", &bench.path("manifests/latest")).header("Accept", &accept).send().is(200);
}

/// QUIRK. A manifest has an `ETag`; `If-None-Match` with it is answered 304 until the tag moves.
#[test]
fn p16_etag() {
    let (bench, image) = with_image();
    let path = bench.path("manifests/latest");
    let etag = bench.admin.get(&path).is(200).must("etag").to_owned();
    assert!(etag.contains(&image.manifest.digest()), "{etag}");
    let again = || bench.admin.ask("GET", &path).header("If-None-Match", &etag).send();
    assert_eq!(again().is(304).must("etag"), etag);
    let moved = altered(&image.manifest, |manifest| manifest["annotations"] = serde_json::json!({"a": "b"}));
    bench.admin.put_manifest(&bench.repository, "latest", &moved).is(201);
    assert_eq!(again().is(200).body, moved.bytes);
}
