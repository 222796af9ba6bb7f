//! A full disk stops pushes and nothing else: pulls go on, the sentence names no path, a start works,
//! and room that is made is used without a restart.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Family, Hythe, Options, Packing, Visibility, image, noise};

use crate::bit_rot::damage::{blob_file, flip};
use crate::crash::fsck;

/// A small disk in memory, mounted while this lives.
struct Disk(PathBuf);

impl Disk {
    fn mount(options: &str) -> Option<Self> {
        let folder = run_folder::fresh("disk");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&folder)
            .output()
            .is_ok_and(|outcome| outcome.status.success());
        if !mounted {
            run_folder::not_run("disk_full", Source::Debian, "only root can mount a small disk");
            return None;
        }
        Some(Self(folder))
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Writes until nothing more fits.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file = fs::File::create(self.filler()).unwrap();
        let block = vec![7; 1 << 20];
        while file.write_all(&block).is_ok() {}
        let small = [7; 512];
        while file.write_all(&small).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // A disk that is still in use goes when the server that uses it has ended.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

fn options(disk: &Path) -> Options {
    Options { data: Some(disk.join("data")), ..Options::default() }
}

#[test]
fn pulls_go_on_pushes_wait_and_a_start_works() {
    let Some(disk) = Disk::mount("size=192m") else { return };
    let mut server = Hythe::start(options(&disk.0));
    server.create_project("lab", Visibility::Private);
    let admin = server.admin();
    // Where untagged manifests expire, even a HEAD would like to write something.
    let policy = hythe_testbed::http::Body::Whole(br#"{"untagged_days":7}"#.to_vec());
    let patch = admin.ask("PATCH", "/api/v1/projects/lab").header("Content-Type", "application/json");
    patch.body(policy).send().is(200);
    let kept = image(Family::Oci, Packing::Gzip, "kept", "amd64");
    admin.push_image("lab/app", "v1", &kept);

    disk.fill();
    let pulls = |server: &Hythe, full: bool| {
        let admin = server.admin();
        let condition = admin.get("/readyz").is(200).json();
        assert_eq!(condition["problems"][0]["cause"].as_str(), full.then_some("disk_full"), "{condition}");
        admin.head("/v2/lab/app/manifests/v1").is(200);
        assert!(admin.get("/v2/lab/app/manifests/v1").is(200).body == kept.manifest.bytes);
        for blob in &kept.blobs {
            let path = format!("/v2/lab/app/blobs/{}", blob.digest());
            admin.head(&path).is(200);
            assert!(admin.get(&path).is(200).body == blob.bytes);
        }
    };
    let refuses = |server: &Hythe| {
        let refused = server.admin().post("/v2/lab/app/blobs/uploads/").is(507);
        let error = refused.error();
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("storage is full"), "{message}");
        assert!(!message.contains('/'), "no path of ours: {message}");
    };
    pulls(&server, true);
    refuses(&server);
    // Signing in goes on where nothing must be kept; what must be kept is refused in words.
    admin.get("/token?scope=repository:lab/app:pull").is(200);
    let user = serde_json::json!({"name": "late", "password": "a long password"});
    for refused in [admin.get("/token?offline_token=true"), admin.post_json("/api/v1/users", &user)] {
        // There may be room for a few bytes yet; then it was done.
        if refused.status == 507 {
            assert!(String::from_utf8_lossy(&refused.body).contains("storage is full"));
        } else {
            refused.one_of(&[200, 201]);
        }
    }

    server.stop();
    server.restart();
    pulls(&server, true);
    refuses(&server);

    disk.make_room();
    let more = image(Family::Oci, Packing::Gzip, "more", "amd64");
    server.admin().push_image("lab/app", "v2", &more);
    pulls(&server, false);
}

#[test]
fn an_upload_that_meets_the_end_of_the_disk_is_told_so() {
    let Some(disk) = Disk::mount("size=96m") else { return };
    let server = Hythe::start(options(&disk.0));
    server.create_project("lab", Visibility::Private);
    let admin = server.admin();
    let location = admin.open_upload("lab/app");
    let bytes = noise("too big", 120 << 20);
    let refused = admin.close_upload(&location, &hythe_testbed::digest(&bytes), &bytes).is(507);
    assert!(refused.error()["message"].as_str().unwrap().contains("storage is full"));
    // It leaves what the records need, so that the one upload cannot keep the collector from freeing it.
    assert!(rustix::fs::statvfs(&disk.0).map(|disk| disk.f_bavail * disk.f_frsize).unwrap() >= 16 << 20);
    admin.get("/v2/").is(200);
    admin.delete(&location).is(204);
    admin.push_blob("lab/app", b"as before");
}

#[test]
fn a_disk_without_inodes_is_a_full_disk() {
    let Some(disk) = Disk::mount("size=192m,nr_inodes=300") else { return };
    let server = Hythe::start(options(&disk.0));
    server.create_project("lab", Visibility::Private);
    let admin = server.admin();
    admin.push_blob("lab/app", b"the last one");
    for number in 0.. {
        if fs::File::create(disk.0.join(format!("inode-{number}"))).is_err() {
            break;
        }
    }
    let opened = admin.post("/v2/lab/app/blobs/uploads/").one_of(&[202, 507]);
    if opened.status == 202 {
        let location = hythe_testbed::location_path(&opened);
        let bytes = b"no room for its name".to_vec();
        let refused = admin.close_upload(&location, &hythe_testbed::digest(&bytes), &bytes).is(507);
        assert!(refused.error()["message"].as_str().unwrap().contains("storage is full"));
    }
    let condition = admin.get("/readyz").is(200).json();
    assert_eq!(condition["problems"][0]["cause"], "disk_full", "{condition}");
    let kept = hythe_testbed::digest(b"the last one");
    assert!(admin.get(&format!("/v2/lab/app/blobs/{kept}")).is(200).body == b"the last one");
}

#[test]
fn damage_is_found_on_a_full_disk_and_healed_when_there_is_room() {
    let Some(disk) = Disk::mount("size=192m") else { return };
    let server = Hythe::start(options(&disk.0));
    server.create_project("lab", Visibility::Private);
    let admin = server.admin();
    let (rotten, sound) = (noise("rotten", 200 << 10), noise("sound", 200 << 10));
    let (digest, intact) = (admin.push_blob("lab/app", &rotten), admin.push_blob("lab/app", &sound));
    let path = |digest: &str| format!("/v2/lab/app/blobs/{digest}");
    disk.fill();
    flip(&blob_file(&server, &digest), 1000);
    // Perhaps cut, perhaps refused; never complete.
    let pulled = std::panic::catch_unwind(|| server.admin().get(&path(&digest)));
    assert!(pulled.is_err() || pulled.is_ok_and(|answer| answer.status != 200), "damage is not noticed");
    assert!(admin.get(&path(&intact)).is(200).body == sound);
    let told = fsck(&server.data_folder()).expect_err("a damaged blob is no sound folder");
    assert!(told.contains(&digest), "{told}");

    disk.make_room();
    admin.push_blob("lab/app", &rotten);
    assert!(admin.get(&path(&digest)).is(200).body == rotten);
    fsck(&server.data_folder()).unwrap();
}
