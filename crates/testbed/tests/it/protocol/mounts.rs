//! Rows M: mounting blobs from other repositories.

use hythe_testbed::{digest, location_path, noise};

use super::uploads::check_blob;
use crate::bench::{Bench, bench};

/// A blob that lies in another repository of the same project.
fn blob_elsewhere(bench: &Bench) -> (String, String, Vec<u8>) {
    let source = format!("{}/source", bench.project);
    let bytes = noise(&bench.project, 10_000);
    let digest = bench.admin.push_blob(&source, &bytes);
    (source, digest, bytes)
}

/// MUST. Mounting from another repository: 201, and the blob can be pulled from the `Location`.
#[test]
fn m01_mount() {
    let bench = bench();
    let (source, digest, bytes) = blob_elsewhere(&bench);
    let mounted =
        bench.admin.post(&bench.path(&format!("blobs/uploads/?mount={digest}&from={source}"))).is(201);
    assert_eq!(location_path(&mounted), bench.path(&format!("blobs/{digest}")));
    assert_eq!(bench.admin.get(&location_path(&mounted)).is(200).body, bytes);
}

/// MUST. Mounting a blob that is nowhere: 202 with an upload session that works.
#[test]
fn m02_mount_of_nothing() {
    let bench = bench();
    let bytes = noise("m02", 3000);
    let target = bench.path(&format!("blobs/uploads/?mount={}&from={}", digest(&bytes), bench.project));
    let opened = bench.admin.post(&target).is(202);
    bench.admin.close_upload(&location_path(&opened), &digest(&bytes), &bytes).is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// MAY. Mounting without `from`: 201 for whoever can read the blob elsewhere, 202 for everybody else.
#[test]
fn m03_anonymous_mount() {
    let bench = bench();
    let (_, digest, bytes) = blob_elsewhere(&bench);
    bench.admin.post(&bench.path(&format!("blobs/uploads/?mount={digest}"))).is(201);
    check_blob(&bench, &digest, &bytes);
    // Whoever cannot read the source gets a session, and learns nothing.
    let stranger = bench.stranger();
    let own = format!("{}-own", bench.project);
    stranger
        .actor
        .post_json("/api/v1/projects", &serde_json::json!({"name": own, "visibility": "private"}))
        .is(201);
    let path = format!("/v2/{own}/repo/blobs/uploads/?mount={digest}");
    stranger.actor.post(&path).is(202);
    stranger.actor.post(&format!("{path}&from={}", bench.repository)).is(202);
    stranger.actor.head(&format!("/v2/{own}/repo/blobs/{digest}")).is(404);
}

/// MUST. Mounting an unknown digest without `from`: 202.
#[test]
fn m04_anonymous_mount_of_nothing() {
    let bench = bench();
    let path = bench.path(&format!("blobs/uploads/?mount={}", digest(b"m04 is nowhere")));
    let opened = bench.admin.post(&path).is(202);
    assert!(location_path(&opened).starts_with(&bench.path("blobs/uploads/")));
}

/// MUST. A blob of one repository is not served under another's path.
#[test]
fn m05_blobs_belong_to_repositories() {
    let bench = bench();
    let (_, digest, _) = blob_elsewhere(&bench);
    bench.admin.push_blob(&bench.repository, b"something else");
    bench.admin.get(&bench.path(&format!("blobs/{digest}"))).is(404).code("BLOB_UNKNOWN");
    bench.admin.head(&bench.path(&format!("blobs/{digest}"))).is(404);
}

/// QUIRK. A mount with the further parameter `origin` is accepted (crane).
#[test]
fn m06_origin_parameter() {
    let bench = bench();
    let (source, digest, _) = blob_elsewhere(&bench);
    let path = format!("blobs/uploads/?mount={digest}&from={source}&origin={}", bench.server.host());
    bench.admin.post(&bench.path(&path)).is(201);
}

/// QUIRK. A mount by a plain member of both repositories really mounts (docker, podman, containerd, crane).
#[test]
fn m07_mount_by_member() {
    let bench = bench();
    let (source, digest, _) = blob_elsewhere(&bench);
    let member = bench.member(hythe_testbed::Role::Pusher);
    member.actor.post(&bench.path(&format!("blobs/uploads/?mount={digest}&from={source}"))).is(201);
    member.actor.head(&bench.path(&format!("blobs/{digest}"))).is(200);
}
