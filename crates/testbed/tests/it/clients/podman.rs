//! podman with its vfs store.

use hythe_testbed::{Family, Packing, Tool, docker_archive, tools};

use super::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Scene};
use crate::bench::Person;

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let podman = tools::podman()?;
    podman
        .run_with(
            &["login", "--tls-verify=false", "--username", &person.name, "--password-stdin", &scene.host()],
            &person.password,
        )
        .ok()
        .says("login succeeded");
    Some(podman)
}

/// Loads an image of this scene under `name`.
fn load(podman: &Tool, scene: &Scene, name: &str) {
    let archive = docker_archive(&scene.image(Family::Docker, Packing::Plain), name);
    podman.run(&["load", "--input", archive.to_str().unwrap()]).ok();
}

fn id(podman: &Tool, name: &str) -> String {
    podman.run(&["image", "inspect", "--format", "{{.Id}}", name]).ok().stdout.trim().to_owned()
}

/// Pushes in one format, removes, pulls back.
fn round_trip(format: &[&str], media_type: &str) {
    let scene = Scene::new();
    let Some(podman) = signed_in(&scene, &scene.owner) else { return };
    let name = scene.tagged("v1");
    load(&podman, &scene, &name);
    let push = [&["push", "--tls-verify=false"], format, &[name.as_str()]].concat();
    podman.run(&push).ok();
    let manifest = scene.whole("v1");
    assert_eq!(manifest["mediaType"], media_type);
    if format.contains(&"zstd") {
        assert!(manifest["layers"][0]["mediaType"].as_str().unwrap().ends_with("+zstd"), "{manifest}");
    }
    podman.run(&["rmi", &name]).ok();
    podman.run(&["pull", "--tls-verify=false", &name]).ok();
    let config = manifest["config"]["digest"].as_str().unwrap();
    assert_eq!(format!("sha256:{}", id(&podman, &name)), config);
}

#[test]
fn push_and_pull_docker_image() {
    round_trip(&["--format", "v2s2"], DOCKER_MANIFEST);
}

#[test]
fn push_and_pull_oci_image() {
    round_trip(&["--format", "oci"], OCI_MANIFEST);
}

#[test]
fn push_and_pull_zstd_layers() {
    round_trip(&["--format", "oci", "--compression-format", "zstd"], OCI_MANIFEST);
}

#[test]
fn push_and_pull_multi_platform_index() {
    let scene = Scene::new();
    let Some(podman) = signed_in(&scene, &scene.owner) else { return };
    let index = scene.put_index("source", Family::Oci);
    podman.run(&["manifest", "create", "list"]).ok();
    let source = format!("docker://{}", scene.tagged("source"));
    podman.run(&["manifest", "add", "--tls-verify=false", "--all", "list", &source]).ok();
    let target = format!("docker://{}", scene.tagged("pushed"));
    podman.run(&["manifest", "push", "--tls-verify=false", "--all", "--format", "oci", "list", &target]).ok();
    let pushed = scene.whole("pushed");
    assert_eq!(pushed["mediaType"], OCI_INDEX);
    assert_eq!(pushed["manifests"].as_array().unwrap().len(), 2);
    podman.run(&["pull", "--tls-verify=false", "--arch", "arm64", &scene.tagged("pushed")]).ok();
    let config = index.images[1].blobs[0].digest();
    assert_eq!(format!("sha256:{}", id(&podman, &scene.tagged("pushed"))), config);
}

#[test]
fn list_tags() {
    let scene = Scene::new();
    let Some(podman) = signed_in(&scene, &scene.reader) else { return };
    for tag in ["one", "two"] {
        scene.put_image(tag, Family::Oci, Packing::Gzip);
    }
    let list = podman.run(&["search", "--tls-verify=false", "--list-tags", &scene.repository()]).ok();
    list.says("one").says("two");
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(podman) = tools::podman() else { return };
    let login =
        ["login", "--tls-verify=false", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    podman.run_with(&login, "wrong").refused().says("invalid username/password");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(podman) = signed_in(&scene, &scene.reader) else { return };
    let name = scene.tagged("v1");
    load(&podman, &scene, &name);
    podman.run(&["push", "--tls-verify=false", &name]).refused().says(&scene.refused_push());
    scene.gone("v1");
}

#[test]
fn pushing_again_heals_a_damaged_layer() {
    let scene = Scene::new();
    let Some(podman) = signed_in(&scene, &scene.owner) else { return };
    let name = scene.tagged("v1");
    load(&podman, &scene, &name);
    podman.run(&["push", "--tls-verify=false", &name]).ok();
    scene.damage("v1");
    // Nobody has read the layer since, but its file does not look as it did: the push finds out.
    podman.run(&["push", "--tls-verify=false", &name]).ok();
    scene.whole("v1");
    podman.run(&["rmi", "--force", &name]).ok();
    podman.run(&["pull", "--tls-verify=false", &name]).ok();
}
