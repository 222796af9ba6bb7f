//! Whole disks: one that turns read-only under the server, and one that is so at the start.
//!
//! A file system with files open for writing refuses to be remounted read-only by hand; what turns a disk
//! read-only under a server is its own file system after an error, which ext4 does when told to `abort`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Hythe, Options, noise};

use super::Scene;
use crate::crash::fsck;

/// An ext4 file system in a file, mounted while this lives.
struct Ext4 {
    image: PathBuf,
    place: PathBuf,
}

impl Ext4 {
    fn mount(test: &str) -> Option<Self> {
        let folder = run_folder::fresh("ext4");
        let disk = Self { image: folder.join("image"), place: folder.join("disk") };
        std::fs::create_dir(&disk.place).unwrap();
        File::create(&disk.image).unwrap().set_len(256 << 20).unwrap();
        let made = run(Command::new("mkfs.ext4").arg("-q").arg("-F").arg(&disk.image));
        if !made || !disk.again(&[]) {
            run_folder::not_run(test, Source::Debian, "only root can mount an ext4 file system from a file");
            return None;
        }
        Some(disk)
    }

    fn again(&self, options: &[&str]) -> bool {
        run(Command::new("mount").args(["-o", "loop"]).args(options).arg(&self.image).arg(&self.place))
    }

    fn remount(&self, how: &str) {
        assert!(run(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.place)));
    }

    fn unmount(&self) {
        assert!(run(Command::new("umount").arg(&self.place)), "the disk is still in use");
    }

    fn data(&self) -> Options {
        Options { data: Some(self.place.join("data")), ..Options::default() }
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        // A disk that is still in use goes when the server that uses it has ended.
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|outcome| outcome.status.success())
}

#[test]
fn a_disk_that_turns_read_only_serves_pulls() {
    let Some(disk) = Ext4::mount("faults::disks") else { return };
    let mut scene = Scene::start(disk.data());
    assert_eq!(scene.push(&noise("before", 100_000)).status, 201);
    disk.remount("abort");
    for number in 0..3 {
        let answer = scene.push(&noise(&format!("refused-{number}"), 100_000));
        super::refused_in_words(&answer, 503);
        super::refused_in_words(&scene.server.admin().post("/v2/lab/app/blobs/uploads/"), 503);
        scene.pulls_go_on();
    }
    scene.is_degraded("read_only");
    // The file system itself asks for a check: nothing can be written before it was mounted anew.
    scene.server.stop();
    disk.unmount();
    assert!(disk.again(&[]));
    fsck(&scene.server.data_folder()).unwrap_or_else(|said| panic!("fsck: {said}"));
    scene.server.restart();
    scene.pulls_go_on();
    assert_eq!(scene.push(&noise("after", 100_000)).status, 201);
    scene.is_ready();
    scene.server.stop();
}

#[test]
fn a_start_on_a_read_only_disk_says_why_it_cannot() {
    let Some(disk) = Ext4::mount("faults::disks") else { return };
    let mut scene = Scene::start(disk.data());
    scene.server.stop();
    disk.remount("ro");
    let (status, said) = serve(&scene.server.data_folder());
    assert_eq!(status, Some(1));
    assert!(said.contains("Read-only file system") && said.contains("must be writable"), "{said}");
    disk.remount("rw");
    scene.server.restart();
    scene.pulls_go_on();
    scene.server.stop();
}

/// Starts a server that is expected to end by itself; its exit code and what it said.
fn serve(data: &Path) -> (Option<i32>, String) {
    let outcome = Command::new(Hythe::binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .output()
        .unwrap();
    (outcome.status.code(), String::from_utf8_lossy(&outcome.stderr).into_owned())
}
