//! regctl.

use hythe_testbed::{Content, Family, Packing, Tool, layout_folder, run_folder, tools};

use super::{SBOM, Scene, below, blobs};
use crate::bench::Person;

fn without_login(scene: &Scene) -> Option<Tool> {
    let regctl = tools::regctl()?;
    regctl.run(&["registry", "set", "--tls", "disabled", &scene.host()]).ok();
    Some(regctl)
}

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let regctl = without_login(scene)?;
    regctl
        .run_with(
            &["registry", "login", "--user", &person.name, "--pass-stdin", &scene.host()],
            &person.password,
        )
        .ok();
    Some(regctl)
}

/// Copies a layout's root into the registry and back, insisting on the same digest.
fn round_trip(scene: &Scene, root: &Content, rest: &[&Content]) {
    let Some(regctl) = signed_in(scene, &scene.owner) else { return };
    let folder = layout_folder(&[("v1", root)], rest);
    regctl.run(&["image", "copy", &format!("ocidir://{}:v1", folder.display()), &scene.tagged("v1")]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], root.media_type);
    let back = run_folder::fresh("regctl-back");
    regctl.run(&["image", "copy", &scene.tagged("v1"), &format!("ocidir://{}:v1", back.display())]).ok();
    let index = std::fs::read_to_string(back.join("index.json")).unwrap();
    assert!(index.contains(&root.digest()), "{index}");
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
    let index = scene.index(Family::Oci);
    round_trip(&scene, &index.manifest, &below(&index));
}

#[test]
fn artifact_with_subject() {
    let scene = Scene::new();
    let Some(regctl) = signed_in(&scene, &scene.owner) else { return };
    let subject = scene.put_image("v1", Family::Oci, Packing::Gzip);
    let put = ["artifact", "put", "--artifact-type", SBOM, "--subject", &scene.tagged("v1")];
    regctl.run_with(&put, "packages").ok();
    let referrers = scene.referrers(&subject.manifest.digest());
    assert_eq!((referrers.len(), referrers[0]["artifactType"].as_str()), (1, Some(SBOM)));
    let digest = referrers[0]["digest"].as_str().unwrap();
    regctl.run(&["artifact", "list", &scene.tagged("v1")]).ok().says(digest);
    let get = ["artifact", "get", "--subject", &scene.tagged("v1"), "--filter-artifact-type", SBOM];
    regctl.run(&get).ok().says("packages");
    // A copy with its referrers takes them along.
    let copy = format!("{}/{}-copy:v1", scene.host(), scene.bench.repository);
    regctl.run(&["image", "copy", "--referrers", &scene.tagged("v1"), &copy]).ok();
    super::whole(&scene.bench.admin, &format!("{}-copy", scene.bench.repository), digest);
}

#[test]
fn list_and_delete() {
    let scene = Scene::new();
    let Some(regctl) = signed_in(&scene, &scene.owner) else { return };
    let image = scene.put_image("one", Family::Oci, Packing::Gzip);
    scene.put_image("two", Family::Oci, Packing::Gzip);
    regctl.run(&["tag", "ls", &scene.repository()]).ok().says("one").says("two");
    regctl.run(&["repo", "ls", &scene.host()]).ok().says(&scene.bench.repository);
    regctl.run(&["tag", "delete", &scene.tagged("two")]).ok();
    scene.gone("two");
    scene.whole("one");
    let by_digest = format!("{}@{}", scene.repository(), image.manifest.digest());
    regctl.run(&["manifest", "delete", &by_digest]).ok();
    scene.gone("one");
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(regctl) = without_login(&scene) else { return };
    let login = ["registry", "login", "--user", &scene.owner.name, "--pass-stdin", &scene.host()];
    regctl.run_with(&login, "wrong").refused().says("unauthorized");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(regctl) = signed_in(&scene, &scene.reader) else { return };
    let image = scene.image(Family::Oci, Packing::Gzip);
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let source = format!("ocidir://{}:v1", folder.display());
    let outcome = regctl.run(&["image", "copy", &source, &scene.tagged("v1")]);
    // regctl 0.11 has one fixed text for every refusal and drops the registry's sentence.
    outcome.refused().says("unauthorized");
    scene.gone("v1");
}
