//! buildah: what it builds from scratch, pushed and pulled.

use hythe_testbed::{Family, Packing, Tool, tools};

use super::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Scene};
use crate::bench::Person;

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let buildah = tools::buildah()?;
    buildah
        .run_with(
            &["login", "--tls-verify=false", "--username", &person.name, "--password-stdin", &scene.host()],
            &person.password,
        )
        .ok()
        .says("login succeeded");
    Some(buildah)
}

/// Builds a one-layer image of this scene under `name`.
fn build(buildah: &Tool, scene: &Scene, format: &str, name: &str) {
    let file = buildah.home().join("content");
    std::fs::write(&file, hythe_testbed::noise(&scene.bench.project, 50_000)).unwrap();
    let container = buildah.run(&["from", "scratch"]).ok().stdout.trim().to_owned();
    buildah.run(&["add", &container, file.to_str().unwrap(), "/content"]).ok();
    buildah.run(&["commit", "--rm", "--format", format, &container, name]).ok();
}

fn round_trip(format: &str, more: &[&str], media_type: &str) {
    let scene = Scene::new();
    let Some(buildah) = signed_in(&scene, &scene.owner) else { return };
    let name = scene.tagged("v1");
    build(&buildah, &scene, format, &name);
    let push = [&["push", "--tls-verify=false"], more, &[name.as_str()]].concat();
    buildah.run(&push).ok();
    assert_eq!(scene.whole("v1")["mediaType"], media_type);
    buildah.run(&["rmi", &name]).ok();
    buildah.run(&["pull", "--tls-verify=false", &name]).ok();
}

#[test]
fn push_and_pull_docker_image() {
    round_trip("docker", &["--format", "v2s2"], DOCKER_MANIFEST);
}

#[test]
fn push_and_pull_oci_image() {
    round_trip("oci", &["--format", "oci"], OCI_MANIFEST);
}

#[test]
fn pull_zstd_layers() {
    let scene = Scene::new();
    let Some(buildah) = signed_in(&scene, &scene.reader) else { return };
    let image = scene.put_image("v1", Family::Oci, Packing::Zstd);
    let id = buildah.run(&["pull", "--quiet", "--tls-verify=false", &scene.tagged("v1")]).ok().stdout;
    assert_eq!(format!("sha256:{}", id.trim()), image.blobs[0].digest());
}

#[test]
fn push_multi_platform_index() {
    let scene = Scene::new();
    let Some(buildah) = signed_in(&scene, &scene.owner) else { return };
    scene.put_index("source", Family::Oci);
    buildah.run(&["manifest", "create", "list"]).ok();
    let source = format!("docker://{}", scene.tagged("source"));
    buildah.run(&["manifest", "add", "--tls-verify=false", "--all", "list", &source]).ok();
    let target = format!("docker://{}", scene.tagged("pushed"));
    buildah
        .run(&["manifest", "push", "--tls-verify=false", "--all", "--format", "oci", "list", &target])
        .ok();
    let pushed = scene.whole("pushed");
    assert_eq!(pushed["mediaType"], OCI_INDEX);
    assert_eq!(pushed["manifests"].as_array().unwrap().len(), 2);
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(buildah) = tools::buildah() else { return };
    let login =
        ["login", "--tls-verify=false", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    buildah.run_with(&login, "wrong").refused().says("invalid username/password");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(buildah) = signed_in(&scene, &scene.reader) else { return };
    let name = scene.tagged("v1");
    build(&buildah, &scene, "oci", &name);
    buildah.run(&["push", "--tls-verify=false", &name]).refused().says(&scene.refused_push());
    scene.gone("v1");
}
