//! A disk whose power can be cut: a file system on a loop device over a file that only we hold, whose
//! unflushed writes a cut loses as chance will have it.
//!
//! Invariant: a cut is taken between two requests to the disk, beside whatever uses it. Everything is unmounted
//! when the disk is dropped.

mod image;
mod platter;
mod plug;

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fastrand::Rng;
use fuser::{BackgroundSession, MountOption};

use crate::run_folder;
use image::Image;
use platter::Platter;
use plug::{Moment, Plug, Powered};

/// Room for one life of a load; what is not written costs nothing.
const SIZE: usize = 512 << 20;

/// A disk that nobody asks for this long is cut as it is.
const QUIET: Duration = Duration::from_secs(1);

/// A file system that can be put on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    /// ext4 as `mkfs.ext4` makes it: data before metadata.
    Ext4,
    /// XFS as `mkfs.xfs` makes it: the metadata alone is ordered.
    Xfs,
}

impl FileSystem {
    /// Its name for `mount`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// Why this machine cannot have such a disk, if it cannot.
    pub fn missing(self) -> Option<String> {
        let mkfs = format!("mkfs.{}", self.name());
        let known = fs::read_to_string("/proc/filesystems").unwrap_or_default();
        if !rustix::process::geteuid().is_root() {
            Some("only root can mount a disk".to_owned())
        } else if !Path::new("/dev/fuse").exists() || !Path::new("/dev/loop-control").exists() {
            Some("/dev/fuse or /dev/loop-control is missing".to_owned())
        } else if !known.lines().any(|line| line.trim() == self.name()) {
            Some(format!("this kernel does not know {}", self.name()))
        } else if Command::new(&mkfs).arg("-V").output().is_err() {
            Some(format!("{mkfs} is not installed"))
        } else {
            None
        }
    }

    fn format(self) -> Platter {
        let path = run_folder::fresh("mkfs").join("image");
        File::create(&path).and_then(|file| file.set_len(SIZE as u64)).expect("the run folder is writable");
        run(Command::new(format!("mkfs.{}", self.name())).arg("-q").arg(&path)).expect("mkfs works");
        let mut platter = Platter::default();
        let mut file = File::open(&path).expect("it was made above");
        let mut bytes = vec![0; 1 << 16];
        for offset in (0..SIZE).step_by(bytes.len()) {
            file.read_exact(&mut bytes).expect("the image has its size");
            if bytes.iter().any(|byte| *byte != 0) {
                platter.write(offset, &bytes);
            }
        }
        platter.flush();
        fs::remove_file(&path).expect("the run folder is ours");
        platter
    }

    fn mount_options(self) -> &'static str {
        match self {
            Self::Ext4 => "loop",
            // A disk and its cuts bear one id.
            Self::Xfs => "loop,nouuid",
        }
    }
}

/// What a cut left of a disk.
#[derive(Clone, Debug)]
pub struct Cut {
    system: FileSystem,
    platter: Platter,
    lost: usize,
}

impl Cut {
    /// How many blocks that were written, but not flushed, it lost.
    pub fn lost(&self) -> usize {
        self.lost
    }
}

/// A mounted disk.
pub struct Disk {
    system: FileSystem,
    inside: Arc<Mutex<Powered>>,
    /// Answers for the file until nobody uses it.
    #[expect(dead_code, reason = "the file lives as long as this does")]
    session: BackgroundSession,
    device: PathBuf,
    folder: PathBuf,
}

impl Disk {
    /// A fresh disk with an empty file system.
    ///
    /// # Panics
    /// Where [`FileSystem::missing`] has something to say.
    pub fn fresh(system: FileSystem) -> Self {
        let platter = system.format();
        Self::mount(&Cut { system, platter, lost: 0 }).unwrap_or_else(|error| panic!("a fresh disk: {error}"))
    }

    /// The disk after the power is back; the file system does what it does after a cut.
    ///
    /// # Errors
    /// What `mount` said, when the file system cannot be mounted.
    pub fn mount(cut: &Cut) -> Result<Self, String> {
        let inside = Arc::new(Mutex::new(Powered { platter: cut.platter.clone(), plug: None }));
        let (device, folder) = (run_folder::fresh("device"), run_folder::fresh("disk"));
        let mut config = fuser::Config::default();
        config.mount_options = vec![MountOption::FSName("hythe-testbed".to_owned())];
        let image = Image { disk: Arc::clone(&inside), size: SIZE };
        let session =
            fuser::spawn_mount(image, &device, &config).map_err(|error| format!("FUSE: {error}"))?;
        let disk = Self { system: cut.system, inside, session, device, folder };
        let mut mount = Command::new("mount");
        mount.args(["-t", cut.system.name(), "-o", cut.system.mount_options()]);
        run(mount.arg(disk.device.join(image::NAME)).arg(&disk.folder))?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// What would be left if the power went at some request soon, and what `look` saw at that moment. The
    /// disk itself goes on after that.
    pub fn cut<T>(&self, rng: &mut Rng, look: impl FnOnce() -> T) -> (T, Cut) {
        let moment =
            if rng.bool() { Moment::Flush(rng.usize(1..=8)) } else { Moment::Write(rng.usize(1..=64)) };
        let ((pulled, taken), (resume, go_on)) = (channel(), channel());
        self.inside().plug = Some(Plug { moment, pulled, go_on });
        if let Ok(platter) = taken.recv_timeout(QUIET) {
            let seen = look();
            drop(resume);
            return self.left(rng, seen, &platter);
        }
        // If the plug is pulled at this very moment, it must not wait for us.
        drop(resume);
        let mut inside = self.inside();
        inside.plug = None;
        self.left(rng, look(), &inside.platter)
    }

    fn left<T>(&self, rng: &mut Rng, seen: T, platter: &Platter) -> (T, Cut) {
        let (platter, lost) = platter.cut(rng);
        (seen, Cut { system: self.system, platter, lost })
    }

    fn inside(&self) -> MutexGuard<'_, Powered> {
        self.inside.lock().expect("nobody panics at the disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What is still in use goes when its user has ended; what was never mounted is no loss.
        for mounted in [&self.folder, &self.device] {
            let _ = Command::new("umount").arg("-l").arg(mounted).output();
        }
    }
}

/// The command that starts a program as after a reboot: what the kernel tells as the id of its boot is
/// another one. A program may take it that writes of its own boot are still in the kernel's memory.
pub fn after_a_reboot() -> Vec<String> {
    let id = run_folder::fresh("boot").join("id");
    fs::write(&id, format!("{:032x}\n", fastrand::u128(..))).expect("the run folder is writable");
    let script = r#"mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@""#;
    ["unshare", "--mount", "sh", "-c", script].map(str::to_owned).into_iter().chain([text(&id)]).collect()
}

fn text(path: &Path) -> String {
    path.to_str().expect("the run folder has a plain name").to_owned()
}

/// Runs a command; what it said is the error.
fn run(command: &mut Command) -> Result<(), String> {
    let outcome = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&outcome.stderr);
    if outcome.status.success() { Ok(()) } else { Err(format!("{command:?}: {said}")) }
}
