//! Images by command line: push, pull, list, status, wait.

use std::fs;

use hythe_testbed::{
    Content, Docker, Family, Hythe, Image, Options, Packing, docker_archive, image, layout_folder, tools,
};

use crate::{admin_of, exits, hythe, json, text};

/// An image in a layout, and where that is.
pub(crate) fn layout(seed: &str) -> (Image, std::path::PathBuf) {
    let image = image(Family::Oci, Packing::Gzip, seed, "amd64");
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
    (image, folder)
}

#[test]
fn an_image_goes_out_and_comes_back() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("out and back");
    let source = format!("oci:{}", text(&folder));
    let pushed = admin.run(&["push", &source, "lab/app:v1"]).ok().says("Pushed").says("done");
    assert!(pushed.stdout.contains(&image.manifest.digest()), "{pushed}");
    let told =
        json(&admin.run(&["push", &source, "lab/app:v1", "--output", "json", "--progress", "none"]).ok());
    assert_eq!(told["digest"], image.manifest.digest().as_str());
    assert_eq!((told["repository"].as_str(), told["tag"].as_str()), (Some("lab/app"), Some("v1")));
    assert_eq!((told["blobs_sent"].as_u64(), told["blobs_skipped"].as_u64()), (Some(0), Some(3)));

    // The events for programs are lines of JSON, from the plan to the end.
    let events = admin.run(&["push", &source, "lab/again:v1", "--progress", "json"]).ok();
    let events: Vec<serde_json::Value> =
        events.stderr.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.first().unwrap()["event"], "plan");
    assert_eq!(events.last().unwrap()["event"], "finished");

    admin.run(&["ls"]).ok().says("lab");
    let listed = json(&admin.run(&["ls", "lab", "--output", "json"]).ok());
    let names: Vec<_> =
        listed.as_array().unwrap().iter().map(|image| image["repository"].as_str().unwrap()).collect();
    assert_eq!(names, ["lab/again", "lab/app"]);
    admin.run(&["ls", "lab/app"]).ok().says("lab/app:v1");
    exits(admin.run(&["ls", "lab/none"]), 5);

    let back = folder.with_extension("back");
    let target = format!("oci:{}", text(&back));
    admin.run(&["pull", "lab/app:v1", &target]).ok().says(&image.manifest.digest());
    for blob in image.blobs.iter().chain([&image.manifest]) {
        let path = back.join("blobs/sha256").join(blob.digest().replace("sha256:", ""));
        assert!(fs::read(path).unwrap() == blob.bytes);
    }
    let file = folder.with_extension("tar");
    admin.run(&["pull", "lab/app:v1", &format!("archive:{}", text(&file))]).ok();
    admin
        .run(&["push", &format!("archive:{}", text(&file)), "lab/third:v1"])
        .ok()
        .says(&image.manifest.digest());
    let by_digest = format!("lab/app@{}", image.manifest.digest());
    admin.run(&["pull", &by_digest, &target]).ok();
}

#[test]
fn a_copy_has_the_tag_that_was_read() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("copied names");
    let digest = image.manifest.digest();
    for tag in ["latest", "v1"] {
        admin.run(&["push", &format!("oci:{}", text(&folder)), &format!("lab/app:{tag}")]).ok();
    }
    let by_digest = format!("lab/app@{digest}");
    for (from, to, tags) in [
        ("lab/app", "lab/bare", &["latest"][..]),
        ("lab/app:v1", "lab/from", &["v1"]),
        ("lab/app", "lab/to:v2", &["v2"]),
        (by_digest.as_str(), "lab/digest", &[]),
    ] {
        let told = json(&admin.run(&["copy", from, to, "--output", "json"]).ok());
        assert_eq!((&told["digest"], told["tag"].as_str()), (&digest.clone().into(), tags.first().copied()));
        let repository = to.split(':').next().unwrap();
        let named = json(&admin.run(&["tags", repository, "--output", "json"]).ok());
        assert_eq!(named, serde_json::json!(tags), "{from} to {to}");
    }
}

#[test]
fn names_come_and_go() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    admin.run(&["whoami"]).ok().says("admin");
    let (image, folder) = layout("names");
    let digest = image.manifest.digest();
    admin.run(&["push", &format!("oci:{}", text(&folder)), "lab/app:v1"]).ok();
    admin.run(&["tag", "lab/app:v1", "v2"]).ok().says(&digest);
    admin.run(&["tag", "lab/app:v1", "latest"]).ok();
    assert_eq!(
        json(&admin.run(&["tags", "lab/app", "--output", "json"]).ok()),
        serde_json::json!(["latest", "v1", "v2"])
    );
    assert_eq!(admin.run(&["digest", "lab/app"]).ok().stdout.trim(), digest);
    let size = json(&admin.run(&["size", "lab/app:v2", "--output", "json"]).ok());
    let bytes: usize = image.blobs.iter().map(|blob| blob.bytes.len()).sum();
    assert_eq!(size["bytes"], bytes);
    assert_eq!(size["platforms"][0]["bytes"], bytes);

    admin.run(&["rm", "lab/app:v1", "--dry-run"]).ok().says("Would remove");
    admin.run(&["rm", "lab/app:v1"]).ok().says("the image stays under latest, v2");
    exits(admin.run(&["rm", "lab/app:v1"]), 5);
    exits(admin.run(&["rm", "lab/app"]), 2);
    // A digest that the tag does not name any more removes nothing.
    let (_, other) = layout("another one");
    admin.run(&["push", &format!("oci:{}", text(&other)), "lab/app:v2"]).ok();
    exits(admin.run(&["rm", &format!("lab/app:v2@{digest}")]), 6);
    let removed = json(&admin.run(&["rm", &format!("lab/app@{digest}"), "--output", "json"]).ok());
    assert_eq!(removed["removed"][0]["tags"], serde_json::json!(["latest"]));
    exits(admin.run(&["digest", "lab/app:latest"]), 5);
    admin.run(&["digest", "lab/app:v2"]).ok();
}

#[test]
fn a_status_is_told_and_waited_for() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    exits(admin.run(&["status", "lab/app:v1"]), 5);
    exits(admin.run(&["wait", "lab/app:v1", "--timeout", "1s"]), 5);
    let (image, folder) = layout("status");
    // Announced and not pushed.
    let announcement = format!("/api/v1/repositories/lab%2Fapp/announcements/{}", image.manifest.digest());
    let body =
        serde_json::json!({ "tag": "v1", "parts": [{ "digest": image.blobs[0].digest(), "size": 10 }] });
    let asked = server.admin().ask("PUT", &announcement).header("content-type", "application/json");
    asked.body(hythe_testbed::http::Body::Whole(body.to_string().into_bytes())).send().is(204);
    admin.run(&["status", "lab/app:v1"]).ok().says("pending").says("0 %");
    exits(admin.run(&["wait", "lab/app:v1", "--timeout", "1s"]), 9).says("not ready");
    admin.run(&["push", &format!("oci:{}", text(&folder)), "lab/app:v1"]).ok();
    admin.run(&["wait", &format!("lab/app@{}", image.manifest.digest())]).ok().says("ready");
    let told = json(&admin.run(&["status", "lab/app:v1", "--output", "json"]).ok());
    assert_eq!(
        (told["status"].as_str(), told["digest"].as_str()),
        (Some("READY"), Some(&*image.manifest.digest()))
    );
}

#[test]
fn what_cannot_be_done_is_told_with_its_exit_code() {
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("wrong");
    let source = format!("oci:{}", text(&folder));
    exits(admin.run(&["push", &source]), 2).says("PROJECT/NAME:TAG");
    // Without a server a name is no image of Docker Hub.
    exits(hythe().run(&["push", &source, "lab/app:v1"]), 2).says("No server is named");
    exits(admin.run(&["push", &source, "no-such-project/app:v1"]), 5);
    exits(admin.run(&["push", "oci:/nowhere", "lab/app:v1"]), 1).says("/nowhere");
    exits(admin.run(&["push", &source, "lab/app:v1", "--platform", "nonsense"]), 2);
    exits(admin.run(&["pull", "lab/none:v1", "oci:out"]), 5);
    let wrong = admin.clone().env("HYTHE_PASSWORD", "not the password");
    exits(wrong.run(&["push", &source, "lab/app:v1"]), 4);
    let layer = folder.join("blobs/sha256").join(image.blobs[2].digest().replace("sha256:", ""));
    fs::write(layer, b"spoilt").unwrap();
    exits(admin.run(&["push", &source, "lab/app:v1"]), 1).says("bytes long in the layout");
    let gone = admin.env("HYTHE_SERVER", "http://127.0.0.1:1");
    exits(gone.run(&["push", &source, "lab/app:v1"]), 7);
}

#[test]
fn docker_gives_an_image_and_gets_it_back() {
    let Some(docker) = Docker::shared() else { return };
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server).env("DOCKER_HOST", docker.host()).env("HYTHE_PROJECT", "lab");
    admin.run(&["project", "create", "lab"]).ok();
    let name = "cli-push:v1";
    let image = image(Family::Docker, Packing::Plain, "by command line", "amd64");
    let cli = docker.cli();
    cli.run(&["load", "--input", docker_archive(&image, name).to_str().unwrap()]).ok();
    let told = json(&admin.run(&["push", name, "--output", "json"]).ok());
    assert_eq!(told["repository"], "lab/cli-push");
    let id = image.blobs[0].digest();
    let unique = json(&admin.run(&["push", &format!("docker:{name}"), "--unique", "--output", "json"]).ok());
    assert_eq!(unique["tag"], format!("v1-{}", &id["sha256:".len()..][..10]).as_str());
    assert_eq!(unique["digest"], told["digest"]);
    admin.run(&["pull", "cli-push:v1", "docker:cli-pulled:v1"]).ok();
    let back = cli.run(&["image", "inspect", "--format", "{{.Id}}", "cli-pulled:v1"]).ok().stdout;
    assert_eq!(back.trim(), id);
    exits(admin.run(&["push", "docker:no-such-image:v1"]), 5).says("no-such-image:v1");
}

#[test]
fn docker_podman_and_skopeo_use_the_login() {
    let (Some(docker), Some(podman), Some(skopeo)) = (Docker::shared(), tools::podman(), tools::skopeo())
    else {
        return;
    };
    let server = Hythe::start(Options::default());
    let admin = admin_of(&server);
    admin.run(&["project", "create", "lab"]).ok();
    let (image, folder) = layout("by a helper");
    admin.run(&["push", &format!("oci:{}", text(&folder)), "lab/app:v1"]).ok();

    let person = hythe();
    let home = person.home().to_owned();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", home.join(".local/bin").display());
    let person = person.env("PATH", &path);
    // What is in docker's file already stays there.
    let config = home.join(".docker/config.json");
    fs::create_dir_all(home.join(".docker")).unwrap();
    fs::write(&config, r#"{"detachKeys":"ctrl-e,e","auths":{"other.example":{"auth":"YTpi"}}}"#).unwrap();
    let (name, password) = server.admin_login();
    let url = format!("http://{}", server.host());
    let login = ["login", "--docker", "--server", &url, "--username", name, "--password-stdin"];
    person.run_with(&login, password).ok().says("docker-credential-hythe");
    person.run_with(&login, password).ok();
    let kept: serde_json::Value = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    assert_eq!(kept["credHelpers"][server.host()], "hythe");
    assert_eq!(
        (kept["detachKeys"].as_str(), kept["auths"]["other.example"]["auth"].as_str()),
        (Some("ctrl-e,e"), Some("YTpi"))
    );
    assert!(!fs::read_to_string(&config).unwrap().contains(password));

    let as_person = |tool: hythe_testbed::Tool| {
        tool.env("PATH", &path)
            .env("DOCKER_CONFIG", home.join(".docker"))
            .env("XDG_CONFIG_HOME", home.join(".config"))
    };
    let full = format!("{}/lab/app:v1", server.host());
    let cli = as_person(docker.cli());
    cli.run(&["pull", &full]).ok();
    cli.run(&["tag", &full, &format!("{}/lab/docker:v1", server.host())]).ok();
    cli.run(&["push", &format!("{}/lab/docker:v1", server.host())]).ok();
    // These two read docker's file in the home.
    let source = format!("docker://{full}");
    let skopeo = as_person(skopeo).env("HOME", &home).env("REGISTRY_AUTH_FILE", &config);
    skopeo.run(&["inspect", "--tls-verify=false", &source]).ok().says(&image.manifest.digest());
    let podman = as_person(podman).env("HOME", &home).env("REGISTRY_AUTH_FILE", &config);
    podman.run(&["pull", "--tls-verify=false", &full]).ok();

    person.run(&["logout", "--server", &url]).ok();
    cli.run(&["rmi", &full]).ok();
    cli.run(&["pull", &full]).refused();
}
