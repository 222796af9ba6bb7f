//! Pushing through the SDK: from layouts, archives and engines; what is there is not sent; what broke off goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hythe_client::engine::{Archive, Engine, EngineAddress, EngineKind};
use hythe_client::pack::Compression;
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::{Memory, PullOptions, PushOptions, Target, TransferError};
use hythe_outbound::Url;
use hythe_remote::Remote;
use hythe_testbed::http::Body;
use hythe_testbed::{
    Content, Distribution, Docker, Family, Image, Packing, docker_archive, image, index, layout_folder,
    layout_tar, noise, run_folder, tools,
};

use super::{Scene, heard, outbound, run, target_at};

fn blobs(image: &Image) -> Vec<&Content> {
    image.blobs.iter().collect()
}

fn tag(name: &str) -> hythe_oci::Tag {
    name.parse().unwrap()
}

fn file(path: &Path) -> Archive {
    let bytes = std::fs::read(path).unwrap();
    let pieces: Vec<_> = bytes.chunks(100_000).map(Bytes::copy_from_slice).map(Ok).collect();
    stream::iter(pieces).boxed()
}

#[test]
fn a_layout_is_pushed_byte_for_byte_and_once() {
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Zstd, &scene.bench.project, "amd64");
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let (reporter, events) = heard();
    let push = |reporter: Reporter| {
        let (target, folder) = (scene.target(), folder.clone());
        async move {
            target
                .push_layout(&folder, None, Some(&tag("v1")), &PushOptions::default(), &reporter)
                .await
                .unwrap()
        }
    };
    let pushed = run(push(reporter));
    assert_eq!((pushed.sent, pushed.skipped), (image.blobs.len(), 0));
    assert_eq!(pushed.digest.to_string(), image.manifest.digest());
    assert_eq!(scene.whole("v1"), image.manifest.digest());
    let told = events.lock().unwrap();
    assert!(matches!(told.first(), Some(Event::Plan(plan)) if plan.total.is_some()), "{told:?}");
    assert!(matches!(told.last(), Some(Event::Finished { digest }) if *digest == pushed.digest), "{told:?}");
    let again = run(push(Reporter::silent()));
    assert_eq!((again.sent, again.sent_bytes, again.skipped), (0, 0, image.blobs.len()));
    // In another repository of the registry the blobs are mounted.
    let other = target_at(scene.bench.server, &scene.pusher, &format!("{}-other", scene.bench.repository));
    let (reporter, events) = heard();
    let mounted =
        run(other.push_layout(&folder, Some("v1"), Some(&tag("v1")), &PushOptions::default(), &reporter))
            .unwrap();
    assert_eq!(mounted.sent, 0);
    assert!(events.lock().unwrap().iter().any(|event| matches!(event, Event::Mounted { .. })));
}

#[test]
fn an_index_is_pushed_whole_or_for_one_platform() {
    let scene = Scene::new();
    let of = |architecture| image(Family::Oci, Packing::Gzip, &scene.bench.project, architecture);
    let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
    let mut rest: Vec<&Content> = index.images.iter().map(|image| &image.manifest).collect();
    rest.extend(index.images.iter().flat_map(|image| &image.blobs));
    let folder = layout_folder(&[("all", &index.manifest)], &rest);
    let push = |name: &'static str, platform: Option<&str>| {
        let options =
            PushOptions { platform: platform.map(|text| text.parse().unwrap()), ..PushOptions::default() };
        run(scene.target().push_layout(&folder, Some("all"), Some(&tag(name)), &options, &Reporter::silent()))
    };
    push("all", None).unwrap();
    assert_eq!(scene.whole("all"), index.manifest.digest());
    push("arm", Some("linux/arm64")).unwrap();
    assert_eq!(scene.whole("arm"), index.images[1].manifest.digest());
    let none = push("none", Some("linux/s390x")).unwrap_err();
    assert!(none.to_string().contains("linux/amd64, linux/arm64"), "{none}");
}

#[test]
fn archives_of_every_form_are_pushed_as_they_stream_by() {
    let scene = Scene::new();
    // Larger than what is kept in memory of an archive, so that it streams.
    let docker = large_image(&scene.bench.project, Packing::Plain);
    let name = "some/app:v1";
    let archive = docker_archive(&docker, name);
    let gzipped = archive.with_extension("tar.gz");
    let mut gzip =
        flate2::write::GzEncoder::new(std::fs::File::create(&gzipped).unwrap(), flate2::Compression::fast());
    std::io::copy(&mut std::fs::File::open(&archive).unwrap(), &mut gzip).unwrap();
    gzip.finish().unwrap();
    let push = |path: &Path, to: &'static str, options: &PushOptions| {
        run(scene.target().push_archive(file(path), Some(name), Some(&tag(to)), options, &Reporter::silent()))
            .unwrap()
    };
    let plain = push(&archive, "plain", &PushOptions::default());
    assert_eq!(scene.whole("plain"), plain.digest.to_string());
    assert_eq!(push(&gzipped, "gzipped", &PushOptions::default()).digest, plain.digest, "the same bytes");
    let packed = |compression| PushOptions { compression: Some(compression), ..PushOptions::default() };
    let zstd = push(&archive, "zstd", &packed(Compression::Zstd));
    assert_eq!(scene.whole("zstd"), zstd.digest.to_string());
    assert_ne!(zstd.digest, plain.digest);
    // What the project prefers is done where nothing else is asked for.
    let project = format!("/api/v1/projects/{}", scene.bench.project);
    let preferred = Body::Whole(br#"{"compression":"zstd"}"#.to_vec());
    let patch = scene.bench.admin.ask("PATCH", &project).header("Content-Type", "application/json");
    patch.body(preferred).send().is(200);
    assert_eq!(push(&archive, "preferred", &PushOptions::default()).digest, zstd.digest);
    assert_eq!(push(&archive, "asked", &packed(Compression::Gzip)).digest, plain.digest);
    // An OCI layout in a tar keeps its bytes.
    let oci = large_image(&scene.bench.project, Packing::Gzip);
    let tar = layout_tar(&[("v1", &oci.manifest)], &blobs(&oci));
    let pushed = run(scene.target().push_archive(
        file(&tar),
        None,
        Some(&tag("oci")),
        &PushOptions::default(),
        &Reporter::silent(),
    ));
    assert_eq!(pushed.unwrap().digest.to_string(), oci.manifest.digest());
    assert_eq!(scene.whole("oci"), oci.manifest.digest());
}

/// An image with a layer of some MiB.
fn large_image(seed: &str, packing: Packing) -> Image {
    let mut tar = tar::Builder::new(Vec::new());
    let content = noise(seed, 3 << 20);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "data/noise", content.as_slice()).unwrap();
    Image::of_layers(Family::Oci, packing, vec![tar.into_inner().unwrap()], seed, "amd64")
}

#[test]
fn an_image_of_docker_is_pushed_and_remembered() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = docker.cli();
    let name = "sdk/push-docker:v1";
    let image = large_image(&scene.bench.project, Packing::Plain);
    cli.run(&["load", "--input", docker_archive(&image, name).to_str().unwrap()]).ok();
    let socket = docker.host().strip_prefix("unix://").unwrap().to_owned();
    let folder = run_folder::fresh("memory");
    let options = PushOptions { memory: Some(Memory::at(&folder)), ..PushOptions::default() };
    let push_to = |target: Target, to: &'static str, reporter: Reporter| {
        let (options, socket) = (options.clone(), socket.clone());
        run(async move {
            let engine = Engine::connect(EngineAddress::new(EngineKind::Docker, socket)).await.unwrap();
            target.push_engine(&engine, name, Some(&tag(to)), &options, &reporter).await
        })
    };
    let push = |to, reporter| push_to(scene.target(), to, reporter);
    let (reporter, events) = heard();
    let pushed = push("v1", reporter).unwrap();
    assert_eq!(scene.whole("v1"), pushed.digest.to_string());
    assert!(pushed.sent > 0);
    assert!(events.lock().unwrap().iter().any(|event| matches!(event, Event::Compressing { .. })));
    // Nothing is read the second time.
    let (reporter, events) = heard();
    let again = push("v2", reporter).unwrap();
    assert_eq!((again.digest, again.sent), (pushed.digest, 0));
    assert!(!events.lock().unwrap().iter().any(|event| matches!(event, Event::Compressing { .. })));
    assert_eq!(scene.whole("v2"), pushed.digest.to_string());
    // In another repository of the registry the layers are mounted, and not read either.
    let (reporter, events) = heard();
    let elsewhere = format!("{}/elsewhere", scene.bench.project);
    let target = target_at(scene.bench.server, &scene.pusher, &elsewhere);
    assert_eq!(push_to(target, "v1", reporter).unwrap().digest, pushed.digest);
    let told = events.lock().unwrap();
    assert!(told.iter().any(|event| matches!(event, Event::Mounted { .. })), "{told:?}");
    assert!(!told.iter().any(|event| matches!(event, Event::Compressing { .. })), "{told:?}");
    assert_eq!(scene.whole_in(&elsewhere, "v1"), pushed.digest.to_string());
    // docker gets back what it gave.
    let id = |name: &str| cli.run(&["image", "inspect", "--format", "{{.Id}}", name]).ok().stdout;
    let before = id(name);
    let full = format!("{}/{}:v1", scene.bench.server.host(), scene.bench.repository);
    cli.run(&["rmi", name]).ok();
    cli.run_with(
        &["login", "--username", &scene.pusher.name, "--password-stdin", &scene.bench.server.host()],
        &scene.pusher.password,
    )
    .ok();
    cli.run(&["pull", &full]).ok();
    assert_eq!(id(&full), before);
    let missing = {
        let target = scene.target();
        run(async move {
            let engine = Engine::connect(EngineAddress::new(EngineKind::Docker, socket)).await.unwrap();
            let options = PushOptions::default();
            target.push_engine(&engine, "no-such/image:v1", None, &options, &Reporter::silent()).await
        })
    };
    assert!(missing.unwrap_err().to_string().contains("no-such/image:v1"));
}

#[test]
fn an_image_of_containerd_keeps_its_digest() {
    let (Some(ctr), Some(docker)) = (tools::ctr(), Docker::shared()) else { return };
    let scene = Scene::new();
    let image = large_image(&scene.bench.project, Packing::Gzip);
    let tar = layout_tar(&[("v1", &image.manifest)], &blobs(&image));
    ctr.run(&["images", "import", "--base-name", "docker.io/sdk/push-ctr", tar.to_str().unwrap()]).ok();
    let mut address = EngineAddress::new(EngineKind::Containerd, docker.containerd_socket());
    address.namespace = ctr.home().file_name().map(|name| name.to_str().unwrap().to_owned());
    let pushed = run(async {
        let engine = Engine::connect(address).await.unwrap();
        let options = PushOptions::default();
        let name = "docker.io/sdk/push-ctr:v1";
        scene
            .target()
            .push_engine(&engine, name, Some(&tag("v1")), &options, &Reporter::silent())
            .await
            .unwrap()
    });
    assert_eq!(pushed.digest.to_string(), image.manifest.digest());
    assert_eq!(scene.whole("v1"), image.manifest.digest());
}

#[test]
fn a_push_that_was_ended_in_the_middle_goes_on_from_another_folder() {
    let scene = Scene::new();
    let layer = Content {
        media_type: "application/vnd.oci.image.layer.v1.tar+gzip".to_owned(),
        bytes: noise(&scene.bench.project, 48 << 20),
    };
    let image = Image::of_blobs(Family::Oci, vec![layer], "amd64");
    let size = image.blobs[1].bytes.len() as u64;
    let (one, two) = (
        layout_folder(&[("v1", &image.manifest)], &blobs(&image)),
        layout_folder(&[("v1", &image.manifest)], &blobs(&image)),
    );
    run(async {
        // Ended when half of it was sent: nothing is said to the server any more, as after a kill.
        let (half, reached) = tokio::sync::oneshot::channel();
        let half = std::sync::Mutex::new(Some(half));
        let reporter = Reporter::to(Arc::new(move |event: &Event| {
            if let Event::Uploading { bytes, .. } = event
                && bytes.done > size / 2
                && let Some(half) = half.lock().unwrap().take()
            {
                half.send(()).unwrap();
            }
        }));
        let (target, options) = (scene.target(), PushOptions::default());
        let (pushed, version) = (PushOptions::default(), tag("v1"));
        tokio::select! {
            pushed = target.push_layout(&one, None, Some(&version), &options, &reporter) => panic!("{pushed:?}"),
            reached = reached => reached.unwrap(),
        }
        drop(target);
        // The server notices the end of the connection.
        let digest = image.blobs[1].digest().parse().unwrap();
        let api = scene.api();
        let received = loop {
            let open = api.own_uploads_of(&digest).await.unwrap();
            if let [upload] = &open[..]
                && upload.received > size / 4
            {
                break upload.received;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let status = api
            .image_status(&scene.bench.repository.parse().unwrap(), &version.clone().into())
            .await
            .unwrap();
        assert!((25..100).contains(&status.places[0].percent), "{status:?}");
        let resumed = scene
            .target()
            .push_layout(&two, None, Some(&version), &pushed, &Reporter::silent())
            .await
            .unwrap();
        // The configuration is small; of the layer only the rest was sent.
        assert!(resumed.sent_bytes <= size - received + 4096, "{resumed:?} after {received}");
    });
    assert_eq!(scene.whole("v1"), image.manifest.digest());
}

#[test]
fn what_is_wrong_with_an_image_is_told_and_nothing_is_named() {
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let layer = folder.join("blobs/sha256").join(image.blobs[1].digest().replace("sha256:", ""));
    let push = || {
        let options = PushOptions::default();
        run(scene.target().push_layout(&folder, None, Some(&tag("bad")), &options, &Reporter::silent()))
    };
    let mut spoilt = image.blobs[1].bytes.clone();
    spoilt[0] ^= 1;
    std::fs::write(&layer, &spoilt).unwrap();
    let refused = push().unwrap_err();
    assert!(
        matches!(&refused, TransferError::Remote(error) if error.code() == Some("DIGEST_INVALID")),
        "{refused:?}"
    );
    std::fs::write(&layer, b"short").unwrap();
    assert!(matches!(push(), Err(TransferError::Source(_))));
    std::fs::remove_file(&layer).unwrap();
    assert!(matches!(push(), Err(TransferError::Source(_))));
    scene.bench.admin.get(&scene.bench.path("manifests/bad")).is(404);
    // What was announced was withdrawn.
    let status = run(scene.api().image_status(&scene.bench.repository.parse().unwrap(), &tag("bad").into()));
    assert_eq!(status.unwrap_err().status(), Some(404));
}

#[test]
fn a_push_to_another_registry_needs_nothing_of_ours() {
    let Some(registry) = Distribution::start() else { return };
    let image = image(Family::Oci, Packing::Gzip, "sdk to a docker-registry", "amd64");
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs(&image));
    let url = Url::parse(&format!("http://{}", registry.host())).unwrap();
    let remote = Remote::new(outbound(), &url, &hythe_client::Credentials::Anonymous).unwrap();
    let target = Target::new(remote, "lab/app".parse().unwrap());
    let push = || {
        let options = PushOptions::default();
        run(target.push_layout(&folder, None, Some(&tag("v1")), &options, &Reporter::silent())).unwrap()
    };
    assert_eq!(push().sent, image.blobs.len());
    assert_eq!(push().sent, 0);
    let pulled = run_folder::fresh("pulled");
    let reference = hythe_oci::Reference::Tag(tag("v1"));
    let options = PullOptions::default();
    let back = run(target.pull_layout(&reference, &pulled, None, &options, &Reporter::silent())).unwrap();
    assert_eq!((back.digest.to_string(), back.received), (image.manifest.digest(), image.blobs.len()));
}
