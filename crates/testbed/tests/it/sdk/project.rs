//! The container registry of a project: what a platform asks of it.

use std::time::Duration;

use hythe_api::Readiness;
use hythe_client::account::OwnLogin;
use hythe_client::engine::{Engine, EngineAddress, EngineKind};
use hythe_client::progress::Reporter;
use hythe_client::transfer::PushOptions;
use hythe_client::{ContainerRegistry, LoginMethod, Naming};
use hythe_outbound::Url;
use hythe_testbed::{Distribution, Docker, Family, Packing, docker_archive, image};

use super::{Scene, address, outbound, run};

impl Scene {
    fn registry(&self) -> ContainerRegistry {
        let login =
            OwnLogin { username: self.pusher.name.clone(), secret: self.pusher.password.clone().into() };
        let project = self.bench.project.parse().unwrap();
        run(ContainerRegistry::open(outbound(), &address(self.bench.server), project, login)).unwrap()
    }
}

#[test]
fn it_says_where_it_is_and_gives_a_token_that_docker_logs_in_with() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let registry = scene.registry();
    assert_eq!(registry.url(), format!("{}/{}/", scene.bench.server.host(), scene.bench.project));
    assert_eq!(
        (registry.login_method(), registry.username()),
        (LoginMethod::UsernameToken, scene.pusher.name.as_str())
    );
    let login = run(registry.docker_login()).unwrap();
    let secret = secrecy::ExposeSecret::expose_secret(&login.secret);
    assert_ne!(secret, scene.pusher.password);
    let cli = docker.cli();
    let host = scene.bench.server.host();
    cli.run_with(&["login", "--username", &login.username, "--password-stdin", &host], secret).ok();
    let name = format!("{}by-docker:v1", registry.url());
    let archive =
        docker_archive(&image(Family::Docker, Packing::Plain, &scene.bench.project, "amd64"), &name);
    cli.run(&["load", "--input", archive.to_str().unwrap()]).ok();
    cli.run(&["push", &name]).ok();
    assert_eq!(run(registry.image_names()).unwrap(), ["by-docker:v1"]);
}

#[test]
fn repositories_and_images_are_made_listed_and_removed() {
    let scene = Scene::new();
    let registry = scene.registry();
    let made = run(registry.create_repository("tools/solver")).unwrap();
    assert_eq!(made.to_string(), format!("{}/tools/solver", scene.bench.project));
    assert_eq!(run(registry.create_repository("tools/solver")).unwrap(), made);
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    scene.bench.admin.push_image(made.as_str(), "v1", &image);
    scene.bench.admin.push_image(made.as_str(), "v2", &image);
    let repositories = run(registry.repositories()).unwrap();
    assert_eq!(repositories.iter().map(|found| found.manifests).collect::<Vec<_>>(), [1]);
    let images = run(registry.images()).unwrap();
    assert_eq!(
        images.iter().map(|found| found.digest.to_string()).collect::<Vec<_>>(),
        [image.manifest.digest(), image.manifest.digest()]
    );

    assert!(run(registry.is_image_ready("tools/solver:v1")).unwrap());
    let by_digest = format!("tools/solver@{}", image.manifest.digest());
    let waited = run(registry.wait_ready(&by_digest, Duration::from_secs(1))).unwrap();
    assert_eq!((waited.status, waited.digest.to_string()), (Readiness::Ready, image.manifest.digest()));
    // Unknown is an error, never pending.
    let unknown = run(registry.is_image_ready("tools/solver:v3")).unwrap_err();
    assert!(unknown.is_not_found() && unknown.request_id().is_some(), "{unknown:?}");

    // A pusher may not remove; an owner may.
    assert!(run(registry.delete_image("tools/solver:v1")).unwrap_err().is_denied());
    scene.bench.server.add_member(&scene.bench.project, &scene.pusher.name, hythe_testbed::Role::Owner);
    assert!(run(registry.delete_image("tools/solver:v1")).unwrap());
    assert!(!run(registry.delete_image("tools/solver:v1")).unwrap());
    assert!(run(registry.is_image_ready("tools/solver:v2")).unwrap());
    assert!(run(registry.delete_image(&by_digest)).unwrap());
    assert!(run(registry.image_names()).unwrap().is_empty());
}

#[test]
fn an_image_is_pushed_under_a_name_of_its_own() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let registry = scene.registry();
    let (name, image) =
        ("sdk-unique:v1", image(Family::Docker, Packing::Plain, &scene.bench.project, "amd64"));
    docker.cli().run(&["load", "--input", docker_archive(&image, name).to_str().unwrap()]).ok();
    let socket = docker.host().strip_prefix("unix://").unwrap().to_owned();
    let push = |naming: Naming| {
        run(async {
            let engine = Engine::connect(EngineAddress::new(EngineKind::Docker, &socket)).await.unwrap();
            let options = PushOptions::default();
            registry.push_image(&engine, name, &naming, &options, &Reporter::silent()).await
        })
    };
    let id = image.blobs[0].digest();
    let unique = push(Naming::Unique).unwrap();
    assert_eq!(unique.name, format!("sdk-unique:v1-{}", &id["sha256:".len()..][..10]));
    assert_eq!(push(Naming::UniqueDigits(20)).unwrap().name.len(), unique.name.len() + 10);
    let own = push(Naming::Own("other/name:v7".to_owned())).unwrap();
    assert_eq!((own.name.as_str(), own.digest), ("other/name:v7", unique.digest));
    let ready = run(registry.image("other/name:v7")).unwrap();
    assert_eq!((ready.status, ready.digest), (Readiness::Ready, own.digest));
    let missing = run(async {
        let engine = Engine::connect(EngineAddress::new(EngineKind::Docker, &socket)).await.unwrap();
        let options = PushOptions::default();
        registry.push_image(&engine, "no-such:v1", &Naming::Unique, &options, &Reporter::silent()).await
    });
    assert!(missing.unwrap_err().to_string().contains("no-such:v1"));
}

#[test]
fn a_registry_without_tokens_says_so() {
    let Some(other) = Distribution::start() else { return };
    let url = Url::parse(&format!("http://{}", other.host())).unwrap();
    let login = OwnLogin { username: "ada".to_owned(), secret: "a password".into() };
    let registry = run(ContainerRegistry::open(outbound(), &url, "lab".parse().unwrap(), login)).unwrap();
    assert_eq!(registry.login_method().name(), "username_password");
    assert!(run(registry.token()).unwrap().is_none());
    let login = run(registry.docker_login()).unwrap();
    assert_eq!(secrecy::ExposeSecret::expose_secret(&login.secret), "a password");
}

#[test]
fn a_wrong_login_opens_nothing() {
    let scene = Scene::new();
    let login = OwnLogin { username: scene.pusher.name.clone(), secret: "not the password".into() };
    let project = scene.bench.project.parse().unwrap();
    let opened = run(ContainerRegistry::open(outbound(), &address(scene.bench.server), project, login));
    assert!(opened.unwrap_err().is_denied());
}
