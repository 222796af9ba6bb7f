//! The process ends as by kill -9 at each durable step; whatever was acknowledged before is still
//! there afterwards, byte for byte, and the interrupted work can be done again.
//!
//! The points are the fail points of the store (feature `failpoints`), armed by `HYTHE_FAILPOINTS`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use hythe_testbed::http::Response;
use hythe_testbed::{Actor, Family, Hythe, Image, Options, Packing, Visibility, image};

const REPOSITORY: &str = "lab/app";

fn armed(point: &str, pass: u32) -> Options {
    let value = format!("{point}=abort({pass})");
    Options { environment: vec![("HYTHE_FAILPOINTS".to_owned(), value)], ..Options::default() }
}

fn start() -> Hythe {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Private);
    server
}

fn sample(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

/// What a client was told is done.
#[derive(Default)]
struct Acknowledged {
    blobs: Vec<(String, Vec<u8>)>,
    tags: Vec<(String, Vec<u8>)>,
    deleted: Vec<String>,
}

/// The answer, or `None` if the server died before it.
fn survives(ask: impl FnOnce() -> Response) -> Option<Response> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

/// Pushes images, moves and deletes a tag, until done or until the server dies; records every
/// acknowledgement.
fn work(admin: &Actor, done: &mut Acknowledged) -> Option<()> {
    for seed in ["one", "two"] {
        let image = sample(seed);
        for blob in &image.blobs {
            let opened = survives(|| admin.post(&format!("/v2/{REPOSITORY}/blobs/uploads/")).is(202))?;
            let location = hythe_testbed::location_path(&opened);
            survives(|| admin.close_upload(&location, &blob.digest(), &blob.bytes).is(201))?;
            done.blobs.push((blob.digest(), blob.bytes.clone()));
        }
        survives(|| admin.put_manifest(REPOSITORY, "moving", &image.manifest).is(201))?;
        done.tags.retain(|(tag, _)| tag != "moving");
        done.tags.push(("moving".to_owned(), image.manifest.bytes.clone()));
        survives(|| admin.put_manifest(REPOSITORY, seed, &image.manifest).is(201))?;
        done.tags.push((seed.to_owned(), image.manifest.bytes.clone()));
    }
    survives(|| admin.delete(&format!("/v2/{REPOSITORY}/manifests/one")).is(202))?;
    done.tags.retain(|(tag, _)| tag != "one");
    done.deleted.push("one".to_owned());
    Some(())
}

fn verify(admin: &Actor, done: &Acknowledged, interrupted_tag: Option<&str>) {
    for (digest, bytes) in &done.blobs {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200);
        assert!(answer.body == *bytes, "blob {digest} came back changed");
    }
    for (tag, bytes) in &done.tags {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/manifests/{tag}")).is(200);
        // The interrupted operation may have taken place: a tag is the old one or the new one.
        let moved = interrupted_tag == Some(tag) && answer.body != *bytes;
        assert!(moved || answer.body == *bytes, "tag {tag} came back changed");
    }
    for tag in &done.deleted {
        admin.get(&format!("/v2/{REPOSITORY}/manifests/{tag}")).is(404);
    }
}

/// Runs `hythe fsck` on the stopped server's folder.
fn sound(server: &Hythe) {
    let outcome = Command::new(Hythe::binary())
        .args(["fsck", "--data-dir"])
        .arg(server.data_folder())
        .output()
        .expect("the binary starts");
    let said =
        String::from_utf8_lossy(&outcome.stderr).into_owned() + &String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "fsck: {said}");
}

/// Dies at the point on each of its first passes; every time, what was acknowledged must hold and
/// the whole work must succeed when done again.
fn dies_at(point: &str, passes: u32) {
    for pass in 1..=passes {
        let mut server = start();
        server.stop();
        server.restart_with(armed(point, pass));
        let mut done = Acknowledged::default();
        let finished = work(&server.admin(), &mut done);
        assert!(finished.is_none(), "{point} was not passed {pass} times");
        server.wait_for_end();
        sound(&server);
        server.restart_with(Options::default());
        let admin = server.admin();
        verify(&admin, &done, Some("moving"));
        work(&admin, &mut done).expect("the server lives");
        verify(&admin, &done, None);
        server.stop();
        sound(&server);
    }
}

#[test]
fn while_a_blob_is_written() {
    dies_at("blob-write", 2);
}

#[test]
fn before_a_blob_is_synced() {
    dies_at("blob-before-sync", 2);
}

#[test]
fn before_a_blob_is_renamed() {
    dies_at("blob-before-rename", 2);
}

#[test]
fn after_a_blob_is_renamed() {
    dies_at("blob-after-rename", 2);
}

#[test]
fn after_the_directory_is_synced() {
    dies_at("blob-after-dirsync", 2);
}

#[test]
fn before_records_commit() {
    // Sessions, blobs, manifests and the deleted tag: each kind of commit is cut once.
    dies_at("records-before-commit", 9);
}

#[test]
fn after_records_commit() {
    dies_at("records-after-commit", 9);
}

/// Dies while the collector removes a deleted image's blobs.
fn dies_collecting(point: &str) {
    let mut server = start();
    let admin = server.admin();
    let (kept, dropped) = (sample("kept"), sample("dropped"));
    admin.push_image(REPOSITORY, "kept", &kept);
    admin.push_image(REPOSITORY, "dropped", &dropped);
    admin.delete(&format!("/v2/{REPOSITORY}/manifests/{}", dropped.manifest.digest())).is(202);
    server.stop();
    let collect = |failpoints: Option<&str>| {
        let mut command = Command::new(Hythe::binary());
        command.args(["gc", "--grace-minutes", "0", "--data-dir"]).arg(server.data_folder());
        if let Some(points) = failpoints {
            command.env("HYTHE_FAILPOINTS", points);
        }
        command.output().expect("the binary starts")
    };
    let died = collect(Some(&format!("{point}=abort(1)")));
    assert!(died.status.code().is_none(), "{point} is not passed: {died:?}");
    sound(&server);
    // What the crash left owing is paid by the next run.
    let collected = collect(None);
    assert!(collected.status.success(), "{collected:?}");
    sound(&server);
    server.restart();
    let admin = server.admin();
    for blob in &kept.blobs {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/blobs/{}", blob.digest())).is(200);
        assert!(answer.body == blob.bytes, "a kept blob came back changed");
    }
    let left = blob_files(&server.data_folder().join("blobs"));
    assert_eq!(left, kept.blobs.len(), "the dropped image's files are gone");
    admin.push_image(REPOSITORY, "dropped", &dropped);
}

fn blob_files(folder: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| if path.is_dir() { blob_files(&path) } else { 1 })
        .sum()
}

#[test]
fn before_a_blob_is_unlinked() {
    dies_collecting("blob-before-unlink");
}

#[test]
fn after_a_blob_is_unlinked() {
    dies_collecting("blob-after-unlink");
}

#[test]
fn an_upload_goes_on_after_kill() {
    let mut server = start();
    let bytes = hythe_testbed::noise("resumed", 3 << 20);
    let digest = hythe_testbed::digest(&bytes);
    let (first, second) = bytes.split_at(2 << 20);
    let admin = server.admin();
    let location = admin.open_upload(REPOSITORY);
    let patched =
        admin.ask("PATCH", &location).body(hythe_testbed::http::Body::Whole(first.to_vec())).send().is(202);
    assert_eq!(patched.must("range"), format!("0-{}", first.len() - 1));
    server.kill();
    server.restart();
    let admin = server.admin();
    assert_eq!(admin.get(&location).is(204).must("range"), format!("0-{}", first.len() - 1));
    admin.close_upload(&location, &digest, second).is(201);
    assert!(admin.get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200).body == bytes);
}
