//! Saving, loading, committing, and counting a transfer before it is made.

use hythe_testbed::{Docker, Family, Hythe, Options, Packing, docker_archive, image, layout_tar, tools};

use crate::images::layout;
use crate::{admin_of, exits, hythe, json, text};

#[test]
fn a_transfer_is_counted_before_it_is_made() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("counted");
    let sizes: Vec<u64> = image.blobs.iter().map(|blob| blob.bytes.len() as u64).collect();
    let all: u64 = sizes.iter().sum();
    let source = format!("oci:{}", text(&folder));
    let dry = |arguments: &[&str]| json(&admin.run(&[arguments, &["--dry-run", "-o", "json"]].concat()).ok());
    let figures = |told: &serde_json::Value| {
        ["blobs", "bytes", "blobs_there", "bytes_there"].map(|name| told[name].as_u64().unwrap())
    };

    let told = dry(&["push", &source, "lab/app:v1"]);
    assert_eq!(told["digest"], image.manifest.digest().as_str());
    assert_eq!((told["dry_run"].as_bool(), figures(&told)), (Some(true), [3, all, 0, 0]));
    let archive = layout_tar(&[("v1", &image.manifest)], &image.blobs.iter().collect::<Vec<_>>());
    assert_eq!(figures(&dry(&["load", text(&archive), "lab/app:v1"])), [3, all, 0, 0]);
    exits(admin.run(&["digest", "lab/app:v1"]), 5);

    // One layer is there beforehand.
    server.admin().push_blob("lab/app", &image.blobs[1].bytes);
    assert_eq!(figures(&dry(&["push", &source, "lab/app:v1"])), [2, all - sizes[1], 1, sizes[1]]);
    admin
        .run(&["push", &source, "lab/app:v1", "--dry-run"])
        .ok()
        .says("2 blobs to be sent")
        .says("1 are there");
    admin.run(&["push", &source, "lab/app:v1"]).ok();
    assert_eq!(figures(&dry(&["push", &source, "lab/app:v1"])), [0, 0, 3, all]);
    assert_eq!(figures(&dry(&["copy", "lab/app:v1", "lab/other:v1"])), [3, all, 0, 0]);
    exits(admin.run(&["digest", "lab/other:v1"]), 5);

    let back = folder.with_extension("dry");
    let target = format!("oci:{}", text(&back));
    assert_eq!(figures(&dry(&["pull", "lab/app:v1", &target])), [3, all, 0, 0]);
    assert!(!back.exists());
    admin.run(&["pull", "lab/app:v1", &target]).ok();
    assert_eq!(figures(&dry(&["pull", "lab/app:v1", &target])), [0, 0, 3, all]);
    let file = folder.with_extension("dry.tar");
    assert_eq!(figures(&dry(&["save", "lab/app:v1", text(&file)])), [3, all, 0, 0]);
    assert!(!file.exists());
    let told = dry(&["save", &source, text(&file)]);
    assert_eq!((&told["digest"], figures(&told)), (&image.manifest.digest().into(), [3, all, 0, 0]));
    assert!(!file.exists(), "a file was written");
    exits(admin.run(&["save", "oci:/no/such/folder", text(&file), "--dry-run"]), 1);
    assert_eq!(dry(&["tag", "lab/app:v1", "v2"])["dry_run"], true);
    exits(admin.run(&["digest", "lab/app:v2"]), 5);
}

#[test]
fn a_saved_image_is_loaded_by_everybody() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("saved");
    admin.run(&["push", &format!("oci:{}", text(&folder)), "lab/saved:v1"]).ok();
    let file = folder.with_extension("tar");
    admin.run(&["save", "lab/saved:v1", text(&file)]).ok().says("Saved");
    let stdout = admin.run(&["save", "lab/saved:v1", "-", "--progress", "none"]).ok();
    assert!(stdout.stdout.contains("manifest.json"), "an archive goes to standard output");

    // Straight into the registry, from a file, a folder and standard input.
    admin.run(&["load", text(&file), "lab/file:v1"]).ok().says(&image.manifest.digest());
    admin.run(&["load", text(&folder), "lab/folder:v1"]).ok().says(&image.manifest.digest());
    exits(admin.run(&["load", text(&file), "archive:elsewhere.tar"]), 2);
    exits(admin.run(&["save", "archive:x.tar", "y.tar"]), 2);
    exits(admin.run(&["load", "/no/such/file", "lab/none:v1"]), 1).says("/no/such/file");

    if let Some(skopeo) = tools::skopeo() {
        skopeo.run(&["inspect", &format!("oci-archive:{}", text(&file))]).ok().says(&image.blobs[1].digest());
        skopeo.run(&["inspect", &format!("docker-archive:{}", text(&file))]).ok().says("amd64");
    }
    if let Some(podman) = tools::podman() {
        podman.run(&["load", "--input", text(&file)]).ok().says("saved:v1");
    }
    let Some(docker) = Docker::shared() else { return };
    docker.cli().run(&["load", "--input", text(&file)]).ok().says("Loaded image: saved:v1");
    let local = admin.env("DOCKER_HOST", docker.host());
    // Into the engine by our own hand, under a name of its own, from an archive and from a layout.
    local.run(&["load", text(&file), "docker:renamed:v2"]).ok().says("renamed:v2");
    let told = json(&local.run(&["load", text(&folder), "docker:laid-out:v3", "-o", "json"]).ok());
    let expected =
        serde_json::json!({ "engine": "docker", "images": ["laid-out:v3"], "bytes": null, "dry_run": false });
    assert_eq!(told, expected);
    let told = json(&local.run(&["load", text(&folder), "docker:dry:v1", "--dry-run", "-o", "json"]).ok());
    let all: usize = image.blobs.iter().map(|blob| blob.bytes.len()).sum();
    assert_eq!((&told["blobs"], &told["bytes"]), (&image.blobs.len().into(), &all.into()), "{told}");
    let told = json(&local.run(&["load", text(&file), "docker:", "--dry-run", "-o", "json"]).ok());
    assert_eq!(told["bytes"], std::fs::metadata(&file).unwrap().len());
    let id = image.blobs[0].digest();
    for name in ["renamed:v2", "laid-out:v3"] {
        let there = docker.cli().run(&["image", "inspect", "--format", "{{.Id}}", name]).ok().stdout;
        assert_eq!(there.trim(), id, "{name}");
    }
    // And out of the engine again.
    let again = folder.with_extension("engine.tar");
    let told = json(&local.run(&["save", "docker:renamed:v2", text(&again), "--dry-run", "-o", "json"]).ok());
    assert_eq!((told["dry_run"].as_bool(), told["blobs"].as_u64()), (Some(true), Some(2)), "{told}");
    assert!(told["bytes"].as_u64().unwrap() > 0 && !again.exists(), "{told}");
    local.run(&["save", "docker:renamed:v2", text(&again)]).ok();
    local.run(&["load", text(&again), "lab/engine:v1"]).ok();
    exits(local.run(&["save", "docker:no-such:v1", text(&again)]), 5);
    let Some(ctr) = tools::ctr() else { return };
    ctr.run(&["images", "import", text(&file)]).ok().says("saved:v1");
    // The same through containerd, by our own hand; it knows images by their full names.
    let contained = admin_of(&server)
        .env("CONTAINERD_ADDRESS", docker.containerd_socket())
        .env("CONTAINERD_NAMESPACE", format!("hythe-load-{}", std::process::id()));
    for from in [&file, &folder] {
        let told = json(&contained.run(&["load", text(from), "containerd:contained:v4", "-o", "json"]).ok());
        assert_eq!(told["images"], serde_json::json!(["docker.io/library/contained:v4"]));
    }
    let again = folder.with_extension("containerd.tar");
    contained.run(&["save", "containerd:contained:v4", text(&again)]).ok();
    contained.run(&["load", text(&again), "lab/contained:v1"]).ok().says(&image.manifest.digest());
}

#[test]
fn an_archive_moves_no_name_but_the_one_asked_for() {
    let Some(docker) = Docker::shared() else { return };
    let (cli, local) = (docker.cli(), hythe().env("DOCKER_HOST", docker.host()));
    let of = |seed: &str| image(Family::Docker, Packing::Plain, seed, "amd64");
    let (own, theirs) = (of("names of ours"), of("names of theirs"));
    let known = docker_archive(&own, "names-ours:v1");
    cli.run(&["load", "--input", text(&known)]).ok();
    // It says that it is ours.
    let theirs_archive = docker_archive(&theirs, "names-ours:v1");
    let asked = json(&local.run(&["load", text(&theirs_archive), "docker:names-asked", "-o", "json"]).ok());
    assert_eq!(asked["images"], serde_json::json!(["names-asked:latest"]));
    let id = |name: &str| cli.run(&["image", "inspect", "--format", "{{.Id}}", name]).ok().stdout;
    assert_eq!(id("names-asked:latest").trim(), theirs.blobs[0].digest());
    assert_eq!(id("names-ours:v1").trim(), own.blobs[0].digest());

    // Of several, one is named.
    let both = known.with_extension("both.tar");
    cli.run(&["save", "--output", text(&both), "names-ours:v1", "names-asked:latest"]).ok();
    exits(local.run(&["load", text(&both), "docker:names-one:v1"]), 1).says("archive:FILE:NAME");
    exits(local.run(&["load", "oci-archive:/no/such/file", "docker:names-one:v1"]), 1);
    let chosen = format!("archive:{}:names-ours:v1", text(&both));
    local.run(&["load", &chosen, "docker:names-one:v1"]).ok().says("names-one:v1");
    assert_eq!(id("names-one:v1").trim(), own.blobs[0].digest());
}

#[test]
fn a_container_becomes_an_image_of_the_registry() {
    let Some(docker) = Docker::shared() else { return };
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server).env("DOCKER_HOST", docker.host());
    admin.run(&["project", "create", "lab"]).ok();
    let base = image(Family::Docker, Packing::Plain, "to commit", "amd64");
    let cli = docker.cli();
    cli.run(&["load", "--input", docker_archive(&base, "to-commit:v1").to_str().unwrap()]).ok();
    let container = cli.run(&["create", "--network=none", "to-commit:v1", "/nothing"]).ok().stdout;
    let container = container.trim();

    let dry = admin.run(&["commit", container, "lab/made:v1", "--dry-run", "-o", "json"]).ok();
    // Nothing of it was pushed before, so nobody knows what its layers come to: the image's own, and the container's.
    assert_eq!(json(&dry)["layers_to_pack"], base.blobs.len());
    admin.run(&["commit", container, "lab/made:v1", "--dry-run"]).ok().says("Would commit");
    exits(admin.run(&["digest", "lab/made:v1"]), 5);
    exits(admin.run(&["commit", "no-such-container", "lab/made:v1"]), 5).says("no-such-container");
    exits(admin.run(&["commit", container, "podman:made:v1"]), 2);
    let words = ["--message", "a day's work", "--author", "Ada", "--pause=false", "--progress", "json"];
    let made = admin.run(&[&["commit", container, "lab/made:v1", "-o", "json"], &words[..]].concat()).ok();
    let events: Vec<serde_json::Value> =
        made.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["plan", "commit_started", "commit_finished"]);
    assert_eq!((&events[0]["kind"], names.last()), (&"save".into(), Some(&"finished")));
    let told = json(&admin.run(&["info", "lab/made:v1", "-o", "json"]).ok());
    assert_eq!(told["digest"], json(&made)["digest"]);
    assert_eq!(told["image"]["config"]["author"], "Ada");
    let history = told["image"]["history"].as_array().unwrap();
    assert_eq!(history.last().unwrap()["comment"], "a day's work");

    // What stays in the engine goes nowhere.
    admin.run(&["commit", &format!("docker:{container}"), "docker:kept:v1"]).ok().says("kept:v1");
    cli.run(&["image", "inspect", "kept:v1"]).ok();
}
