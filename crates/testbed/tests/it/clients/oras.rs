//! oras.

use hythe_testbed::{Content, Family, Packing, Tool, layout_folder, run_folder, tools};

use super::{OCI_MANIFEST, SBOM, Scene, below, blobs};
use crate::bench::Person;

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let oras = tools::oras()?;
    oras.run_with(
        &["login", "--plain-http", "--username", &person.name, "--password-stdin", &scene.host()],
        &person.password,
    )
    .ok()
    .says("login succeeded");
    Some(oras)
}

/// Copies a layout's root into the registry and back, insisting on the same digest.
fn round_trip(scene: &Scene, root: &Content, rest: &[&Content]) {
    let Some(oras) = signed_in(scene, &scene.owner) else { return };
    let folder = layout_folder(&[("v1", root)], rest);
    let source = format!("{}:v1", folder.display());
    oras.run(&["copy", "--from-oci-layout", "--to-plain-http", &source, &scene.tagged("v1")]).ok();
    assert_eq!(scene.whole("v1")["mediaType"], root.media_type);
    let back = format!("{}:v1", run_folder::fresh("oras-back").display());
    oras.run(&["copy", "--from-plain-http", "--to-oci-layout", &scene.tagged("v1"), &back])
        .ok()
        .says(&root.digest());
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
fn attach_discover_and_pull_artifact() {
    let scene = Scene::new();
    let Some(oras) = signed_in(&scene, &scene.owner) else { return };
    let subject = scene.put_image("v1", Family::Oci, Packing::Gzip);
    std::fs::write(oras.home().join("sbom.json"), "{\"packages\":[]}").unwrap();
    let attach =
        ["attach", "--plain-http", "--artifact-type", SBOM, &scene.tagged("v1"), "sbom.json:text/json"];
    oras.run(&attach).ok();
    let referrers = scene.referrers(&subject.manifest.digest());
    assert_eq!((referrers.len(), referrers[0]["artifactType"].as_str()), (1, Some(SBOM)));
    let digest = referrers[0]["digest"].as_str().unwrap();
    assert_eq!(scene.whole(digest)["mediaType"], OCI_MANIFEST);
    let discover =
        ["discover", "--plain-http", "--distribution-spec", "v1.1-referrers-api", &scene.tagged("v1")];
    oras.run(&discover).ok().says(digest);
    std::fs::remove_file(oras.home().join("sbom.json")).unwrap();
    oras.run(&["pull", "--plain-http", &format!("{}@{digest}", scene.repository())]).ok();
    assert_eq!(std::fs::read_to_string(oras.home().join("sbom.json")).unwrap(), "{\"packages\":[]}");
}

#[test]
fn list_and_delete() {
    let scene = Scene::new();
    let Some(oras) = signed_in(&scene, &scene.owner) else { return };
    scene.put_image("one", Family::Oci, Packing::Gzip);
    oras.run(&["repo", "tags", "--plain-http", &scene.repository()]).ok().says("one");
    oras.run(&["repo", "ls", "--plain-http", &scene.host()]).ok().says(&scene.bench.repository);
    oras.run(&["manifest", "delete", "--plain-http", "--force", &scene.tagged("one")]).ok();
    scene.gone("one");
    let layer = scene.bench.admin.push_blob(&scene.bench.repository, b"a lone blob");
    oras.run(&["blob", "delete", "--plain-http", "--force", &format!("{}@{layer}", scene.repository())]).ok();
    scene.bench.admin.head(&scene.bench.path(&format!("blobs/{layer}"))).is(404);
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(oras) = tools::oras() else { return };
    let login = ["login", "--plain-http", "--username", &scene.owner.name, "--password-stdin", &scene.host()];
    oras.run_with(&login, "wrong").refused().says(&scene.refused_password());
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(oras) = signed_in(&scene, &scene.reader) else { return };
    std::fs::write(oras.home().join("file.txt"), "content").unwrap();
    let push = ["push", "--plain-http", &scene.tagged("v1"), "file.txt"];
    oras.run(&push).refused().says(&scene.refused_push());
    scene.gone("v1");
}
