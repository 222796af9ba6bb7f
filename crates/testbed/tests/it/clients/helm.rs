//! helm: charts as OCI artifacts; it has no command to list or delete remotely.

use hythe_testbed::{Tool, tools};

use super::{OCI_MANIFEST, Scene, whole};
use crate::bench::Person;

fn signed_in(scene: &Scene, person: &Person) -> Option<Tool> {
    let helm = tools::helm()?;
    helm.run_with(
        &["registry", "login", "--plain-http", "--username", &person.name, "--password-stdin", &scene.host()],
        &person.password,
    )
    .ok()
    .says("login succeeded");
    Some(helm)
}

/// Packages a chart whose version has a plus sign, and returns the package's path.
fn package(helm: &Tool) -> String {
    let chart = helm.home().join("boat");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: boat\nversion: 1.2.3+build.4\ndescription: a boat\n",
    )
    .unwrap();
    std::fs::write(chart.join("templates/config.yaml"), "kind: ConfigMap\napiVersion: v1\n").unwrap();
    helm.run(&["package", "boat"]).ok();
    helm.home().join("boat-1.2.3+build.4.tgz").to_str().unwrap().to_owned()
}

#[test]
fn push_and_pull_chart() {
    let scene = Scene::new();
    let Some(helm) = signed_in(&scene, &scene.owner) else { return };
    let package = package(&helm);
    let before = std::fs::read(&package).unwrap();
    helm.run(&["push", "--plain-http", &package, &format!("oci://{}", scene.repository())]).ok();
    let chart = format!("{}/boat", scene.bench.repository);
    // A plus sign is no character of a tag.
    let manifest = whole(&scene.bench.admin, &chart, "1.2.3_build.4");
    assert_eq!(manifest["mediaType"], OCI_MANIFEST);
    assert_eq!(manifest["config"]["mediaType"], "application/vnd.cncf.helm.config.v1+json");
    std::fs::remove_file(&package).unwrap();
    let remote = format!("oci://{}/{chart}", scene.host());
    helm.run(&["pull", "--plain-http", &remote, "--version", "1.2.3+build.4"]).ok();
    assert_eq!(std::fs::read(&package).unwrap(), before);
    // Without a version it lists the tags to find the newest.
    helm.run(&["show", "chart", "--plain-http", &remote, "--version", ">0.0.0"]).ok().says("a boat");
}

#[test]
fn wrong_password() {
    let scene = Scene::new();
    let Some(helm) = tools::helm() else { return };
    let login = [
        "registry",
        "login",
        "--plain-http",
        "--username",
        &scene.owner.name,
        "--password-stdin",
        &scene.host(),
    ];
    helm.run_with(&login, "wrong").refused().says("401");
}

#[test]
fn refused_push() {
    let scene = Scene::new();
    let Some(helm) = signed_in(&scene, &scene.reader) else { return };
    let package = package(&helm);
    let push = ["push", "--plain-http", &package, &format!("oci://{}", scene.repository())];
    // Helm adds the chart's name to the repository it is given.
    let chart = format!("{}/boat", scene.bench.repository);
    helm.run(&push).refused().says(&scene.refused_push().replace(&scene.bench.repository, &chart));
}
