//! Opening a file of a folder that somebody else has filled.
//!
//! Invariant: what is opened is a plain file that lies in the folder. A link that leads out of it is refused, for what
//! it points at is the person's own and would be sent to a registry; a pipe or device is, for it could be waited for
//! without an end.

use std::fs::File;
use std::io;
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

/// The file at `path`, which begins at `folder`.
pub(super) fn open(folder: &Path, path: &str) -> io::Result<File> {
    // The folder itself was named by the person, links and all.
    open_in(&File::open(folder)?, Path::new(path))
}

/// The same in a folder that is open already.
pub(super) fn open_in(folder: &File, path: &Path) -> io::Result<File> {
    // Opened without waiting, a pipe is only found to be one.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = match openat2(folder, path, flags, Mode::empty(), ResolveFlags::BENEATH) {
        // A kernel before 5.6, or a sandbox that does not know the call: no link at the end, then.
        Err(Errno::NOSYS | Errno::PERM) => openat(folder, path, flags | OFlags::NOFOLLOW, Mode::empty()),
        other => other,
    };
    let file = match file {
        Ok(file) => File::from(file),
        Err(Errno::XDEV | Errno::LOOP) => {
            return Err(io::Error::other("it is a link that leads out of the folder, and is not followed"));
        }
        Err(error) => return Err(error.into()),
    };
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is no plain file")) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_plain_files_of_the_folder_are_opened() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("in"), folder.path().join("outside"));
        fs::create_dir_all(inside.join("d")).unwrap();
        fs::write(inside.join("d/file"), b"x").unwrap();
        fs::write(&outside, b"secret").unwrap();
        symlink("d/file", inside.join("near")).unwrap();
        symlink(&outside, inside.join("far")).unwrap();
        symlink("../outside", inside.join("up")).unwrap();
        symlink("..", inside.join("dir")).unwrap();
        symlink("self", inside.join("self")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            inside.join("pipe"),
            rustix::fs::FileType::Fifo,
            Mode::from(0o600),
            0,
        )
        .unwrap();
        for path in ["d/file", "near"] {
            assert!(open(&inside, path).is_ok(), "{path}");
        }
        for path in ["far", "up", "dir/outside", "self", "pipe", "d", "../outside", "/etc/passwd", "none"] {
            assert!(open(&inside, path).is_err(), "{path}");
        }
    }
}
