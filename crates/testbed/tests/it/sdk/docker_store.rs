//! Images of docker out of its own folder: the same as docker would export, and asked of docker where the folder is not
//! as it is known to be.

use std::path::PathBuf;

use hythe_client::engine::{Engine, EngineAddress, EngineKind};
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::{PushOptions, Pushed};
use hythe_testbed::{Docker, Family, Image, Packing, digest, docker_archive, noise};
use tar::EntryType as Kind;

use super::{Scene, heard, run};

/// A layer with everything that an archive can hold and a folder shows otherwise.
fn awkward_layer(seed: &str) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut add = |kind: Kind, path: &[u8], link: &str, content: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(content.len() as u64);
        header.set_mode(if kind.is_dir() { 0o700 } else { 0o4640 });
        header.set_mtime(1_700_000_000);
        header.set_uid(4711);
        header.as_old_mut().name[..path.len()].copy_from_slice(path);
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_device_major(1).unwrap();
        header.set_device_minor(3).unwrap();
        header.set_cksum();
        tar.append(&header, content).unwrap();
    };
    let large = noise(seed, 3_000_001);
    add(Kind::Directory, b"d/", "", b"");
    add(Kind::Regular, b"d/large", "", &large);
    add(Kind::Regular, b"./dot", "", b"a name that begins with a dot");
    add(Kind::Regular, b"/absolute", "", b"a name that begins with a slash");
    add(Kind::Regular, b"d/\xff\xfe", "", b"a name that is no text");
    add(Kind::Regular, b"d/empty", "", b"");
    add(Kind::Symlink, b"d/outside", "/etc/passwd", b"");
    add(Kind::Link, b"d/hard", "d/large", b"");
    add(Kind::Fifo, b"d/pipe", "", b"");
    add(Kind::Char, b"d/null", "", b"");
    add(Kind::Regular, b"d/.wh.gone", "", b"");
    add(Kind::Regular, b".wh..wh..opq", "", b"");
    add(Kind::XHeader, b"attributes", "", b"25 SCHILY.xattr.user.x=1\n");
    add(Kind::Regular, b"with-attributes", "", b"x");
    let long = format!("d/{}/{}", "n".repeat(150), "m".repeat(150));
    add(Kind::GNULongName, b"././@LongLink", "", format!("{long}\0").as_bytes());
    add(Kind::Regular, &long.as_bytes()[..90], "", &noise("long", 70_000));
    let mut bytes = tar.into_inner().unwrap();
    // More at the end than anybody needs.
    bytes.resize(bytes.len() + 20_000, 0);
    bytes
}

fn plain_layer(seed: &str, size: usize) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let content = noise(seed, size);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "noise", content.as_slice()).unwrap();
    tar.into_inner().unwrap()
}

fn push(scene: &Scene, docker: &Docker, name: &str, to: &str, through_engine: bool) -> (Pushed, Vec<Event>) {
    let (reporter, events) = heard();
    let options = PushOptions { through_engine, ..PushOptions::default() };
    let pushed = run(pushed(scene, docker, name, to, &options, &reporter)).unwrap();
    let events = events.lock().unwrap().clone();
    (pushed, events)
}

async fn pushed(
    scene: &Scene,
    docker: &Docker,
    name: &str,
    to: &str,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, hythe_client::transfer::TransferError> {
    let socket = docker.host().strip_prefix("unix://").unwrap().to_owned();
    let engine = Engine::connect(EngineAddress::new(EngineKind::Docker, socket)).await.unwrap();
    scene.target().push_engine(&engine, name, Some(&to.parse().unwrap()), options, reporter).await
}

/// How many layers each plan of a push named: an archive's are not known before it is read.
fn planned(events: &[Event]) -> Vec<usize> {
    let plans = events.iter().filter_map(|event| match event {
        Event::Plan(plan) => Some(plan.layers.len()),
        _ => None,
    });
    plans.collect()
}

fn load(scene: &Scene, docker: &Docker, name: &str, layers: Vec<Vec<u8>>) {
    let image = Image::of_layers(Family::Docker, Packing::Plain, layers, &scene.bench.project, "amd64");
    docker.cli().run(&["load", "--input", docker_archive(&image, name).to_str().unwrap()]).ok();
}

#[test]
fn an_image_of_dockers_folder_is_the_one_that_docker_exports() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let seed = &scene.bench.project;
    let name = "sdk/docker-folder:v1";
    let layers = vec![plain_layer(seed, 1_500_000), awkward_layer(seed), plain_layer("small", 3)];
    load(&scene, docker, name, layers);
    let (stored, events) = push(&scene, docker, name, "stored", false);
    assert_eq!(planned(&events), [3], "it was read from the folder: {events:?}");
    let (exported, events) = push(&scene, docker, name, "exported", true);
    assert_eq!(planned(&events), [0], "it was exported: {events:?}");
    assert_eq!(stored.digest, exported.digest);
    assert_eq!(scene.whole("stored"), stored.digest.to_string());
    let cli = scene.cli().env("DOCKER_HOST", docker.host());
    for asked in [&["push", "--output=json", name][..], &["push", "--output=json", "--through-engine", name]]
    {
        let remote = format!("{}:cli", scene.bench.repository);
        let told = cli.run(&[asked, &[remote.as_str()]].concat()).ok().stdout;
        assert!(told.contains(&stored.digest.to_string()), "{told}");
    }
}

#[test]
fn what_docker_made_of_a_container_comes_out_of_its_folder() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let cli = docker.cli();
    load(&scene, docker, "sdk/docker-made:base", vec![plain_layer(&scene.bench.project, 100_000)]);
    let made = cli.run(&["create", "--network=none", "sdk/docker-made:base", "/nothing"]).ok().stdout;
    let file = cli.home().join("added");
    std::fs::write(&file, noise("added", 200_000)).unwrap();
    cli.run(&["cp", file.to_str().unwrap(), &format!("{}:/added", made.trim())]).ok();
    cli.run(&["commit", made.trim(), "sdk/docker-made:after"]).ok();
    let (stored, events) = push(&scene, docker, "sdk/docker-made:after", "stored", false);
    assert_eq!(planned(&events), [2], "{events:?}");
    assert_eq!(stored.digest, push(&scene, docker, "sdk/docker-made:after", "exported", true).0.digest);
}

#[test]
fn what_is_amiss_in_dockers_folder_is_asked_of_docker() {
    let Some(docker) = Docker::shared() else { return };
    let scene = Scene::new();
    let name = "sdk/docker-amiss:v1";
    let seed = |suffix: &str| format!("{}-{suffix}", scene.bench.project);
    let bottom = plain_layer(&seed("bottom"), 2_000_000);
    load(&scene, docker, name, vec![bottom.clone(), plain_layer(&seed("top"), 100_000)]);
    load(&scene, docker, "sdk/docker-amiss:other", vec![plain_layer(&seed("other"), 2_000_000)]);
    // The lowest layer is described under its own digest.
    let folder_of = |layer: &[u8]| -> PathBuf {
        docker
            .root()
            .join("image/overlay2/layerdb/sha256")
            .join(digest(layer).strip_prefix("sha256:").unwrap())
    };
    // docker reads this file when it starts, and not again.
    let place = folder_of(&bottom).join("cache-id");
    let right = std::fs::read(&place).unwrap();
    let other = std::fs::read(folder_of(&plain_layer(&seed("other"), 2_000_000)).join("cache-id")).unwrap();
    let wrong: [(&str, &[u8], &[usize]); 4] = [
        ("no such folder", b"0123456789abcdef", &[0]),
        ("a folder elsewhere", b"../../../../etc", &[0]),
        ("nothing", b"", &[0]),
        // Found when its last byte has been read and sent.
        ("the files of another layer", &other, &[2, 0]),
    ];
    for (what, content, plans) in wrong {
        std::fs::write(&place, content).unwrap();
        let (pushed, events) = push(&scene, docker, name, "v1", false);
        assert_eq!(planned(&events), plans, "{what}: {events:?}");
        assert_eq!(scene.whole("v1"), pushed.digest.to_string(), "{what}");
    }
    std::fs::write(&place, right).unwrap();
    let (_, events) = push(&scene, docker, name, "v2", false);
    assert_eq!(planned(&events), [2]);
}
