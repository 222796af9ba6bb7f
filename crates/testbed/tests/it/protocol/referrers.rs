//! Rows F: referrers.

use hythe_testbed::http::Response;
use hythe_testbed::{Content, artifact, digest, noise};
use serde_json::{Value, json};

use super::{OCI_INDEX, OCI_MANIFEST, index_of, oci_image};
use crate::bench::{Bench, bench};

const SIGNATURE: &str = "application/vnd.example.signature";
const SBOM: &str = "application/vnd.example.sbom";

/// A repository with one image, and the image's manifest.
fn with_subject() -> (Bench, Content) {
    let bench = bench();
    let image = oci_image(&bench.project);
    bench.admin.push_image(&bench.repository, "latest", &image);
    (bench, image.manifest)
}

/// Pushes an artifact that refers to `subject`, by digest.
fn attach(bench: &Bench, subject: &Content, kind: &str, text: &str) -> (Content, Response) {
    let artifact = artifact(kind, Some(subject), text);
    let response = bench.admin.push_image(&bench.repository, &artifact.manifest.digest(), &artifact);
    (artifact.manifest, response)
}

fn referrers(bench: &Bench, subject: &str, query: &str) -> Response {
    bench.admin.get(&bench.path(&format!("referrers/{subject}{query}"))).is(200)
}

fn listed(response: &Response) -> Vec<Value> {
    assert_eq!(response.must("content-type"), OCI_INDEX);
    let json = response.json();
    assert_eq!((&json["schemaVersion"], &json["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
    json["manifests"].as_array().unwrap().clone()
}

fn digests(response: &Response) -> Vec<String> {
    listed(response).iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

/// MUST. Referrers of a digest nothing refers to: 200 with an empty OCI index of its type.
#[test]
fn f01_none() {
    let (bench, subject) = with_subject();
    assert!(listed(&referrers(&bench, &subject.digest(), "")).is_empty());
    assert!(listed(&referrers(&bench, &digest(b"never pushed"), "")).is_empty());
}

/// QUIRK. In a repository that does not exist yet too (the conformance suite begins with it).
#[test]
fn f02_missing_repository() {
    assert!(listed(&referrers(&bench(), &digest(b"anything"), "")).is_empty());
}

/// MUST. Referrers of a malformed digest: 400.
#[test]
fn f03_malformed_digest() {
    let (bench, _) = with_subject();
    for bad in ["sha256:xyz", "sha256:", "latest"] {
        bench.admin.get(&bench.path(&format!("referrers/{bad}"))).is(400).error();
    }
}

/// MUST. PUT of a manifest or index with a subject answers `OCI-Subject`; one without does not.
#[test]
fn f04_subject_header() {
    let (bench, subject) = with_subject();
    let (_, response) = attach(&bench, &subject, SIGNATURE, "f04");
    assert_eq!(response.must("oci-subject"), subject.digest());
    let index = super::altered(&index_of(&[]), |value| value["subject"] = subject.descriptor());
    let response = bench.admin.put_manifest(&bench.repository, "index", &index).is(201);
    assert_eq!(response.must("oci-subject"), subject.digest());
    let response = bench.admin.put_manifest(&bench.repository, "again", &subject).is(201);
    assert_eq!(response.header("oci-subject"), None);
}

/// MUST. Each entry tells media type, digest, size, `artifactType` and annotations of the referrer.
#[test]
fn f05_entry() {
    let (bench, subject) = with_subject();
    let (referrer, _) = attach(&bench, &subject, SBOM, "f05");
    let entries = listed(&referrers(&bench, &subject.digest(), ""));
    assert_eq!(
        entries,
        [json!({
            "mediaType": OCI_MANIFEST,
            "digest": referrer.digest(),
            "size": referrer.bytes.len(),
            "artifactType": SBOM,
            "annotations": {"org.example.note": "f05"},
        })]
    );
}

/// MUST. Without `artifactType` the configuration's media type stands in; an index without one has none.
#[test]
fn f06_stand_in_type() {
    let (bench, subject) = with_subject();
    let image = super::altered(&subject, |value| value["subject"] = subject.descriptor());
    bench.admin.put_manifest(&bench.repository, &image.digest(), &image).is(201);
    let index = super::altered(&index_of(&[]), |value| value["subject"] = subject.descriptor());
    bench.admin.put_manifest(&bench.repository, &index.digest(), &index).is(201);
    for entry in listed(&referrers(&bench, &subject.digest(), "")) {
        if entry["digest"] == image.digest() {
            assert_eq!(entry["artifactType"], "application/vnd.oci.image.config.v1+json");
        } else {
            assert_eq!(entry["digest"], index.digest());
            assert!(entry["artifactType"].as_str().is_none_or(str::is_empty), "{entry}");
        }
    }
    assert_eq!(listed(&referrers(&bench, &subject.digest(), "")).len(), 2);
}

/// SHOULD. `?artifactType=` gives only matches and says so in `OCI-Filters-Applied`; none is an empty index.
#[test]
fn f07_filter() {
    let (bench, subject) = with_subject();
    let (signature, _) = attach(&bench, &subject, SIGNATURE, "f07 one");
    attach(&bench, &subject, SBOM, "f07 two");
    let query = |kind: &str| format!("?artifactType={}", kind.replace('/', "%2F"));
    let response = referrers(&bench, &subject.digest(), &query(SIGNATURE));
    assert_eq!(response.must("oci-filters-applied"), "artifactType");
    assert_eq!(digests(&response), [signature.digest()]);
    assert!(listed(&referrers(&bench, &subject.digest(), &query("application/none"))).is_empty());
}

/// MUST. A referrer may be pushed before its subject.
#[test]
fn f08_before_its_subject() {
    let bench = bench();
    let image = oci_image("f08");
    let (referrer, _) = attach(&bench, &image.manifest, SIGNATURE, "f08");
    assert_eq!(digests(&referrers(&bench, &image.manifest.digest(), "")), [referrer.digest()]);
    bench.admin.push_image(&bench.repository, "latest", &image);
    assert_eq!(digests(&referrers(&bench, &image.manifest.digest(), "")), [referrer.digest()]);
}

/// MUST. A deleted referrer leaves the list; deleting the subject's tag does not empty it.
#[test]
fn f09_deletion() {
    let (bench, subject) = with_subject();
    let (first, _) = attach(&bench, &subject, SIGNATURE, "f09 one");
    let (second, _) = attach(&bench, &subject, SIGNATURE, "f09 two");
    bench.admin.delete(&bench.path(&format!("manifests/{}", first.digest()))).is(202);
    assert_eq!(digests(&referrers(&bench, &subject.digest(), "")), [second.digest()]);
    bench.admin.delete(&bench.path("manifests/latest")).is(202);
    assert_eq!(digests(&referrers(&bench, &subject.digest(), "")), [second.digest()]);
}

/// MUST. 120 referrers can all be reached, in one page or by `Link`, each once.
#[test]
fn f10_many() {
    let (bench, subject) = with_subject();
    let mut pushed: Vec<String> =
        (0..120).map(|at| attach(&bench, &subject, SIGNATURE, &format!("f10 {at}")).0.digest()).collect();
    let mut seen = Vec::new();
    let mut page = referrers(&bench, &subject.digest(), "?n=50");
    loop {
        seen.extend(digests(&page));
        let Some(link) = page.header("link") else { break };
        let target = link.trim_start_matches('<').split('>').next().unwrap();
        page = bench.admin.get(target.find("/v2/").map_or(target, |at| &target[at..])).is(200);
    }
    seen.sort();
    pushed.sort();
    assert_eq!(seen, pushed);
}

/// MUST. Referrers belong to one repository.
#[test]
fn f11_per_repository() {
    let (bench, subject) = with_subject();
    attach(&bench, &subject, SIGNATURE, "f11");
    let other = format!("/v2/{}/other/referrers/{}", bench.project, subject.digest());
    assert!(listed(&bench.admin.get(&other).is(200)).is_empty());
}

/// SHOULD. A subject named by its sha512 digest.
#[test]
fn f12_sha512_subject() {
    let (bench, subject) = with_subject();
    bench.admin.put_manifest(&bench.repository, &subject.sha512(), &subject).is(201);
    let referrer = super::altered(&artifact(SIGNATURE, Some(&subject), "f12").manifest, |value| {
        value["subject"]["digest"] = subject.sha512().into();
    });
    for blob in artifact(SIGNATURE, None, "f12").blobs {
        bench.admin.push_blob(&bench.repository, &blob.bytes);
    }
    let response = bench.admin.put_manifest(&bench.repository, &referrer.digest(), &referrer).is(201);
    assert_eq!(response.must("oci-subject"), subject.sha512());
    assert_eq!(digests(&referrers(&bench, &subject.sha512(), "")), [referrer.digest()]);
}

/// QUIRK. Fallback tags (`sha256-<hex>`, and with `.sig`, `.att`, `.sbom`) behave like any tag.
#[test]
fn f13_fallback_tags() {
    let (bench, subject) = with_subject();
    let artifact = artifact(SIGNATURE, None, &String::from_utf8_lossy(&noise("f13", 20)));
    bench.admin.push_image(&bench.repository, "plain", &artifact);
    let fallback = subject.digest().replace(':', "-");
    for suffix in ["", ".sig", ".att", ".sbom"] {
        let tag = format!("{fallback}{suffix}");
        let content = if suffix.is_empty() { index_of(&[]) } else { artifact.manifest.clone() };
        bench.admin.put_manifest(&bench.repository, &tag, &content).is(201);
        assert_eq!(bench.admin.get(&bench.path(&format!("manifests/{tag}"))).is(200).body, content.bytes);
    }
}
