//! What can happen to a blob's file behind the server's back.

use std::fs::{self, File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use hythe_testbed::Hythe;

/// One kind of damage.
#[derive(Clone, Copy, Debug)]
pub(super) enum Damage {
    FirstFlipped,
    MiddleFlipped,
    LastFlipped,
    Truncated,
    Emptied,
    Removed,
    Folder,
    /// No more to be read by anybody but root.
    NoPermission,
    /// A link to itself: not even root can open it.
    Unreadable,
    Longer,
}

impl Damage {
    pub(super) const ALL: [Self; 10] = [
        Self::FirstFlipped,
        Self::MiddleFlipped,
        Self::LastFlipped,
        Self::Truncated,
        Self::Emptied,
        Self::Removed,
        Self::Folder,
        Self::NoPermission,
        Self::Unreadable,
        Self::Longer,
    ];

    /// Whether the server can read the right bytes all the same: root needs no permission.
    pub(super) fn is_harmless(self) -> bool {
        matches!(self, Self::NoPermission) && rustix::process::geteuid().is_root()
    }

    pub(super) fn do_to(self, path: &Path) {
        let size = usize::try_from(fs::metadata(path).unwrap().len()).unwrap();
        match self {
            Self::FirstFlipped => flip(path, 0),
            Self::MiddleFlipped => flip(path, size / 2),
            Self::LastFlipped => flip(path, size - 1),
            Self::Truncated => writable(path).set_len(size as u64 / 2).unwrap(),
            Self::Emptied => writable(path).set_len(0).unwrap(),
            Self::Longer => writable(path).set_len(size as u64 + 1).unwrap(),
            Self::Removed => fs::remove_file(path).unwrap(),
            Self::Folder => {
                fs::remove_file(path).unwrap();
                fs::create_dir(path).unwrap();
                fs::write(path.join("file"), b"in it").unwrap();
            }
            Self::NoPermission => fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap(),
            Self::Unreadable => {
                fs::remove_file(path).unwrap();
                symlink(path, path).unwrap();
            }
        }
    }
}

fn writable(path: &Path) -> File {
    let mode = fs::metadata(path).unwrap().permissions().mode();
    fs::set_permissions(path, Permissions::from_mode(mode | 0o200)).unwrap();
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

pub(crate) fn flip(path: &Path, at: usize) {
    let file = writable(path);
    let mut byte = [0];
    file.read_exact_at(&mut byte, at as u64).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at as u64).unwrap();
}

/// Flips a bit and leaves no trace of it, as a bad disk does.
pub(crate) fn rot(path: &Path, at: usize) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    flip(path, at);
    writable(path).set_modified(before).unwrap();
}

/// Changes the time of modification and nothing else.
pub(super) fn touch(path: &Path) {
    let before = fs::metadata(path).unwrap().modified().unwrap();
    writable(path).set_modified(before - std::time::Duration::from_secs(1)).unwrap();
}

/// Where a blob's file lies.
pub(crate) fn blob_file(server: &Hythe, digest: &str) -> PathBuf {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    server.data_folder().join("blobs").join(algorithm).join(&hex[..2]).join(hex)
}
