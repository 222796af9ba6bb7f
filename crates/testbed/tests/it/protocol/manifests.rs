//! Rows W, first half: how a manifest is pushed and what is refused.

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{Content, digest, location_path};
use serde_json::json;

use super::{OCI_INDEX, OCI_MANIFEST, altered, index_of, oci_image};
use crate::bench::{Bench, bench};

/// A repository that holds an image's blobs but no manifest, and the image's manifest.
fn with_blobs() -> (Bench, Content) {
    let bench = bench();
    let image = oci_image(&bench.project);
    for blob in &image.blobs {
        bench.admin.push_blob(&bench.repository, &blob.bytes);
    }
    (bench, image.manifest)
}

/// PUT of any bytes under any type.
fn put(bench: &Bench, reference: &str, media_type: &str, bytes: &[u8]) -> Response {
    bench
        .admin
        .ask("PUT", &bench.path(&format!("manifests/{reference}")))
        .header("Content-Type", media_type)
        .body(Body::Whole(bytes.to_vec()))
        .send()
}

/// MUST. PUT by tag: 201, and its `Location` answers the same bytes and type.
#[test]
fn w01_by_tag() {
    let (bench, manifest) = with_blobs();
    let pushed = bench.admin.put_manifest(&bench.repository, "latest", &manifest).is(201);
    assert_eq!(pushed.must("docker-content-digest"), manifest.digest());
    let back = bench.admin.get(&location_path(&pushed)).is(200);
    assert_eq!((back.must("content-type"), &back.body), (OCI_MANIFEST, &manifest.bytes));
}

/// MUST. PUT by digest: 201 with that digest.
#[test]
fn w02_by_digest() {
    let (bench, manifest) = with_blobs();
    let pushed = bench.admin.put_manifest(&bench.repository, &manifest.digest(), &manifest).is(201);
    assert_eq!(pushed.must("docker-content-digest"), manifest.digest());
    assert_eq!(bench.admin.get(&location_path(&pushed)).is(200).body, manifest.bytes);
}

/// MUST. PUT by the digest of other bytes: 400, and nothing is stored under either.
#[test]
fn w03_wrong_digest() {
    let (bench, manifest) = with_blobs();
    let claimed = digest(b"claimed");
    bench.admin.put_manifest(&bench.repository, &claimed, &manifest).is(400).code("DIGEST_INVALID");
    for absent in [claimed, manifest.digest()] {
        bench.admin.get(&bench.path(&format!("manifests/{absent}"))).is(404);
    }
}

/// MUST. PUT by a malformed digest: 400.
#[test]
fn w04_malformed_digest() {
    let (bench, manifest) = with_blobs();
    for bad in ["sha256:baddigeststring", "sha256:", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        bench.admin.put_manifest(&bench.repository, bad, &manifest).is(400).error();
    }
}

/// SHOULD. Bytes that are no JSON object, are 10,000 deep or repeat a key: 400 `MANIFEST_INVALID`.
#[test]
fn w05_invalid_json() {
    let (bench, manifest) = with_blobs();
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    let text = String::from_utf8(manifest.bytes).unwrap();
    let repeated = text.replacen('{', "{\"schemaVersion\":2,", 1);
    assert!(repeated.matches("schemaVersion").count() == 2);
    for bad in ["", "not json", "[]", "null", "{", deep.as_str(), repeated.as_str()] {
        put(&bench, "latest", OCI_MANIFEST, bad.as_bytes()).is(400).code("MANIFEST_INVALID");
    }
}

/// MUST. A manifest with a missing blob is refused with `MANIFEST_BLOB_UNKNOWN` that names the digest.
#[test]
fn w06_missing_blob() {
    let bench = bench();
    let image = oci_image("w06");
    bench.admin.push_blob(&bench.repository, &image.blobs[0].bytes);
    let refused = bench.admin.put_manifest(&bench.repository, "latest", &image.manifest).refused();
    assert!(refused.error().to_string().contains(&image.blobs[1].digest()), "{refused}");
    refused.code("MANIFEST_BLOB_UNKNOWN");
    bench.admin.get(&bench.path("manifests/latest")).is(404);
}

/// MUST. An index with a missing child is refused with `MANIFEST_BLOB_UNKNOWN`.
#[test]
fn w07_missing_child() {
    let bench = bench();
    let index = index_of(&[oci_image("w07").manifest.descriptor()]);
    bench.admin.put_manifest(&bench.repository, "latest", &index).refused().code("MANIFEST_BLOB_UNKNOWN");
}

/// A manifest made about `length` bytes long by annotations.
fn padded(manifest: &Content, length: usize) -> Content {
    altered(manifest, |value| {
        for at in 0..length / 10_000 {
            value["annotations"][format!("org.example.{at}")] = "x".repeat(9_970).into();
        }
    })
}

/// SHOULD. A manifest of 3.9 MB is accepted.
#[test]
fn w08_large() {
    let (bench, manifest) = with_blobs();
    let large = padded(&manifest, 3_900_000);
    assert!(large.bytes.len() > 3_850_000 && large.bytes.len() < 4 << 20);
    bench.admin.put_manifest(&bench.repository, "latest", &large).is(201);
    assert_eq!(bench.admin.get(&bench.path("manifests/latest")).is(200).body, large.bytes);
}

/// SHOULD. A manifest above 4 MiB: 413, announced by its length or not.
#[test]
fn w09_too_large() {
    let (bench, manifest) = with_blobs();
    let large = padded(&manifest, 4_400_000);
    assert!(large.bytes.len() > 4 << 20);
    bench.admin.put_manifest(&bench.repository, "latest", &large).is(413).error();
    let chunks = large.bytes.chunks(64 * 1024).map(<[u8]>::to_vec).collect();
    bench
        .admin
        .ask("PUT", &bench.path("manifests/latest"))
        .header("Content-Type", OCI_MANIFEST)
        .body(Body::Chunked(chunks))
        .send()
        .is(413);
    bench.admin.get(&bench.path("manifests/latest")).is(404);
}

/// SHOULD. Parameters and letter case of the request's `Content-Type` are ignored.
#[test]
fn w10_type_parameters() {
    let (bench, manifest) = with_blobs();
    let media_type = format!("{OCI_MANIFEST}; charset=utf-8");
    put(&bench, "latest", &media_type, &manifest.bytes).is(201);
    assert_eq!(bench.admin.get(&bench.path("manifests/latest")).is(200).must("content-type"), OCI_MANIFEST);
}

/// SHOULD. A `Content-Type` that contradicts the body's `mediaType` is refused; so is a body that is both
/// manifest and index.
#[test]
fn w11_contradiction() {
    let (bench, manifest) = with_blobs();
    put(&bench, "latest", OCI_INDEX, &manifest.bytes).refused().code("MANIFEST_INVALID");
    let both = altered(&manifest, |value| value["manifests"] = json!([]));
    put(&bench, "latest", OCI_MANIFEST, &both.bytes).refused().code("MANIFEST_INVALID");
    let untyped = altered(&both, |value| {
        value.as_object_mut().unwrap().remove("mediaType");
    });
    for media_type in [OCI_MANIFEST, OCI_INDEX] {
        put(&bench, "latest", media_type, &untyped.bytes).refused().code("MANIFEST_INVALID");
    }
}

/// MUST. Unknown fields, odd white space and the order of keys survive byte for byte.
#[test]
fn w12_exact_bytes() {
    let (bench, manifest) = with_blobs();
    let text = String::from_utf8(manifest.bytes).unwrap();
    let odd = text.replacen('{', "{\n\t \"zzz.unknown\" :  [1.50, \"\\u00e9\",{}] ,\r\n", 1) + "\n\n";
    let pushed = put(&bench, "latest", OCI_MANIFEST, odd.as_bytes()).is(201);
    assert_eq!(pushed.must("docker-content-digest"), digest(odd.as_bytes()));
    assert_eq!(bench.admin.get(&bench.path("manifests/latest")).is(200).body, odd.as_bytes());
}

/// MUST. Pushing to a tag again moves it; the old manifest stays by digest.
#[test]
fn w13_tag_moves() {
    let (bench, old) = with_blobs();
    let new = altered(&old, |value| value["annotations"] = json!({"version": "2"}));
    for manifest in [&old, &new] {
        bench.admin.put_manifest(&bench.repository, "latest", manifest).is(201);
        // Read after write: the tag answers the new bytes at once.
        assert_eq!(bench.admin.get(&bench.path("manifests/latest")).is(200).body, manifest.bytes);
    }
    assert_eq!(bench.admin.get(&bench.path(&format!("manifests/{}", old.digest()))).is(200).body, old.bytes);
}

/// SHOULD. A sha512 manifest pushed by digest is answered by that digest, header included.
#[test]
fn w20_sha512() {
    let (bench, manifest) = with_blobs();
    let path = bench.path(&format!("manifests/{}", manifest.sha512()));
    bench.admin.put_manifest(&bench.repository, &manifest.sha512(), &manifest).is(201);
    for response in [bench.admin.get(&path), bench.admin.head(&path)] {
        assert_eq!(response.is(200).must("docker-content-digest"), manifest.sha512());
    }
    assert_eq!(bench.admin.get(&path).body, manifest.bytes);
}

/// DEV. PUT by digest with `?tag=a&tag=b…`: every tag is made and named in `OCI-Tag`.
#[test]
fn w21_tag_parameters() {
    let (bench, manifest) = with_blobs();
    let tags: Vec<String> = (0..10).map(|at| format!("tag-{at}")).collect();
    let query: Vec<String> = tags.iter().map(|tag| format!("tag={tag}")).collect();
    let reference = format!("{}?{}", manifest.digest(), query.join("&"));
    let pushed = bench.admin.put_manifest(&bench.repository, &reference, &manifest).is(201);
    let named: Vec<&str> =
        pushed.header_lines("oci-tag").iter().flat_map(|line| line.split(',')).map(str::trim).collect();
    for tag in &tags {
        assert!(named.contains(&tag.as_str()), "{tag}: {pushed}");
        assert_eq!(bench.admin.get(&bench.path(&format!("manifests/{tag}"))).is(200).body, manifest.bytes);
    }
    // One bad tag refuses the whole push.
    let reference = format!("{}?tag=good&tag=.bad", manifest.digest());
    bench.admin.put_manifest(&bench.repository, &reference, &manifest).is(400).error();
    bench.admin.get(&bench.path("manifests/good")).is(404);
}

/// DEV. A tag made by `?tag=` with a sha512 digest answers that digest.
#[test]
fn w22_sha512_tag() {
    let (bench, manifest) = with_blobs();
    let reference = format!("{}?tag=wide", manifest.sha512());
    bench.admin.put_manifest(&bench.repository, &reference, &manifest).is(201);
    let path = bench.path("manifests/wide");
    for response in [bench.admin.get(&path), bench.admin.head(&path)] {
        assert_eq!(response.is(200).must("docker-content-digest"), manifest.sha512());
    }
    // The same bytes under a plain tag answer sha256.
    bench.admin.put_manifest(&bench.repository, "plain", &manifest).is(201);
    let plain = bench.admin.head(&bench.path("manifests/plain")).is(200);
    assert_eq!(plain.must("docker-content-digest"), manifest.digest());
}

/// QUIRK. A docker schema 1 manifest is refused with a 4xx that says so.
#[test]
fn w28_schema1() {
    let bench = bench();
    let body = json!({
        "schemaVersion": 1, "name": "old", "tag": "latest", "architecture": "amd64",
        "fsLayers": [{"blobSum": digest(b"layer")}], "history": [{"v1Compatibility": "{}"}],
    });
    for media_type in [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ] {
        put(&bench, "latest", media_type, body.to_string().as_bytes()).refused().code("MANIFEST_INVALID");
    }
}

/// SHOULD. A descriptor whose size lies about its blob is refused, or kept exactly as pushed.
#[test]
fn w29_lying_size() {
    let (bench, manifest) = with_blobs();
    let lying = altered(&manifest, |value| value["layers"][0]["size"] = 1.into());
    let response = bench.admin.put_manifest(&bench.repository, "latest", &lying);
    if response.status == 201 {
        assert_eq!(bench.admin.get(&bench.path("manifests/latest")).is(200).body, lying.bytes);
    } else {
        response.refused().error();
    }
    for size in [json!(-1), json!(1.5), json!("1")] {
        let bad = altered(&manifest, |value| value["layers"][0]["size"] = size);
        bench.admin.put_manifest(&bench.repository, "latest", &bad).refused().code("MANIFEST_INVALID");
    }
}
