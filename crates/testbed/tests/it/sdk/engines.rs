//! The engines of a machine: what an image is there, out as an archive, in again, a container as an image.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_client::engine::{Engine, EngineAddress, EngineError, EngineKind};
use hythe_testbed::{Docker, Family, Image, Leash, Packing, Tool, docker_archive, image, layout_tar, tools};

use super::run;

/// An image whose name and bytes no other test has.
fn sample(seed: &str) -> Image {
    image(Family::Docker, Packing::Plain, seed, "amd64")
}

fn load(cli: &Tool, seed: &str, name: &str) -> Image {
    let image = sample(seed);
    let archive = docker_archive(&image, name);
    cli.run(&["load", "--input", archive.to_str().unwrap()]).ok();
    image
}

fn connect(kind: EngineKind, socket: PathBuf) -> Engine {
    run(Engine::connect(EngineAddress::new(kind, socket))).unwrap()
}

/// The archive of an image, whole; it is small.
fn exported(engine: &Engine, name: &str) -> Vec<u8> {
    run(async {
        let pieces: Vec<bytes::Bytes> = engine.export(name).unwrap().try_collect().await.unwrap();
        pieces.concat()
    })
}

fn imported(engine: &Engine, archive: Vec<u8>) -> Result<Vec<String>, EngineError> {
    let pieces: Vec<_> = archive.chunks(10_000).map(bytes::Bytes::copy_from_slice).map(Ok).collect();
    run(engine.import(stream::iter(pieces).boxed()))
}

fn entries(archive: &[u8]) -> Vec<String> {
    let mut tar = tar::Archive::new(archive);
    tar.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

/// What every engine with docker's protocol does.
fn round_trip(engine: &Engine, cli: &Tool, name: &str) {
    let image = load(cli, name, name);
    let known = run(engine.inspect(name)).unwrap().unwrap();
    assert_eq!(known.id.to_string(), image.blobs[0].digest());
    assert_eq!(known.platform.as_deref(), Some("linux/amd64"));
    let layers: Vec<_> = image.blobs[1..].iter().map(hythe_testbed::Content::digest).collect();
    assert_eq!(known.diff_ids.iter().map(ToString::to_string).collect::<Vec<_>>(), layers);
    assert!(run(engine.inspect("no-such/image:at-all")).unwrap().is_none());

    let archive = exported(engine, name);
    assert!(entries(&archive).iter().any(|entry| entry == "manifest.json"), "{:?}", entries(&archive));
    cli.run(&["rmi", name]).ok();
    assert!(run(engine.inspect(name)).unwrap().is_none());
    let loaded = imported(engine, archive.clone()).unwrap();
    assert!(loaded.iter().any(|said| said.contains(name)), "{loaded:?}");
    assert_eq!(run(engine.inspect(name)).unwrap().unwrap().id, known.id);

    let (repository, _) = name.rsplit_once(':').unwrap();
    run(engine.tag(name, repository, "again")).unwrap();
    assert_eq!(run(engine.inspect(&format!("{repository}:again"))).unwrap().unwrap().id, known.id);

    // A stream that breaks is told with its reason, whatever the engine says of it.
    let broken =
        stream::iter([Ok(bytes::Bytes::from(archive)), Err(std::io::Error::other("pulled the plug"))]);
    match run(engine.import(broken.take(2).boxed())) {
        Err(error) => assert!(error.to_string().contains("pulled the plug"), "{error}"),
        Ok(loaded) => panic!("{loaded:?}"),
    }
    // Nonsense is refused in the engine's words.
    let nonsense = imported(engine, b"this is no archive".repeat(100));
    assert!(matches!(nonsense, Err(EngineError::Refused { .. })), "{nonsense:?}");
}

#[test]
fn docker_gives_and_takes_images() {
    let Some(docker) = Docker::shared() else { return };
    let socket = docker.host().strip_prefix("unix://").unwrap().into();
    let engine = connect(EngineKind::Docker, socket);
    round_trip(&engine, &docker.cli(), "sdk/docker:v1");
}

#[test]
fn a_container_of_docker_becomes_an_image() {
    let Some(docker) = Docker::shared() else { return };
    let (cli, name) = (docker.cli(), "sdk/committed:base");
    load(&cli, name, name);
    let made = cli.run(&["create", "--network=none", name, "/nothing"]).ok().stdout;
    let engine = connect(EngineKind::Docker, docker.host().strip_prefix("unix://").unwrap().into());
    let id = run(engine.commit(made.trim(), "sdk/committed", "after")).unwrap();
    assert_eq!(run(engine.inspect("sdk/committed:after")).unwrap().unwrap().id, id);
    let missing = run(engine.commit("no-such-container", "sdk/committed", "never"));
    assert!(matches!(missing, Err(EngineError::Refused { status: Some(404), .. })), "{missing:?}");
}

#[test]
fn podman_gives_and_takes_images() {
    let Some(podman) = tools::podman() else { return };
    let socket = podman.home().join("podman.sock");
    let address = format!("unix://{}", socket.display());
    let service = podman.command(&["system", "service", "--time=0", &address]);
    let log = podman.home().join("log");
    let _service = Leash::start(&service, &log);
    let begin = Instant::now();
    while !socket.exists() {
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(begin.elapsed() < Duration::from_secs(30), "podman's service did not start:\n{}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
    round_trip(&connect(EngineKind::Podman, socket), &podman, "localhost/sdk/podman:v1");
}

#[test]
fn containerd_gives_and_takes_images() {
    let Some(ctr) = tools::ctr() else { return };
    let Some(docker) = Docker::shared() else { return };
    let mut address = EngineAddress::new(EngineKind::Containerd, docker.containerd_socket());
    address.namespace = ctr.home().file_name().map(|name| name.to_str().unwrap().to_owned());
    let engine = run(Engine::connect(address)).unwrap();
    let image = image(Family::Oci, Packing::Gzip, "sdk containerd", "amd64");
    let blobs: Vec<_> = image.blobs.iter().collect();
    let tar = layout_tar(&[("v1", &image.manifest)], &blobs);
    let name = "docker.io/sdk/containerd:v1";
    ctr.run(&["images", "import", "--base-name", "docker.io/sdk/containerd", tar.to_str().unwrap()]).ok();
    let known = run(engine.inspect(name)).unwrap().unwrap();
    assert_eq!(known.id.to_string(), image.manifest.digest());
    assert!(known.size > 0);
    let archive = exported(&engine, name);
    let names = entries(&archive);
    let hex = image.manifest.digest().replace("sha256:", "blobs/sha256/");
    assert!(names.contains(&hex), "{hex} is not in {names:?}");
    ctr.run(&["images", "remove", "--sync", name]).ok();
    assert!(run(engine.inspect(name)).unwrap().is_none());
    let loaded = imported(&engine, archive).unwrap();
    assert_eq!(loaded, [name]);
    run(engine.tag(name, "docker.io/sdk/containerd", "again")).unwrap();
    assert_eq!(run(engine.inspect("docker.io/sdk/containerd:again")).unwrap().unwrap().id, known.id);
    let absent = engine.export("docker.io/sdk/none:v1").unwrap();
    let error = run(absent.try_collect::<Vec<_>>()).unwrap_err();
    assert!(error.to_string().contains("not found"), "{error}");
    let flag = engine.export("--help");
    assert!(matches!(flag, Err(EngineError::Refused { .. })));
    let commit = run(engine.commit("x", "y", "z"));
    assert!(matches!(commit, Err(EngineError::Unsupported { .. })));
}

#[test]
fn an_engine_that_is_not_there_is_named_with_its_place() {
    let absent = run(Engine::connect(EngineAddress::new(EngineKind::Docker, "/nowhere/docker.sock")));
    let sentence = absent.unwrap_err().to_string();
    assert!(sentence.contains("docker") && sentence.contains("/nowhere/docker.sock"), "{sentence}");
}
