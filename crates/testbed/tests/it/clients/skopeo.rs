//! skopeo.

use std::path::Path;

use hythe_testbed::{
    Content, Family, Packing, Tool, artifact, docker_archive, layout_folder, run_folder, tools,
};

use super::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, SBOM, Scene, below, blobs};
use crate::bench::Person;

const PUSH: &str = "--dest-tls-verify=false";
const PULL: &str = "--src-tls-verify=false";

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let skopeo = tools::skopeo()?;
    skopeo
        .run_with(
            &["login", "--tls-verify=false", "--username", &person.name, "--password-stdin", &scene.host()],
            &person.password,
        )
        .ok();
    Some(skopeo)
}

fn remote(scene: &Scene, tag: &str) -> String {
    format!("docker://{}", scene.tagged(tag))
}

fn layout(folder: &Path, tag: &str) -> String {
    format!("oci:{}:{tag}", folder.display())
}

/// Pulls a tag into a fresh layout, everything included, and returns the digest found there.
fn pulled(skopeo: &Tool, scene: &Scene, tag: &str) -> String {
    let folder = run_folder::fresh("pulled");
    skopeo.run(&["copy", "--all", PULL, &remote(scene, tag), &layout(&folder, "back")]).ok();
    let index: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    index["manifests"][0]["digest"].as_str().unwrap().to_owned()
}

/// Pushes a layout's root and insists on the same digest at both ends.
fn round_trip(root: &Content, rest: &[&Content]) {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let folder = layout_folder(&[("v1", root)], rest);
    let copy = ["copy", "--all", "--preserve-digests", PUSH, &layout(&folder, "v1"), &remote(&scene, "v1")];
    skopeo.run(&copy).ok();
    assert_eq!(scene.whole("v1")["mediaType"], root.media_type);
    assert_eq!(pulled(&skopeo, &scene, "v1"), root.digest());
}

#[test]
fn push_and_pull_docker_image() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let archive = docker_archive(&scene.image(Family::Docker, Packing::Plain), "some:tag");
    let source = format!("docker-archive:{}", archive.display());
    skopeo.run(&["copy", "--format", "v2s2", PUSH, &source, &remote(&scene, "v1")]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], DOCKER_MANIFEST);
    let back = format!("docker-archive:{}:some:tag", run_folder::fresh("back").join("back.tar").display());
    skopeo.run(&["copy", PULL, &remote(&scene, "v1"), &back]).ok();
}

#[test]
fn push_and_pull_oci_image() {
    let image = hythe_testbed::image(Family::Oci, Packing::Gzip, "skopeo", "amd64");
    round_trip(&image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_multi_platform_index() {
    let of = |architecture| hythe_testbed::image(Family::Oci, Packing::Gzip, "skopeo index", architecture);
    let index = hythe_testbed::index(Family::Oci, vec![of("amd64"), of("arm64")]);
    assert_eq!(index.manifest.media_type, OCI_INDEX);
    round_trip(&index.manifest, &below(&index));
}

#[test]
fn push_and_pull_zstd_layers() {
    let image = hythe_testbed::image(Family::Oci, Packing::Zstd, "skopeo zstd", "amd64");
    round_trip(&image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_artifact_with_subject() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let subject = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let artifact = artifact(SBOM, Some(&subject.manifest), "packages");
    let folder = layout_folder(&[("sbom", &artifact.manifest)], &blobs(&artifact));
    let copy = ["copy", "--preserve-digests", PUSH, &layout(&folder, "sbom"), &remote(&scene, "sbom")];
    skopeo.run(&copy).ok();
    assert_eq!(scene.whole("sbom")["mediaType"], OCI_MANIFEST);
    assert_eq!(scene.referrers(&subject.manifest.digest())[0]["digest"], artifact.manifest.digest());
    assert_eq!(pulled(&skopeo, &scene, "sbom"), artifact.manifest.digest());
}

#[test]
fn list_inspect_and_delete() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let image = scene.put_image("one", Family::Oci, Packing::Gzip);
    let repository = format!("docker://{}", scene.repository());
    skopeo.run(&["list-tags", "--tls-verify=false", &repository]).ok().says("\"one\"");
    skopeo
        .run(&["inspect", "--tls-verify=false", &remote(&scene, "one")])
        .ok()
        .says(&image.manifest.digest());
    skopeo.run(&["delete", "--tls-verify=false", &remote(&scene, "one")]).ok();
    scene.gone("one");
    scene.gone(&image.manifest.digest());
}

#[test]
fn copy_between_repositories_mounts() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let image = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let target = format!("{}-copy", scene.bench.repository);
    let name = format!("docker://{}/{target}:v1", scene.host());
    skopeo.run(&["copy", PULL, PUSH, &remote(&scene, "v1"), &name]).ok();
    let copied = super::whole(&scene.bench.admin, &target, "v1");
    assert_eq!(copied["config"]["digest"], image.blobs[0].digest());
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(skopeo) = tools::skopeo() else { return };
    let login =
        ["login", "--tls-verify=false", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    skopeo.run_with(&login, "wrong").refused().says("invalid username/password");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.reader) else { return };
    let image = scene.image(Family::Oci, Packing::Gzip);
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let copy = ["copy", PUSH, &layout(&folder, "v1"), &remote(&scene, "v1")];
    skopeo.run(&copy).refused().says(&scene.refused_push());
    scene.gone("v1");
}

#[test]
fn pushing_again_heals_a_damaged_layer() {
    let scene = Scene::new();
    let Some(skopeo) = signed_in(&scene, &scene.owner) else { return };
    let image = scene.image(Family::Oci, Packing::Gzip);
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let push = ["copy", PUSH, &layout(&folder, "v1"), &remote(&scene, "v1")];
    skopeo.run(&push).ok();
    scene.damage("v1");
    let into = layout(&run_folder::fresh("pulled"), "back");
    skopeo.run(&["copy", PULL, &remote(&scene, "v1"), &into]).refused();
    skopeo.run(&push).ok();
    scene.whole("v1");
    skopeo.run(&["copy", PULL, &remote(&scene, "v1"), &into]).ok();
}
