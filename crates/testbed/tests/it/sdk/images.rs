//! Images by the nouns of a platform: push, pull, digest, remove, list, tags, size, save; at a Hythe and at another
//! registry.

use std::sync::{Arc, Mutex};

use hythe_client::account::OwnLogin;
use hythe_client::credentials::{LoginPlaces, Logins};
use hythe_client::engine::{Engine, EngineAddress, EngineKind};
use hythe_client::image::{Cluster, ClusterName, ImageNameError, Profile, Registry, RemoteImage};
use hythe_client::progress::{
    ImageCommitFinished, ImageCommitStarted, ImageProgress, ImageProgressPull, ImageProgressPush,
    ImageProgressSave, ImageProgressStep, Reporter, StepAdapter,
};
use hythe_client::transfer::PushOptions;
use hythe_client::{ClientError, Images, Within};
use hythe_oci::{Digest, ProjectName};
use hythe_outbound::Url;
use hythe_testbed::{
    Content, Distribution, Docker, Family, Packing, docker_archive, image, index, layout_folder, run_folder,
};

use super::{Scene, address, outbound, run};

fn cluster(name: &str, url: &Url, org: Option<&str>, project: Option<&str>) -> Cluster {
    let component = |text: &str| ProjectName::parse(text).unwrap();
    Cluster::new(ClusterName::parse(name).unwrap(), url, org.map(component), project.map(component)).unwrap()
}

fn profile(clusters: Vec<Cluster>) -> Profile {
    Profile::new(clusters, None).unwrap()
}

impl Scene {
    fn login(&self) -> OwnLogin {
        OwnLogin { username: self.pusher.name.clone(), secret: self.pusher.password.clone().into() }
    }

    /// The images of the scene's server, seen by its pusher, in these clusters.
    fn images_in(&self, clusters: Vec<Cluster>) -> Images {
        let registry = Registry::of_url(&address(self.bench.server)).unwrap();
        Images::new(outbound(), profile(clusters)).with_login(registry, self.login())
    }

    /// The same in one cluster, `main`, whose default project is the scene's.
    fn images(&self) -> Images {
        let url = address(self.bench.server);
        self.images_in(vec![cluster("main", &url, None, Some(&self.bench.project))])
    }

    /// Lets the pusher remove as well.
    fn make_owner(&self) {
        let role = hythe_testbed::Role::Owner;
        self.bench.server.add_member(&self.bench.project, &self.pusher.name, role);
    }
}

/// The images of another registry, which knows no logins.
fn elsewhere(registry: &Distribution) -> Images {
    let url = Url::parse(&format!("http://{}", registry.host())).unwrap();
    Images::new(outbound(), profile(vec![cluster("main", &url, None, Some("lab"))]))
}

/// Docker's engine with an image of these names, for real.
fn docker_with(docker: &Docker, seed: &str, name: &str) -> (Engine, hythe_testbed::Image) {
    let image = image(Family::Docker, Packing::Plain, seed, "amd64");
    let archive = docker_archive(&image, name);
    docker.cli().run(&["load", "--input", archive.to_str().unwrap()]).ok();
    let socket = docker.host().strip_prefix("unix://").unwrap().to_owned();
    (run(Engine::connect(EngineAddress::new(EngineKind::Docker, socket))).unwrap(), image)
}

/// Pushes an index of two platforms, and an image of one, into the repository of `named`; answers their digests.
fn fill(images: &Images, named: &RemoteImage, seed: &str) -> (Digest, Digest) {
    let of = |architecture| image(Family::Oci, Packing::Gzip, seed, architecture);
    let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
    let rest: Vec<&Content> =
        index.images.iter().flat_map(|image| image.blobs.iter().chain([&image.manifest])).collect();
    let folder = layout_folder(&[("all", &index.manifest)], &rest);
    let one = image(Family::Oci, Packing::Gzip, &format!("{seed}-one"), "amd64");
    let single = layout_folder(&[("one", &one.manifest)], &one.blobs.iter().collect::<Vec<_>>());
    run(async {
        let target = images.target(named).await.unwrap();
        let push = async |folder: &std::path::Path, tag: &str| {
            let tag = tag.parse().unwrap();
            let options = PushOptions::default();
            target.push_layout(folder, None, Some(&tag), &options, &Reporter::silent()).await.unwrap().digest
        };
        let all = push(&folder, "all").await;
        assert_eq!(push(&folder, "again").await, all);
        (all, push(&single, "one").await)
    })
}

/// Hears a transfer in steps, and writes down what it hears.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn reporter(&self) -> Reporter {
        Reporter::to(Arc::new(StepAdapter::new(self.clone())))
    }

    fn note(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

impl ImageProgress for Heard {
    fn pull(&self, begun: &ImageProgressPull) {
        self.note(format!("pull {} {}", begun.source, begun.destination));
    }

    fn push(&self, begun: &ImageProgressPush) {
        self.note(format!("push {} {}", begun.source, begun.destination));
    }

    fn step(&self, step: &ImageProgressStep) {
        assert!(step.message.starts_with(&format!("{}: {}", step.layer_id, step.status)), "{step:?}");
        assert!(step.current.unwrap_or(0) <= step.total.unwrap_or(u64::MAX), "{step:?}");
        self.note(format!("step {}", step.status));
    }

    fn save(&self, begun: &ImageProgressSave) {
        self.note(format!("save {} {}", begun.source, begun.destination));
    }

    fn commit_started(&self, started: &ImageCommitStarted) {
        self.note(format!("commit {} {}", started.container, started.image));
    }

    fn commit_finished(&self, finished: &ImageCommitFinished) {
        self.note(format!("committed {}", finished.image));
    }
}

#[test]
fn an_image_is_pushed_and_pulled_by_name_alone() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let (engine, image) = docker_with(docker, &scene.bench.project, "sdk-images/by-name:v1");
    let images = scene.images().with_engine(engine);
    let local = images.local_image("sdk-images/by-name:v1").unwrap();
    let heard = Heard::default();
    let pushed = run(images.push(&local, None, &heard.reporter())).unwrap();
    assert_eq!(
        pushed.to_string().split('@').next().unwrap(),
        format!("image://main/{}/{local}", scene.bench.project)
    );
    assert_eq!(pushed.digest().unwrap().to_string(), scene.whole_in(pushed.repository().as_str(), "v1"));
    assert_eq!(
        run(images.digest(&pushed.clone().with_tag("v1".parse().unwrap()))).unwrap(),
        *pushed.digest().unwrap()
    );
    let lines = heard.lines();
    assert!(lines[0].starts_with("push "), "{lines:?}");
    assert!(lines.iter().any(|line| line == "step Pushed"), "{lines:?}");

    let heard = Heard::default();
    let back = images.local_image("sdk-images/back:v2").unwrap();
    assert_eq!(run(images.pull(&pushed, Some(&back), &heard.reporter())).unwrap(), back);
    let cli = docker.cli();
    let id = cli.run(&["image", "inspect", "--format", "{{.Id}}", "sdk-images/back:v2"]).ok().stdout;
    assert_eq!(id.trim(), image.blobs[0].digest());
    let lines = heard.lines();
    assert!(lines[0].starts_with("pull "), "{lines:?}");
    assert!(lines.iter().any(|line| line == "step Pull complete"), "{lines:?}");

    // Without a local name it gets its own in the project; a digest alone is kept as `latest`.
    cli.run(&["rmi", "sdk-images/by-name:v1", "sdk-images/back:v2"]).ok();
    let named = run(images.pull(&pushed, None, &Reporter::silent())).unwrap();
    assert_eq!(named, local);
    cli.run(&["image", "inspect", "sdk-images/by-name:v1"]).ok();
}

#[test]
fn what_is_not_there_is_said_with_what_to_do() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let (engine, _) = docker_with(docker, &scene.bench.project, "sdk-images/absent:v1");
    let images = scene.images().with_engine(engine.clone());
    let none = images.local_image("sdk-images/no-such:v1").unwrap();
    let error = run(images.push(&none, None, &Reporter::silent())).unwrap_err();
    assert!(matches!(error, ClientError::NoLocalImage { .. }), "{error:?}");
    assert!(error.sentence().contains("no-such:v1 in docker"), "{error}");
    let unknown = images.remote_image("image:no-such:v1").unwrap();
    let error = run(images.pull(&unknown, None, &Reporter::silent())).unwrap_err();
    assert!(error.is_not_found(), "{error:?}");
    assert_eq!(error.code().as_deref(), Some("MANIFEST_UNKNOWN"));
    assert!(error.request_id().is_some() && error.detail().is_some(), "{error:?}");
    assert!(error.sentence().ends_with(['.', '?']), "{}", error.sentence());

    // No default project: the sentence names the way out, and nothing was sent anywhere.
    let url = address(scene.bench.server);
    let images = scene.images_in(vec![cluster("main", &url, None, None)]).with_engine(engine);
    let local = images.local_image("sdk-images/absent:v1").unwrap();
    let error = run(images.push(&local, None, &Reporter::silent())).unwrap_err();
    assert!(matches!(error, ClientError::Name(ImageNameError::NoProject { .. })), "{error:?}");
    assert!(error.to_string().contains("image:/PROJECT/sdk-images/absent"), "{error}");
    // Not a member: denied or hidden, with a sentence of the registry's.
    let stranger = scene.bench.stranger();
    let registry = Registry::of_url(&url).unwrap();
    let login = OwnLogin { username: stranger.name, secret: stranger.password.into() };
    let images =
        Images::new(outbound(), profile(vec![cluster("main", &url, None, Some(&scene.bench.project))]))
            .with_login(registry, login);
    let image = images.remote_image("image:app:v1").unwrap();
    assert!(run(images.digest(&image)).is_err_and(|error| error.is_denied() || error.is_not_found()));
}

/// What `digest`, `size`, `tags` and `tag_info` say is the same everywhere.
fn asked(images: &Images, seed: &str) {
    let named = images.remote_image("image:tools/asked").unwrap();
    let (all, one) = fill(images, &named, seed);
    run(async {
        let tagged = |tag: &str| named.clone().with_tag(tag.parse().unwrap());
        assert_eq!(images.digest(&tagged("all")).await.unwrap(), all);
        assert_eq!(images.digest(&tagged("one")).await.unwrap(), one);
        let mut tags = images.tags(&named).await.unwrap();
        tags.sort();
        assert_eq!(tags, [tagged("again"), tagged("all"), tagged("one")]);

        let size = images.size(&tagged("all")).await.unwrap();
        let platforms: Vec<_> = size.platforms.iter().filter_map(|part| part.platform.as_deref()).collect();
        assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
        assert_eq!(size.bytes, size.platforms.iter().map(|part| part.bytes).sum::<u64>());
        let single = images.size(&named.clone().with_digest(one)).await.unwrap();
        assert_eq!((single.platforms.len(), single.digest), (1, one));

        let info = images.tag_info(&tagged("all")).await.unwrap();
        assert_eq!((info.name.as_str(), info.size), ("all", Some(size.bytes)));
        let mut sized = images.tags_with_sizes(&named).await.unwrap();
        sized.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(sized.iter().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["again", "all", "one"]);
        assert_eq!(sized[1], info);
        assert_eq!(sized[2].size, Some(single.bytes));

        let no_tag = images.tag_info(&named.clone().with_digest(one)).await.unwrap_err();
        assert!(matches!(no_tag, ClientError::NoTag { .. }), "{no_tag:?}");
        let none = images.remote_image("image:tools/none").unwrap();
        assert!(images.tags(&none).await.unwrap_err().is_not_found());
    });
}

#[test]
fn digests_sizes_and_tags_at_a_hythe() {
    let scene = Scene::new();
    asked(&scene.images(), &scene.bench.project);
}

#[test]
fn digests_sizes_and_tags_at_another_registry() {
    let Some(registry) = Distribution::start() else { return };
    asked(&elsewhere(&registry), "asked elsewhere");
}

/// Only the digest that was named goes, and then with all its tags.
fn removed(images: &Images, seed: &str) {
    let named = images.remote_image("image:tools/removed").unwrap();
    let (all, one) = fill(images, &named, seed);
    run(async {
        let tagged = |tag: &str| named.clone().with_tag(tag.parse().unwrap());
        let error = images.rm(&tagged("all"), &one).await.unwrap_err();
        assert!(matches!(&error, ClientError::OtherDigest { found, .. } if *found == all), "{error:?}");
        assert_eq!(images.tags(&named).await.unwrap().len(), 3, "nothing was removed");
        images.rm(&tagged("all"), &all).await.unwrap();
        assert!(images.digest(&tagged("again")).await.unwrap_err().is_not_found());
        assert_eq!(images.digest(&tagged("one")).await.unwrap(), one);
        assert!(images.rm(&tagged("all"), &all).await.unwrap_err().is_not_found());
    });
}

#[test]
fn the_digest_that_was_named_is_removed_with_its_tags() {
    let scene = Scene::new();
    let images = scene.images();
    let named = images.remote_image("image:tools/kept").unwrap();
    let (all, _) = fill(&images, &named, &scene.bench.project);
    let error = run(images.rm(&named.with_tag("all".parse().unwrap()), &all)).unwrap_err();
    assert!(error.is_denied(), "a pusher does not remove: {error:?}");
    assert_eq!(error.code().as_deref(), Some("DENIED"));
    scene.make_owner();
    removed(&images, &scene.bench.project);
}

#[test]
fn the_digest_that_was_named_is_removed_at_another_registry() {
    let Some(registry) = Distribution::start() else { return };
    removed(&elsewhere(&registry), "removed elsewhere");
}

#[test]
fn images_are_listed_by_cluster_organisation_and_project() {
    let scene = Scene::new();
    let url = address(scene.bench.server);
    let hidden = crate::bench::bench();
    let flat = |path: &str| format!("{}/{path}", scene.bench.project);
    for (repository, seed) in [(flat("app"), "app"), (flat("lab/app"), "deep"), (flat("labs/app"), "deeper")]
    {
        let image = image(Family::Oci, Packing::Gzip, seed, "amd64");
        scene.bench.admin.push_image(&repository, "v1", &image);
    }
    scene.bench.admin.push_image(&hidden.repository, "v1", &image(Family::Oci, Packing::Gzip, "x", "amd64"));
    // An empty repository holds no image.
    let empty = hythe_api::NewRepository { name: flat("empty").parse().unwrap() };
    run(scene.api().create_repository(&empty)).unwrap();

    let project = ProjectName::parse(&scene.bench.project).unwrap();
    let main = ClusterName::parse("main").unwrap();
    let names = |images: &Images, within: Within| -> Vec<String> {
        run(images.list(&within)).unwrap().iter().map(ToString::to_string).collect()
    };
    let images = scene.images();
    let expected = ["app", "lab/app", "labs/app"].map(|name| format!("image://main/{}", flat(name)));
    // Public projects of other tests are in it as well, and nothing that is hidden from the pusher.
    let everything = names(&images, Within::everything());
    assert!(expected.iter().all(|name| everything.contains(name)), "{everything:?}");
    assert!(!everything.iter().any(|name| name.contains(&hidden.project)), "{everything:?}");
    let in_main = names(&images, Within::everything().cluster(main).project(project.clone()));
    assert_eq!(in_main, expected);
    assert_eq!(names(&images, Within::everything().project(project.clone())), expected);
    let other = ProjectName::parse(&hidden.project).unwrap();
    assert!(names(&images, Within::everything().project(other)).is_empty());
    let nowhere = Within::everything().cluster(ClusterName::parse("nowhere").unwrap());
    let error = run(images.list(&nowhere)).unwrap_err();
    assert!(error.to_string().contains("it has `main`"), "{error}");

    // The same repositories where their first component is an organisation.
    let second = cluster("second", &url, Some(&scene.bench.project), Some("lab"));
    let images = scene.images_in(vec![second]);
    let within = Within::everything().org(project);
    let lab = ProjectName::parse("lab").unwrap();
    let in_lab = format!("image://second/{}", flat("lab/app"));
    assert_eq!(names(&images, within.clone().project(lab.clone())), std::slice::from_ref(&in_lab));
    assert_eq!(names(&images, Within::everything().project(lab)), [in_lab]);
    assert_eq!(
        names(&images, within),
        [flat("lab/app"), flat("labs/app")].map(|path| format!("image://second/{path}"))
    );
}

#[test]
fn another_registry_is_listed_by_its_catalogue() {
    let Some(registry) = Distribution::start() else { return };
    let images = elsewhere(&registry);
    for name in ["image:/lab/app", "image:/lab/tools/solver", "image:/labs/app"] {
        fill(&images, &images.remote_image(name).unwrap(), "listed elsewhere");
    }
    let stray =
        RemoteImage::new_external_image("stray", images.profile().clusters()[0].registry().clone(), None);
    fill(&images, &stray.unwrap(), "listed elsewhere");
    let names = |within: Within| -> Vec<String> {
        run(images.list(&within)).unwrap().iter().map(ToString::to_string).collect()
    };
    let all = names(Within::everything());
    let external = format!("{}/stray", registry.host());
    assert_eq!(
        all,
        ["image://main/lab/app", "image://main/lab/tools/solver", "image://main/labs/app", &external]
    );
    assert_eq!(names(Within::everything().project(ProjectName::parse("lab").unwrap())), all[..2]);
}

#[test]
fn a_container_is_saved_as_an_image() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let (engine, _) = docker_with(docker, &scene.bench.project, "sdk-images/running:v1");
    let cli = docker.cli();
    let made = cli.run(&["create", "--network=none", "sdk-images/running:v1", "/nothing"]).ok().stdout;
    let container = made.trim();
    let images = scene.images().with_engine(engine);
    let heard = Heard::default();
    let remote = images.remote_image("image:notebooks/saved:monday").unwrap();
    let saved = run(images.save(container, &remote, &heard.reporter())).unwrap();
    assert_eq!(saved.digest().unwrap().to_string(), scene.whole_in(saved.repository().as_str(), "monday"));
    let lines = heard.lines();
    assert_eq!(
        lines[..3],
        [
            format!("save {container} {remote}"),
            format!("commit {container} {remote}"),
            format!("committed {remote}")
        ]
    );
    assert!(lines.iter().any(|line| line == "step Pushed"), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("push")), "a save has one beginning: {lines:?}");

    let heard = Heard::default();
    let local = images.local_image("sdk-images/committed:v1").unwrap();
    let id = run(images.commit(container, &local, &heard.reporter())).unwrap();
    let inspected = cli.run(&["image", "inspect", "--format", "{{.Id}}", &local.to_string()]).ok().stdout;
    assert_eq!(inspected.trim(), id.to_string());
    assert_eq!(heard.lines(), [format!("commit {container} {local}"), format!("committed {local}")]);
    let error = run(images.save("no-such-container", &remote, &Reporter::silent())).unwrap_err();
    assert!(error.to_string().contains("no-such-container"), "{error}");
}

#[test]
fn an_external_image_takes_the_login_that_docker_keeps() {
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let name = format!("{}/{}:v1", scene.bench.server.host(), scene.bench.repository);
    // No cluster is set up: the registry is another one than ours.
    let images = Images::new(outbound(), Profile::default());
    let external = images.remote_image(&name).unwrap();
    assert!(!external.is_platform());
    assert!(run(images.digest(&external)).unwrap_err().is_denied());

    let folder = run_folder::fresh("docker-config");
    let pair = format!("{}:{}", scene.pusher.name, scene.pusher.password);
    let auth = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, pair);
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{auth}"}}}}}}"#, scene.bench.server.host());
    std::fs::write(folder.join("config.json"), config).unwrap();
    let places = LoginPlaces { docker_config: Some(folder), ..LoginPlaces::default() };
    let images = images.with_other_logins(Logins::read(&places));
    assert_eq!(run(images.digest(&external)).unwrap().to_string(), image.manifest.digest());
    assert_eq!(run(images.tags(&external)).unwrap(), [external]);
}
