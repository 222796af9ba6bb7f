//! Rows D: deletion.

use hythe_testbed::{Content, Image};

use super::{index_of, oci_image};
use crate::bench::{Bench, bench};

fn with_tags(names: &[&str]) -> (Bench, Image) {
    let bench = bench();
    let image = oci_image(&bench.project);
    for name in names {
        bench.admin.push_image(&bench.repository, name, &image);
    }
    (bench, image)
}

fn manifest_path(bench: &Bench, content: &Content) -> String {
    bench.path(&format!("manifests/{}", content.digest()))
}

/// MUST. Deleting a tag: 202; the tag is gone, the manifest stays by digest and by its other tags.
#[test]
fn d01_tag() {
    let (bench, image) = with_tags(&["one", "two"]);
    bench.admin.delete(&bench.path("manifests/one")).is(202);
    bench.admin.get(&bench.path("manifests/one")).is(404).code("MANIFEST_UNKNOWN");
    bench.admin.get(&bench.path("manifests/two")).is(200);
    bench.admin.get(&manifest_path(&bench, &image.manifest)).is(200);
}

/// MUST. Deleting a manifest by digest: 202; digest and tags are gone, from the list too.
#[test]
fn d02_digest() {
    let (bench, image) = with_tags(&["one", "two"]);
    bench.admin.delete(&manifest_path(&bench, &image.manifest)).is(202);
    for path in
        [manifest_path(&bench, &image.manifest), bench.path("manifests/one"), bench.path("manifests/two")]
    {
        bench.admin.get(&path).is(404);
        bench.admin.head(&path).is(404);
    }
    let list = bench.admin.get(&bench.path("tags/list")).is(200).json();
    assert_eq!(list["tags"], serde_json::json!([]));
}

/// MUST. Deleting a blob: 202, and it is gone at once.
#[test]
fn d03_blob() {
    let bench = bench();
    let digest = bench.admin.push_blob(&bench.repository, b"d03");
    let path = bench.path(&format!("blobs/{digest}"));
    bench.admin.delete(&path).is(202);
    bench.admin.head(&path).is(404);
    bench.admin.get(&path).is(404).code("BLOB_UNKNOWN");
}

/// MUST. Deleting a missing tag, manifest, blob, or in a missing repository: 404.
#[test]
fn d04_missing() {
    let (bench, _) = with_tags(&["one"]);
    let other = oci_image("d04 never pushed").manifest;
    bench.admin.delete(&bench.path("manifests/missing")).is(404).code("MANIFEST_UNKNOWN");
    bench.admin.delete(&manifest_path(&bench, &other)).is(404).code("MANIFEST_UNKNOWN");
    bench.admin.delete(&bench.path(&format!("blobs/{}", other.digest()))).is(404).code("BLOB_UNKNOWN");
    let nowhere = format!("/v2/{}/nowhere", bench.project);
    bench.admin.delete(&format!("{nowhere}/manifests/{}", other.digest())).is(404).error();
    bench.admin.delete(&format!("{nowhere}/blobs/{}", other.digest())).is(404).error();
}

/// MUST. What was deleted can be pushed again at once and pulled.
#[test]
fn d05_again() {
    let (bench, image) = with_tags(&["one"]);
    bench.admin.delete(&manifest_path(&bench, &image.manifest)).is(202);
    for blob in &image.blobs {
        bench.admin.delete(&bench.path(&format!("blobs/{}", blob.digest()))).is(202);
    }
    bench.admin.push_image(&bench.repository, "one", &image);
    assert_eq!(bench.admin.get(&bench.path("manifests/one")).is(200).body, image.manifest.bytes);
    for blob in &image.blobs {
        assert_eq!(
            bench.admin.get(&bench.path(&format!("blobs/{}", blob.digest()))).is(200).body,
            blob.bytes
        );
    }
}

/// QUIRK. Deleting a blob that a manifest still uses is refused with a reason; the image stays whole.
#[test]
fn d06_blob_in_use() {
    let (bench, image) = with_tags(&["one"]);
    let path = bench.path(&format!("blobs/{}", image.blobs[1].digest()));
    let response = bench.admin.delete(&path).refused();
    response.error();
    assert_eq!(bench.admin.get(&path).is(200).body, image.blobs[1].bytes);
}

/// QUIRK. Deleting a child of an index is refused with a reason; the index stays whole.
#[test]
fn d07_child_of_an_index() {
    let (bench, image) = with_tags(&["child"]);
    let index = index_of(&[image.manifest.descriptor()]);
    bench.admin.put_manifest(&bench.repository, "index", &index).is(201);
    bench.admin.delete(&manifest_path(&bench, &image.manifest)).refused().error();
    bench.admin.get(&manifest_path(&bench, &image.manifest)).is(200);
    // The index goes first, then its child may go.
    bench.admin.delete(&manifest_path(&bench, &index)).is(202);
    bench.admin.delete(&manifest_path(&bench, &image.manifest)).is(202);
}
