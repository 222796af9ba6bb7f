//! docker: the engine's own pushes are docker schema 2; it has no command to list tags or delete remotely.

use hythe_testbed::{Docker, Family, Packing, Tool, docker_archive};

use super::{DOCKER_MANIFEST, Scene};
use crate::bench::Person;

fn signed_in(docker: &Docker, scene: &Scene, person: &Person) -> Tool {
    let cli = docker.cli();
    cli.run_with(&["login", "--username", &person.name, "--password-stdin", &scene.host()], &person.password)
        .ok()
        .says("login succeeded");
    cli
}

/// Loads an image of this scene into the engine under `name` and returns its id.
fn load(cli: &Tool, scene: &Scene, name: &str) -> String {
    let archive = docker_archive(&scene.image(Family::Docker, Packing::Plain), name);
    cli.run(&["load", "--input", archive.to_str().unwrap()]).ok();
    id(cli, name)
}

fn id(cli: &Tool, name: &str) -> String {
    cli.run(&["image", "inspect", "--format", "{{.Id}}", name]).ok().stdout
}

#[test]
fn push_and_pull_docker_image() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = signed_in(docker, &scene, &scene.owner);
    let name = scene.tagged("v1");
    let before = load(&cli, &scene, &name);
    cli.run(&["push", &name]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], DOCKER_MANIFEST);
    cli.run(&["rmi", &name]).ok();
    cli.run(&["pull", &name]).ok();
    assert_eq!(id(&cli, &name), before);
    // A second push finds every layer there.
    cli.run(&["tag", &name, &scene.tagged("v2")]).ok();
    cli.run(&["push", &scene.tagged("v2")]).ok().says("layer already exists");
    // Another repository of the project gets the layers mounted.
    let other = format!("{}-other:v1", scene.repository());
    cli.run(&["tag", &name, &other]).ok();
    cli.run(&["push", &other]).ok().says("mounted from");
    cli.run(&["rmi", &name, &scene.tagged("v2"), &other]).ok();
}

#[test]
fn login_keeps_no_password() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = signed_in(docker, &scene, &scene.owner);
    let config = std::fs::read_to_string(cli.home().join(".docker/config.json")).unwrap();
    assert!(config.contains("identitytoken"), "{config}");
    assert!(!config.contains(&scene.owner.password), "{config}");
    cli.run(&["logout", &scene.host()]).ok();
}

#[test]
fn pull_oci_image() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let image = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let cli = signed_in(docker, &scene, &scene.reader);
    cli.run(&["pull", &scene.tagged("v1")]).ok().says(&image.manifest.digest());
    assert_eq!(id(&cli, &scene.tagged("v1")).trim(), image.blobs[0].digest());
    cli.run(&["rmi", &scene.tagged("v1")]).ok();
    let by_digest = format!("{}@{}", scene.repository(), image.manifest.digest());
    cli.run(&["pull", &by_digest]).ok();
    cli.run(&["rmi", &by_digest]).ok();
}

#[test]
fn pull_multi_platform_index() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = signed_in(docker, &scene, &scene.reader);
    for (tag, family) in [("oci", Family::Oci), ("docker", Family::Docker)] {
        let index = scene.put_index(tag, family);
        cli.run(&["pull", "--platform", "linux/amd64", &scene.tagged(tag)])
            .ok()
            .says(&index.manifest.digest());
        assert_eq!(id(&cli, &scene.tagged(tag)).trim(), index.images[0].blobs[0].digest());
        cli.run(&["rmi", &scene.tagged(tag)]).ok();
    }
}

#[test]
fn pull_zstd_layers() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let image = scene.put_image("v1", Family::Oci, Packing::Zstd);
    let cli = signed_in(docker, &scene, &scene.reader);
    let outcome = cli.run(&["pull", &scene.tagged("v1")]);
    // The layers arrive and are verified; engines before 23 cannot unpack zstd, and say so themselves.
    if !outcome.succeeded() {
        outcome.says("Verifying Checksum").says("Download complete").says("invalid tar header");
        return;
    }
    assert_eq!(id(&cli, &scene.tagged("v1")).trim(), image.blobs[0].digest());
    cli.run(&["rmi", &scene.tagged("v1")]).ok();
}

#[test]
fn pull_of_a_public_image_without_login() {
    let Some(docker) = Docker::shared() else { return };
    let bench = crate::bench::public_bench();
    let image = hythe_testbed::image(Family::Oci, Packing::Gzip, &bench.project, "amd64");
    bench.admin.push_image(&bench.repository, "v1", &image);
    let cli = docker.cli();
    let name = format!("{}/{}:v1", bench.server.host(), bench.repository);
    cli.run(&["pull", &name]).ok();
    cli.run(&["rmi", &name]).ok();
}

#[test]
fn wrong_password() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let login = ["login", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    docker.cli().run_with(&login, "wrong").refused().says(&scene.refused_password());
}

#[test]
fn refused_push() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = signed_in(docker, &scene, &scene.reader);
    let name = scene.tagged("v1");
    load(&cli, &scene, &name);
    cli.run(&["push", &name]).refused().says(&scene.refused_push());
    cli.run(&["rmi", &name]).ok();
    scene.gone("v1");
}

#[test]
fn pull_of_a_private_image_without_login() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    scene.put_image("v1", Family::Oci, Packing::Gzip);
    docker.cli().run(&["pull", &scene.tagged("v1")]).refused();
}
