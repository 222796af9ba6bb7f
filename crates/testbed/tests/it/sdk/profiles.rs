//! Profiles: the file that a person writes or `hythe profile` does, read by the command line and by the SDK.

use std::path::Path;

use hythe_client::Images;
use hythe_client::account::OwnLogin;
use hythe_client::image::Registry;
use hythe_client::profiles::{Profiles, ProfilesError};
use hythe_testbed::{Distribution, Family, Hythe, Outcome, Packing, Tool, image, run_folder};

use super::{Scene, address, outbound, run};

/// The command line, as the scene's pusher, with this folder of settings and these variables.
fn hythe(scene: &Scene, settings: &Path, variables: &[(&str, &str)]) -> Tool {
    let tool = Tool::new(Hythe::binary())
        .env("HYTHE_USERNAME", &scene.pusher.name)
        .env("HYTHE_PASSWORD", &scene.pusher.password)
        .env("XDG_CONFIG_HOME", settings);
    variables.iter().fold(tool, |tool, (name, value)| tool.env(name, value))
}

/// The image that a command told of, as docker would write it.
#[track_caller]
fn image_of(outcome: Outcome) -> String {
    let outcome = outcome.ok();
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    told["image"].as_str().unwrap_or_else(|| panic!("{outcome}")).to_owned()
}

#[test]
fn a_profile_says_server_and_project() {
    let Some(other) = Distribution::start() else { return };
    let scene = Scene::new();
    let settings = run_folder::fresh("settings");
    let (project, here, there) = (&scene.bench.project, scene.bench.server.host(), other.host());
    let sample = image(Family::Oci, Packing::Gzip, project, "amd64");
    scene.bench.admin.push_image(&format!("{project}/app"), "v1", &sample);
    let plain = hythe(&scene, &settings, &[]);

    assert_eq!(plain.run(&["--output", "json", "profile", "ls"]).ok().stdout.trim(), "[]");
    let nameless = plain.run(&["profile", "set", "campus"]).refused();
    assert_eq!(nameless.status, Some(2));
    nameless.says("hythe profile set campus --server URL");
    plain.run(&["profile", "set", "campus", "--server", &here, "--project", project]).ok();
    plain.run(&["profile", "set", "cloud", "--server", &there]).ok();
    plain.run(&["profile", "set", "cloud", "--project", "lab"]).ok();
    plain.run(&["profile", "ls"]).ok().says("campus *").says(&format!("cloud http://{there}/ lab"));

    // The first one is the default: short names are of its project.
    let digest = ["--output", "json", "digest", "app:v1"];
    let campus = format!("{here}/{project}/app:v1");
    let cloud = format!("{there}/lab/app:v1");
    assert_eq!(image_of(plain.run(&digest)), campus);
    assert_eq!(image_of(plain.run(&["--output", "json", "digest", "image:app:v1"])), campus);
    // The other one by its name as a cluster.
    plain.run(&["copy", "app:v1", "image://cloud/lab/app:v1", "--progress", "none"]).ok();
    let address_there = ["--output", "json", "digest", "image://cloud/lab/app:v1"];
    assert_eq!(image_of(plain.run(&address_there)), cloud);

    // From the strongest: a flag, a server of the environment, a profile of the environment, the default, the last login.
    let flagged = ["--output", "json", "digest", "--profile", "cloud", "app:v1"];
    let named = hythe(&scene, &settings, &[("HYTHE_PROFILE", "cloud")]);
    let served = hythe(
        &scene,
        &settings,
        &[("HYTHE_PROFILE", "cloud"), ("HYTHE_SERVER", &here), ("HYTHE_PROJECT", project)],
    );
    assert_eq!(image_of(plain.run(&flagged)), cloud);
    assert_eq!(image_of(named.run(&digest)), cloud);
    assert_eq!(image_of(named.run(&["--output", "json", "digest", "--profile", "campus", "app:v1"])), campus);
    assert_eq!(image_of(served.run(&digest)), campus);
    let served = hythe(&scene, &settings, &[("HYTHE_SERVER", &here)]);
    assert_eq!(image_of(served.run(&flagged)), cloud);
    let both = plain.run(&["digest", "--server", &here, "--profile", "cloud", "app:v1"]).refused();
    assert_eq!(both.status, Some(2));
    both.says("--server and --profile");
    plain.run(&["profile", "use", "cloud"]).ok();
    assert_eq!(image_of(plain.run(&digest)), cloud);
    plain.run(&["whoami", "--profile", "campus"]).ok().says(&scene.pusher.name);

    let unknown = plain.run(&["digest", "--profile", "capmus", "app:v1"]).refused();
    assert_eq!(unknown.status, Some(2));
    unknown.says("no profile `capmus`").says("has `campus`, `cloud`");
    plain.run(&["profile", "rm", "cloud"]).ok();
    assert_eq!(image_of(plain.run(&digest)), campus);
}

#[test]
fn a_slip_of_the_keys_in_the_file_is_named() {
    let scene = Scene::new();
    let settings = run_folder::fresh("settings");
    let file = settings.join("hythe/profiles.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(
        &file,
        "[profiles.campus]\nserver = \"https://registry.example.org\"\nprojetc = \"lab\"\n",
    )
    .unwrap();
    let refused = hythe(&scene, &settings, &[]).run(&["ls"]).refused();
    assert_eq!(refused.status, Some(2));
    refused.says("`profiles.campus.projetc` is not known; did you mean `project`?").says("profiles.toml");
    assert!(matches!(Profiles::load_from(&file), Err(ProfilesError::Unreadable { .. })));
}

#[test]
fn the_sdk_reads_what_the_command_line_wrote() {
    let scene = Scene::new();
    let settings = run_folder::fresh("settings");
    let (project, here) = (&scene.bench.project, scene.bench.server.host());
    let sample = image(Family::Oci, Packing::Gzip, project, "amd64");
    scene.bench.admin.push_image(&format!("{project}/app"), "v1", &sample);
    hythe(&scene, &settings, &[])
        .run(&["profile", "set", "campus", "--server", &here, "--project", project])
        .ok();
    let profiles = Profiles::load_from(&settings.join("hythe/profiles.toml")).unwrap();
    let login =
        OwnLogin { username: scene.pusher.name.clone(), secret: scene.pusher.password.clone().into() };
    let registry = Registry::of_url(&address(scene.bench.server)).unwrap();
    let images = Images::new(outbound(), profiles.profile().unwrap()).with_login(registry, login);
    let named = images.remote_image("image://campus/").unwrap_err();
    assert!(named.to_string().contains("names no image"), "{named}");
    let named = images.remote_image("image:app:v1").unwrap();
    assert_eq!(named.to_string(), format!("image://campus/{project}/app:v1"));
    assert_eq!(images.remote_image(&named.to_string()).unwrap(), named);
    assert_eq!(run(images.digest(&named)).unwrap().to_string(), sample.manifest.digest());
}
