//! containerd's `ctr`: no login of its own, the credentials come with each command; no remote list or delete.

use hythe_testbed::{Content, Family, Packing, artifact, layout_tar, tools};

use super::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, SBOM, Scene, below, blobs};
use crate::bench::Person;

fn login(person: &Person) -> String {
    format!("{}:{}", person.name, person.password)
}

/// About once in a thousand pushes `ctr` 1.6 fails to read a blob out of containerd's own store, over
/// containerd's socket: a fault of theirs (containerd issue 5734), which other registries see as well. An error
/// that a registry answers is no `rpc error`, so a second push here hides nothing of ours.
const OWN_STORE_UNREADABLE: &str = "rpc error: code = Internal desc = unexpected EOF";

/// Imports a layout under the tag's full name, pushes it, removes it and pulls it back.
fn round_trip(scene: &Scene, root: &Content, rest: &[&Content]) {
    let Some(ctr) = tools::ctr() else { return };
    let tar = layout_tar(&[("v1", root)], rest);
    let (name, user) = (scene.tagged("v1"), login(&scene.owner));
    let import = ["images", "import", "--no-unpack", "--all-platforms", "--base-name", &scene.repository()];
    ctr.run(&[&import[..], &[tar.to_str().unwrap()]].concat()).ok();
    let push = ["images", "push", "--plain-http", "--user", &user, &name];
    let mut pushed = ctr.run(&push);
    if pushed.stderr.contains(OWN_STORE_UNREADABLE) {
        pushed = ctr.run(&push);
    }
    pushed.ok();
    assert_eq!(scene.whole("v1")["mediaType"], root.media_type);
    ctr.run(&["images", "remove", "--sync", &name]).ok();
    ctr.run(&["content", "fetch", "--plain-http", "--all-platforms", "--user", &user, &name]).ok();
    ctr.run(&["images", "list"]).ok().says(&root.digest());
}

#[test]
fn push_and_pull_docker_image() {
    let scene = Scene::new();
    let image = scene.image(Family::Docker, Packing::Gzip);
    assert_eq!(image.manifest.media_type, DOCKER_MANIFEST);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_oci_image() {
    let scene = Scene::new();
    let image = scene.image(Family::Oci, Packing::Gzip);
    assert_eq!(image.manifest.media_type, OCI_MANIFEST);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_multi_platform_index() {
    let scene = Scene::new();
    let index = scene.index(Family::Oci);
    assert_eq!(index.manifest.media_type, OCI_INDEX);
    round_trip(&scene, &index.manifest, &below(&index));
}

#[test]
fn push_and_pull_zstd_layers() {
    let scene = Scene::new();
    let image = scene.image(Family::Oci, Packing::Zstd);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn pull_and_unpack() {
    let scene = Scene::new();
    let Some(ctr) = tools::ctr() else { return };
    scene.put_image("v1", Family::Oci, Packing::Zstd);
    let user = login(&scene.reader);
    ctr.run(&["images", "pull", "--plain-http", "--user", &user, &scene.tagged("v1")]).ok().says("unpacking");
    ctr.run(&["images", "remove", "--sync", &scene.tagged("v1")]).ok();
}

#[test]
fn pull_artifact_with_subject() {
    let scene = Scene::new();
    let Some(ctr) = tools::ctr() else { return };
    let subject = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let artifact = artifact(SBOM, Some(&subject.manifest), "packages");
    scene.bench.admin.push_image(&scene.bench.repository, "sbom", &artifact);
    let user = login(&scene.reader);
    ctr.run(&["content", "fetch", "--plain-http", "--user", &user, &scene.tagged("sbom")]).ok();
    ctr.run(&["content", "list"]).ok().says(&artifact.blobs[1].digest());
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(ctr) = tools::ctr() else { return };
    scene.put_image("v1", Family::Oci, Packing::Gzip);
    let user = format!("{}:wrong", scene.owner.name);
    ctr.run(&["images", "pull", "--plain-http", "--user", &user, &scene.tagged("v1")]).refused().says("401");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(ctr) = tools::ctr() else { return };
    let image = scene.image(Family::Oci, Packing::Gzip);
    let tar = layout_tar(&[("v1", &image.manifest)], &blobs(&image));
    let name = scene.tagged("v1");
    ctr.run(&["images", "import", "--no-unpack", "--base-name", &scene.repository(), tar.to_str().unwrap()])
        .ok();
    let outcome = ctr.run(&["images", "push", "--plain-http", "--user", &login(&scene.reader), &name]);
    outcome.refused().says(&scene.refused_push());
    scene.gone("v1");
}
