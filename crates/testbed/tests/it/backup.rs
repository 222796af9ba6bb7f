//! A backup of a running registry, brought up to date, and restored into an empty folder; the process ends at each
//! step of either. What a load beside it makes of a backup is `durability::backups`.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Actor, Family, Hythe, Image, Options, Packing, Visibility, image};

use crate::bit_rot::damage::rot;
use crate::clients::whole;
use crate::crash::fsck;

const REPOSITORY: &str = "lab/app";

fn hythe(command: &str, folders: &[(&str, &Path)], more: &[&str]) -> Command {
    let mut called = Command::new(Hythe::binary());
    called.args([command, "--output", "json"]).args(more);
    for (flag, folder) in folders {
        called.arg(flag).arg(folder);
    }
    called
}

/// `hythe backup` of a data folder, beside its server or without one.
pub(crate) fn backing_up(data: &Path, to: &Path, more: &[&str]) -> Command {
    hythe("backup", &[("--data-dir", data), ("--to", to)], more)
}

/// `hythe restore`.
pub(crate) fn restoring(from: &Path, to: &Path) -> Command {
    hythe("restore", &[("--from", from), ("--data-dir", to)], &[])
}

/// What the command said and how it ended.
pub(crate) fn ran(mut command: Command) -> Output {
    command.output().expect("the binary starts")
}

fn backup(server: &Hythe, to: &Path, more: &[&str]) -> serde_json::Value {
    let output = ran(backing_up(&server.data_folder(), to, more));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn restore(from: &Path, to: &Path) -> Output {
    ran(restoring(from, to))
}

/// Ends the process when it passes the point for the first time.
fn dies_at(mut command: Command, point: &str) {
    command.env("HYTHE_FAILPOINTS", format!("{point}=abort(1)"));
    let output = ran(command);
    assert!(output.status.code().is_none(), "{point} is not passed: {output:?}");
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

/// Pushes the layer of `v1` again, which replaces its file.
fn push_layer_again(server: &Hythe, digest: &str) {
    let layer = sample("one").blobs.into_iter().find(|blob| blob.digest() == digest).unwrap();
    server.admin().push_blob(REPOSITORY, &layer.bytes);
}

#[test]
fn a_copy_that_was_damaged_is_replaced_once_its_blob_is_pushed_again() {
    for more in [&[][..], &["--copy"]] {
        let server = server();
        let to = run_folder::fresh("backup");
        backup(&server, &to, more);
        let manifest = whole(&server.admin(), REPOSITORY, "v1");
        let layer = manifest["layers"][0]["digest"].as_str().unwrap();
        let hex = layer.strip_prefix("sha256:").unwrap();
        let kept = to.join("blobs/sha256").join(&hex[..2]).join(hex);
        // The same file by another name, or a copy of it.
        rot(&kept, 10);
        push_layer_again(&server, layer);
        let second = backup(&server, &to, more);
        let replaced = &second[if more.is_empty() { "linked" } else { "copied" }];
        assert_eq!(replaced["count"], 1, "{second}");
        // One of another length too.
        fs::remove_file(&kept).unwrap();
        fs::write(&kept, b"cut").unwrap();
        backup(&server, &to, more);
        let data = run_folder::fresh("restored").join("data");
        let output = restore(&to, &data);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serves(&data, &server, &["v1"]);
    }
}

#[test]
fn what_is_no_backup_is_neither_overwritten_nor_restored() {
    let server = server();
    let foreign = run_folder::fresh("foreign");
    fs::write(foreign.join("thesis.txt"), b"years of work").unwrap();
    let refused = ran(backing_up(&server.data_folder(), &foreign, &[]));
    assert!(!refused.status.success());
    assert!(!restore(&foreign, &run_folder::fresh("restored").join("data")).status.success());
    let to = run_folder::fresh("backup");
    backup(&server, &to, &[]);
    assert!(!restore(&to, &foreign).status.success(), "the folder is not empty");
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1, "nothing is changed");
    // Neither another program's file of that name nor the backup of a later version is written over.
    for text in [r#"{"tables":["a"]}"#, r#"{"format":99,"hythe":"9.0.0","complete":true,"made":"then"}"#] {
        fs::write(foreign.join("backup.json"), text).unwrap();
        assert!(!ran(backing_up(&server.data_folder(), &foreign, &[])).status.success());
        assert!(!restore(&foreign, &run_folder::fresh("restored").join("data")).status.success());
        assert_eq!(fs::read_to_string(foreign.join("backup.json")).unwrap(), text);
    }
}

#[test]
fn an_interrupted_backup_leaves_the_one_before_it() {
    let mut server = server();
    let admin = server.admin();
    admin.push_image(REPOSITORY, "dropped", &sample("dropped"));
    let to = run_folder::fresh("backup");
    backup(&server, &to, &["--copy"]);
    let dropped = sample("dropped").manifest.digest();
    admin.delete(&format!("/v2/{REPOSITORY}/manifests/{dropped}")).is(202);
    admin.push_image(REPOSITORY, "v2", &sample("two"));
    server.stop();
    let data = server.data_folder();
    let gc = ran(hythe("gc", &[("--data-dir", &data)], &["--grace-minutes", "0"]));
    assert!(gc.status.success(), "{gc:?}");
    let restored = |tags: &[&str]| {
        let folder = run_folder::fresh("restored").join("data");
        let output = restore(&to, &folder);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serves(&folder, &server, tags);
    };
    for point in
        ["backup-records-copied", "blob-before-sync", "blob-after-rename", "backup-before-description"]
    {
        dies_at(backing_up(&data, &to, &["--copy"]), point);
        restored(&["v1", "dropped"]);
    }
    // The second removes what the first did not come to.
    for point in ["backup-after-description", "blob-after-unlink"] {
        dies_at(backing_up(&data, &to, &["--copy"]), point);
        restored(&["v1", "v2"]);
    }
    let last = backup(&server, &to, &["--copy"]);
    assert_eq!(last["copied"]["count"], 0, "{last}");
    restored(&["v1", "v2"]);
    let files = |folder: &str| {
        let found = Command::new("find").arg(to.join(folder)).args(["-type", "f"]).output().unwrap();
        String::from_utf8_lossy(&found.stdout).lines().count()
    };
    assert_eq!(files("uploads"), 0, "what an interrupted copy left is gone");
    assert_eq!(files("blobs") as u64, last["kept"]["count"].as_u64().unwrap());
}

#[test]
fn an_interrupted_restore_is_refused_by_a_server_and_run_again() {
    let server = server();
    let to = run_folder::fresh("backup");
    backup(&server, &to, &[]);
    for point in ["restore-begun", "restore-records-copied", "blob-before-rename", "restore-before-end"] {
        let data = run_folder::fresh("restored").join("data");
        dies_at(restoring(&to, &data), point);
        let refused = Hythe::try_start(Options { data: Some(data.clone()), ..Options::default() });
        let told = refused.expect_err("half a registry is not served");
        assert!(told.contains("run it again"), "{told}");
        assert!(restore(&to, &data).status.success());
        serves(&data, &server, &["v1"]);
    }
}

#[test]
fn another_file_system_gets_copies() {
    let server = server();
    let elsewhere = tempfile::tempdir_in("/dev/shm").ok();
    let elsewhere = elsewhere.filter(|folder| device(folder.path()) != device(&server.data_folder()));
    let Some(elsewhere) = elsewhere else {
        run_folder::not_run(
            "backup::another_file_system",
            Source::Machine,
            "/dev/shm is no place of its own",
        );
        return;
    };
    let to = elsewhere.path().join("backup");
    let report = backup(&server, &to, &[]);
    assert_eq!(report["linked"]["count"], 0, "{report}");
    assert!(report["copied"]["count"].as_u64().unwrap() >= 2, "{report}");
    let data = run_folder::fresh("restored").join("data");
    let restored = restore(&to, &data);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    serves(&data, &server, &["v1"]);
}

fn device(path: &Path) -> u64 {
    fs::metadata(path).unwrap().dev()
}
