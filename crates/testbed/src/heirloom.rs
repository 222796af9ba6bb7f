//! A small registry that one version writes and every later one must open: a user, a private project, images, a
//! deleted tag and an upload in the middle.
//!
//! `fixtures/` keeps one packed data folder for each earlier schema; `examples/heirloom.rs` writes them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::actor::Actor;
use crate::content::{Family, Image, Packing, digest, image, noise};
use crate::http::Body;
use crate::hythe::{Hythe, Role, Visibility};
use crate::run_folder;

const REPOSITORY: &str = "lab/app";
const USER: (&str, &str) = ("ada", "a-password-that-is-kept");
const TAGS: [(&str, &str); 2] = [("v1", "one"), ("v2", "two")];
const DELETED: &str = "gone";
const UPLOAD: &str = "upload";

fn sample(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

fn large() -> Vec<u8> {
    noise("left in the middle", 24 << 10)
}

/// Fills a fresh registry, and stops it.
#[track_caller]
pub fn fill(server: &mut Hythe) {
    server.create_project("lab", Visibility::Private);
    let user = server.create_user(USER.0, USER.1);
    server.add_member("lab", USER.0, Role::Owner);
    for (tag, seed) in TAGS {
        user.push_image(REPOSITORY, tag, &sample(seed));
    }
    user.push_image(REPOSITORY, DELETED, &sample("two"));
    user.delete(&format!("/v2/{REPOSITORY}/manifests/{DELETED}")).is(202);
    let location = user.open_upload(REPOSITORY);
    let half = large()[..10 << 10].to_vec();
    user.ask("PATCH", &location).body(Body::Whole(half)).send().is(202);
    std::fs::write(server.data_folder().join(UPLOAD), location).expect("the run folder is writable");
    assert_eq!(server.stop(), 0, "{}", server.log());
}

/// Everything that [`fill`] left is there and can be gone on with.
#[track_caller]
pub fn found(server: &Hythe) {
    server.anonymous().get(&format!("/v2/{REPOSITORY}/manifests/v1")).is(401);
    let user = Actor::basic(server.addr(), USER.0, USER.1);
    for (tag, seed) in TAGS {
        let image = sample(seed);
        let manifest = user.get(&format!("/v2/{REPOSITORY}/manifests/{tag}")).is(200);
        assert!(manifest.body == image.manifest.bytes, "the manifest of {tag} has other bytes");
        for blob in &image.blobs {
            let answer = user.get(&format!("/v2/{REPOSITORY}/blobs/{}", blob.digest())).is(200);
            assert!(answer.body == blob.bytes, "a blob of {tag} has other bytes");
        }
    }
    user.get(&format!("/v2/{REPOSITORY}/manifests/{DELETED}")).is(404);
    user.push_image(REPOSITORY, "v3", &sample("three"));
}

/// The upload that [`fill`] left goes on where it stood. Works once.
#[track_caller]
pub fn finish_upload(server: &Hythe) {
    let user = Actor::basic(server.addr(), USER.0, USER.1);
    let location = std::fs::read_to_string(server.data_folder().join(UPLOAD)).expect("fill noted it");
    let bytes = large();
    assert_eq!(user.get(&location).is(204).must("range"), format!("0-{}", (10 << 10) - 1));
    user.close_upload(&location, &digest(&bytes), &bytes[10 << 10..]).is(201);
    assert!(user.get(&format!("/v2/{REPOSITORY}/blobs/{}", digest(&bytes))).is(200).body == bytes);
}

/// Where the packed data folder of this schema lies.
pub fn fixture(schema: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("{schema}.tar.gz"))
}

/// Packs the data folder of a stopped server.
///
/// # Panics
/// If `tar` cannot.
pub fn pack(server: &Hythe, schema: &str) {
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "-czf"]).arg(fixture(schema));
    tar.arg("-C").arg(server.data_folder()).args(["--exclude=./lock", "--exclude=./hythe.sock", "."]);
    run(tar);
}

/// Unpacks a fixture into a fresh folder.
///
/// # Panics
/// If `tar` cannot.
pub fn unpack(schema: &str) -> PathBuf {
    let folder = run_folder::fresh("heirloom");
    let mut tar = Command::new("tar");
    tar.arg("-xzf").arg(fixture(schema)).arg("-C").arg(&folder);
    run(tar);
    folder
}

fn run(mut tar: Command) {
    let outcome = tar.output().expect("tar starts");
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
}
