//! Charliecloud's `ch-image`, which speaks TLS only and follows absolute locations only; it knows docker
//! schema 2 and has no command to log in, to list or to delete remotely.

use hythe_testbed::{Family, Hythe, Image, Options, Packing, Role, Tool, Visibility, image, index, tools};

use super::{DOCKER_MANIFEST, whole};

const REPOSITORY: &str = "charlie/repo";

/// What a started server holds.
struct Scene {
    server: Hythe,
    single: Image,
}

/// A server with a project, two people and an image, restarted with TLS and a certificate of its own making.
fn scene() -> Scene {
    let mut server = Hythe::start(Options::default());
    server.create_project("charlie", Visibility::Private);
    server.create_user("owner", "a long password");
    server.add_member("charlie", "owner", Role::Owner);
    server.create_user("reader", "a long password");
    server.add_member("charlie", "reader", Role::Reader);
    let of = |architecture| image(Family::Docker, Packing::Gzip, "charlie", architecture);
    let single = of("amd64");
    server.admin().push_image(REPOSITORY, "single", &single);
    let list = index(Family::Docker, vec![of("amd64"), of("arm64")]);
    server.admin().push_image(REPOSITORY, "arm64", &list.images[1]);
    server.admin().put_manifest(REPOSITORY, "many", &list.manifest).is(201);
    server.admin().push_image(REPOSITORY, "oci", &image(Family::Oci, Packing::Gzip, "charlie oci", "amd64"));
    assert_eq!(server.stop(), 0);
    server.restart_with(Options { arguments: vec!["--dev-tls".into()], ..Options::default() });
    Scene { server, single }
}

fn signed_in(name: &str, password: &str) -> Option<Tool> {
    let tool = tools::ch_image()?.env("CH_IMAGE_USERNAME", name).env("CH_IMAGE_PASSWORD", password);
    Some(tool.always("--auth").always("--tls-no-verify").always("--no-cache"))
}

fn name(server: &Hythe, tag: &str) -> String {
    format!("{}/{REPOSITORY}:{tag}", server.host())
}

#[test]
fn push_and_pull() {
    let Some(tool) = signed_in("owner", "a long password") else { return };
    let Scene { mut server, single, .. } = scene();
    tool.run(&["pull", &name(&server, "single"), "local"]).ok();
    tool.run(&["push", "local", &name(&server, "pushed")]).ok();
    tool.run(&["pull", &name(&server, "pushed"), "again"]).ok();
    // What it pushes is its own flattened image: look at it without TLS.
    assert_eq!(server.stop(), 0);
    server.restart_with(Options::default());
    let pushed = whole(&server.admin(), REPOSITORY, "pushed");
    assert_eq!(pushed["mediaType"], DOCKER_MANIFEST);
    assert_ne!(pushed["config"]["digest"], single.blobs[0].digest());
}

#[test]
fn pull_multi_platform_list() {
    let Some(tool) = signed_in("reader", "a long password") else { return };
    let Scene { server, .. } = scene();
    tool.run(&["pull", &name(&server, "many"), "local"]).ok();
    tool.run(&["list", &name(&server, "many")]).ok().says("amd64");
}

#[test]
fn pull_oci_image() {
    let Some(tool) = signed_in("reader", "a long password") else { return };
    let Scene { server, .. } = scene();
    tool.run(&["pull", &name(&server, "oci"), "local"]).ok();
}

#[test]
fn wrong_password() {
    let Some(tool) = signed_in("owner", "wrong") else { return };
    let Scene { server, .. } = scene();
    tool.run(&["pull", &name(&server, "single"), "local"]).refused().says("unauthorized");
}

#[test]
fn refused_push() {
    let Some(tool) = signed_in("reader", "a long password") else { return };
    let Scene { server, .. } = scene();
    tool.run(&["pull", &name(&server, "single"), "local"]).ok();
    // ch-image 0.31 has one fixed text for every refusal and drops the registry's sentence.
    let outcome = tool.run(&["push", "local", &name(&server, "pushed")]);
    outcome.refused().says("unhandled authentication failure");
}
