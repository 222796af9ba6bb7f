//! A backup of a running registry, brought up to date, and restored into an empty folder.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use hythe_testbed::{Actor, Family, Hythe, Image, Options, Packing, Visibility, image, run_folder};

use crate::clients::whole;
use crate::crash::fsck;

const REPOSITORY: &str = "lab/app";

fn hythe(command: &str, folders: &[(&str, &Path)], more: &[&str]) -> Output {
    let mut called = Command::new(Hythe::binary());
    called.args([command, "--output", "json"]).args(more);
    for (flag, folder) in folders {
        called.arg(flag).arg(folder);
    }
    called.output().expect("the binary starts")
}

fn backup(server: &Hythe, to: &Path, more: &[&str]) -> serde_json::Value {
    let output = hythe("backup", &[("--data-dir", &server.data_folder()), ("--to", to)], more);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn restore(from: &Path, to: &Path) -> Output {
    hythe("restore", &[("--from", from), ("--data-dir", to)], &[])
}

fn sample(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

/// A running server with one image.
fn server() -> Hythe {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Private);
    server.admin().push_image(REPOSITORY, "v1", &sample("one"));
    server
}

/// A server on the restored folder finds these tags, whole.
fn serves(data: &Path, original: &Hythe, tags: &[&str]) {
    fsck(data).unwrap_or_else(|said| panic!("fsck: {said}"));
    let (name, secret) = original.admin_login();
    let server = Hythe::start(Options { data: Some(data.to_owned()), ..Options::default() });
    let admin = Actor::basic(server.addr(), name, secret);
    for tag in tags {
        whole(&admin, REPOSITORY, tag);
    }
}

#[test]
fn a_running_registry_is_backed_up_brought_up_to_date_and_restored() {
    let server = server();
    let to = run_folder::fresh("backup");
    let first = backup(&server, &to, &[]);
    let taken = first["linked"]["count"].as_u64().unwrap() + first["copied"]["count"].as_u64().unwrap();
    assert!(taken >= 2, "{first}");
    // An upload under way is no part of it.
    server.admin().open_upload(REPOSITORY);
    server.admin().push_image(REPOSITORY, "v2", &sample("two"));
    let second = backup(&server, &to, &[]);
    assert_eq!(second["kept"]["count"].as_u64(), Some(taken), "{second}");

    let data = run_folder::fresh("restored").join("data");
    let output = restore(&to, &data);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serves(&data, &server, &["v1", "v2"]);
    server.admin().get("/readyz").is(200);
}

#[test]
fn a_copy_of_a_stopped_registry_is_restored_too() {
    let mut server = server();
    server.stop();
    let to = run_folder::fresh("backup");
    let report = backup(&server, &to, &["--copy"]);
    assert_eq!(report["linked"]["count"], 0, "{report}");
    let data = run_folder::fresh("restored").join("data");
    assert!(restore(&to, &data).status.success());
    serves(&data, &server, &["v1"]);
}

#[test]
fn a_blob_that_the_backup_lacks_is_named() {
    let server = server();
    let to = run_folder::fresh("backup");
    backup(&server, &to, &["--copy"]);
    let manifest = whole(&server.admin(), REPOSITORY, "v1");
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
    let hex = layer.strip_prefix("sha256:").unwrap();
    fs::remove_file(to.join("blobs/sha256").join(&hex[..2]).join(hex)).unwrap();
    let output = restore(&to, &run_folder::fresh("restored").join("data"));
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains(&layer));
}

#[test]
fn what_is_no_backup_is_neither_overwritten_nor_restored() {
    let server = server();
    let foreign = run_folder::fresh("foreign");
    fs::write(foreign.join("thesis.txt"), b"years of work").unwrap();
    let refused = hythe("backup", &[("--data-dir", &server.data_folder()), ("--to", &foreign)], &[]);
    assert!(!refused.status.success());
    assert!(!restore(&foreign, &run_folder::fresh("restored").join("data")).status.success());
    let to = run_folder::fresh("backup");
    backup(&server, &to, &[]);
    assert!(!restore(&to, &foreign).status.success(), "the folder is not empty");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "nothing is changed");
}
