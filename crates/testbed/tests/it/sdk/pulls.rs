//! Pulling through the SDK: into layouts that skopeo reads, into engines, as archives; wrong bytes leave nothing behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use futures_util::TryStreamExt as _;
use hythe_client::engine::{Engine, EngineAddress, EngineKind};
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::PullOptions;
use hythe_oci::Reference;
use hythe_testbed::{Content, Docker, Family, Image, Packing, image, index, noise, run_folder, tools};

use super::{Scene, heard, run};

fn tag(name: &str) -> Reference {
    Reference::Tag(name.parse().unwrap())
}

/// The blob files of a layout.
fn files(folder: &std::path::Path) -> Vec<PathBuf> {
    fs::read_dir(folder.join("blobs/sha256")).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// An image with a layer that is fetched in parts.
fn large(seed: &str) -> Image {
    let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
    Image::of_blobs(Family::Oci, vec![Content { media_type, bytes: noise(seed, 40 << 20) }], "amd64")
}

#[test]
fn a_layout_gets_every_platform_and_skopeo_reads_it() {
    let scene = Scene::new();
    let of = |architecture| image(Family::Oci, Packing::Gzip, &scene.bench.project, architecture);
    let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
    for image in &index.images {
        scene.bench.admin.push_image(&scene.bench.repository, &image.manifest.digest(), image);
    }
    scene.bench.admin.put_manifest(&scene.bench.repository, "all", &index.manifest).is(201);
    let folder = run_folder::fresh("pulled");
    let pull = |reporter: Reporter| {
        let options = PullOptions::default();
        run(scene.target().pull_layout(&tag("all"), &folder, Some("all"), &options, &reporter)).unwrap()
    };
    let (reporter, events) = heard();
    let pulled = pull(reporter);
    assert_eq!(pulled.digest.to_string(), index.manifest.digest());
    assert!(pulled.received > 0 && pulled.skipped == 0);
    assert!(matches!(events.lock().unwrap().last(), Some(Event::Finished { .. })));
    assert_eq!(pull(Reporter::silent()).received, 0);
    let Some(skopeo) = tools::skopeo() else { return };
    let source = format!("oci:{}:all", folder.display());
    let copy = format!("dir:{}", run_folder::fresh("copied").display());
    skopeo.run(&["copy", "--all", &source, &copy]).ok();
}

#[test]
fn a_large_layer_comes_in_parts_and_goes_on_after_a_break() {
    let scene = Scene::new();
    let image = large(&scene.bench.project);
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let folder = run_folder::fresh("pulled");
    let digest = image.blobs[1].digest().replace("sha256:", "");
    // What an interrupted pull would have left.
    fs::create_dir_all(folder.join("blobs/sha256")).unwrap();
    let partial = folder.join("blobs/sha256").join(format!("{digest}.partial"));
    fs::write(&partial, &image.blobs[1].bytes[..10_000_001]).unwrap();
    let (reporter, events) = heard();
    let options = PullOptions::default();
    run(scene.target().pull_layout(&tag("v1"), &folder, Some("v1"), &options, &reporter)).unwrap();
    assert!(fs::read(folder.join("blobs/sha256").join(&digest)).unwrap() == image.blobs[1].bytes);
    let begun = events.lock().unwrap().iter().find_map(|event| match event {
        Event::Downloading { bytes, .. } if bytes.total == Some(40 << 20) => Some(bytes.done),
        _ => None,
    });
    // It goes on where a block of the disk ends.
    assert!(begun.unwrap() >= 10_000_001 / 4096 * 4096, "{begun:?}");
    // A spoilt rest is found out, and not kept.
    fs::remove_file(folder.join("blobs/sha256").join(&digest)).unwrap();
    fs::write(&partial, [b'x'; 10_000]).unwrap();
    let spoilt =
        run(scene.target().pull_layout(&tag("v1"), &folder, Some("v1"), &options, &Reporter::silent()));
    assert!(spoilt.is_err());
    assert!(
        files(&folder).iter().all(|file| !file.to_str().unwrap().contains(&digest)),
        "{:?}",
        files(&folder)
    );
    run(scene.target().pull_layout(&tag("v1"), &folder, Some("v1"), &options, &Reporter::silent())).unwrap();
}

#[test]
fn a_damaged_registry_gives_no_image() {
    let scene = Scene::new();
    let image = large(&scene.bench.project);
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let hex = image.blobs[1].digest().replace("sha256:", "");
    let path = scene.bench.server.data_folder().join("blobs/sha256").join(&hex[..2]).join(&hex);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(20 << 20).unwrap();
    let folder = run_folder::fresh("pulled");
    let options = PullOptions::default();
    let (reporter, events) = heard();
    let pulled = run(scene.target().pull_layout(&tag("v1"), &folder, Some("v1"), &options, &reporter));
    let error = pulled.unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
    // It would be the same for as long as one cares to ask.
    let events = events.lock().unwrap();
    assert!(!events.iter().any(|event| matches!(event, Event::Retrying { .. })), "{events:?}");
    assert!(!folder.join("index.json").exists());
    assert!(!folder.join("blobs/sha256").join(&hex).exists());
}

#[test]
fn docker_and_containerd_load_what_is_pulled() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let pull = |address: EngineAddress, name: &'static str| {
        run(async {
            let engine = Engine::connect(address).await.unwrap();
            let options = PullOptions::default();
            let target = scene.target();
            target.pull_engine(&tag("v1"), &engine, name, &options, &Reporter::silent()).await.unwrap();
            engine.inspect(name).await.unwrap().unwrap().id.to_string()
        })
    };
    let socket = docker.host().strip_prefix("unix://").unwrap().to_owned();
    let id = pull(EngineAddress::new(EngineKind::Docker, socket), "sdk/pulled:v1");
    assert_eq!(id, image.blobs[0].digest());
    let Some(ctr) = tools::ctr() else { return };
    let mut address = EngineAddress::new(EngineKind::Containerd, docker.containerd_socket());
    address.namespace = ctr.home().file_name().map(|name| name.to_str().unwrap().to_owned());
    assert_eq!(pull(address, "docker.io/sdk/pulled:v1"), image.manifest.digest());
}

#[test]
fn an_archive_loads_in_podman_and_skopeo() {
    let (Some(podman), Some(skopeo)) = (tools::podman(), tools::skopeo()) else { return };
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &image);
    let path = run_folder::fresh("saved").join("image.tar");
    run(async {
        let options = PullOptions::default();
        let (digest, archive) = scene
            .target()
            .pull_archive(&tag("v1"), Some("sdk/saved:v1"), &options, &Reporter::silent())
            .await
            .unwrap();
        assert_eq!(digest.to_string(), image.manifest.digest());
        let pieces: Vec<bytes::Bytes> = archive.try_collect().await.unwrap();
        fs::write(&path, pieces.concat()).unwrap();
    });
    podman.run(&["load", "--input", path.to_str().unwrap()]).ok();
    let id = podman.run(&["image", "inspect", "--format", "{{.Id}}", "sdk/saved:v1"]).ok().stdout;
    assert_eq!(format!("sha256:{}", id.trim()), image.blobs[0].digest());
    for form in ["docker-archive", "oci-archive"] {
        let copy = format!("dir:{}", run_folder::fresh("copied").display());
        skopeo.run(&["copy", &format!("{form}:{}", path.display()), &copy]).ok();
    }
}
