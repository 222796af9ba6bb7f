//! crane.

use hythe_testbed::{
    Content, Family, Packing, Tool, artifact, docker_archive, layout_folder, run_folder, tools,
};

use super::{DOCKER_LIST, DOCKER_MANIFEST, OCI_MANIFEST, SBOM, Scene, below, blobs};
use crate::bench::Person;

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let crane = tools::crane()?;
    crane
        .run_with(
            &["auth", "login", "--username", &person.name, "--password-stdin", &scene.host()],
            &person.password,
        )
        .ok();
    Some(crane)
}

/// Pushes a layout, then insists on the same digest at both ends.
fn round_trip(scene: &Scene, root: &Content, rest: &[&Content]) {
    let Some(crane) = signed_in(scene, &scene.owner) else { return };
    let folder = layout_folder(&[("v1", root)], rest);
    crane.run(&["push", folder.to_str().unwrap(), &scene.tagged("v1")]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], root.media_type);
    assert_eq!(crane.run(&["digest", &scene.tagged("v1")]).ok().stdout.trim(), root.digest());
    let back = run_folder::fresh("crane-back");
    crane.run(&["pull", "--format", "oci", &scene.tagged("v1"), back.to_str().unwrap()]).ok();
    let index = std::fs::read_to_string(back.join("index.json")).unwrap();
    assert!(index.contains(&root.digest()), "{index}");
    // It reads every layer back; layers in zstd are beyond it.
    if !rest.iter().any(|blob| blob.media_type.ends_with("+zstd")) {
        crane.run(&["validate", "--remote", &scene.tagged("v1")]).ok();
    }
}

#[test]
fn push_and_pull_docker_archive() {
    let scene = Scene::new();
    let Some(crane) = signed_in(&scene, &scene.owner) else { return };
    let archive = docker_archive(&scene.image(Family::Docker, Packing::Plain), "some:tag");
    crane.run(&["push", archive.to_str().unwrap(), &scene.tagged("v1")]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], DOCKER_MANIFEST);
    let back = run_folder::fresh("crane").join("back.tar");
    crane.run(&["pull", &scene.tagged("v1"), back.to_str().unwrap()]).ok();
    assert!(back.metadata().unwrap().len() > 50_000);
}

#[test]
fn push_and_pull_docker_image() {
    let scene = Scene::new();
    let image = scene.image(Family::Docker, Packing::Gzip);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_oci_image() {
    let scene = Scene::new();
    let image = scene.image(Family::Oci, Packing::Gzip);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_zstd_layers() {
    let scene = Scene::new();
    let image = scene.image(Family::Oci, Packing::Zstd);
    round_trip(&scene, &image.manifest, &blobs(&image));
}

#[test]
fn push_and_pull_multi_platform_index() {
    let scene = Scene::new();
    let index = scene.index(Family::Docker);
    assert_eq!(index.manifest.media_type, DOCKER_LIST);
    round_trip(&scene, &index.manifest, &below(&index));
}

#[test]
fn push_and_copy_artifact_with_subject() {
    let scene = Scene::new();
    let Some(crane) = signed_in(&scene, &scene.owner) else { return };
    let subject = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let artifact = artifact(SBOM, Some(&subject.manifest), "packages");
    let folder = layout_folder(&[("sbom", &artifact.manifest)], &blobs(&artifact));
    crane.run(&["push", folder.to_str().unwrap(), &scene.tagged("sbom")]).ok();
    assert_eq!(scene.whole("sbom")["mediaType"], OCI_MANIFEST);
    assert_eq!(scene.referrers(&subject.manifest.digest())[0]["digest"], artifact.manifest.digest());
    let copy = format!("{}-copy", scene.bench.repository);
    crane.run(&["copy", &scene.tagged("sbom"), &format!("{}/{copy}:sbom", scene.host())]).ok();
    super::whole(&scene.bench.admin, &copy, "sbom");
}

#[test]
fn list_and_delete() {
    let scene = Scene::new();
    let Some(crane) = signed_in(&scene, &scene.owner) else { return };
    let image = scene.put_image("one", Family::Oci, Packing::Gzip);
    crane.run(&["tag", &scene.tagged("one"), "two"]).ok();
    crane.run(&["ls", &scene.repository()]).ok().says("one").says("two");
    crane.run(&["catalog", &scene.host()]).ok().says(&scene.bench.repository);
    crane.run(&["delete", &scene.tagged("two")]).ok();
    scene.gone("two");
    scene.whole("one");
    crane.run(&["delete", &format!("{}@{}", scene.repository(), image.manifest.digest())]).ok();
    scene.gone("one");
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(crane) = tools::crane() else { return };
    scene.put_image("v1", Family::Oci, Packing::Gzip);
    // Its login only writes the file down; the next command is what is refused.
    let login = ["auth", "login", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    crane.run_with(&login, "wrong").ok();
    crane.run(&["manifest", &scene.tagged("v1")]).refused().says(&scene.refused_password());
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(crane) = signed_in(&scene, &scene.reader) else { return };
    let image = scene.image(Family::Oci, Packing::Gzip);
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let outcome = crane.run(&["push", folder.to_str().unwrap(), &scene.tagged("v1")]);
    outcome.refused().says(&scene.refused_push());
    scene.gone("v1");
}
