//! Addressing a socket in a folder that may lie deep.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

/// The longest path taken as it is. The system's socket addresses end at 108 bytes.
const LONGEST_PATH: usize = 100;

/// A path by which the system accepts the socket; good as long as this value lives.
///
/// A path too long for a socket address is reached through its open folder.
#[derive(Debug)]
pub(crate) struct SocketAddress {
    path: PathBuf,
    _folder: Option<File>,
}

impl SocketAddress {
    /// The address of the socket at `path`, which need not exist yet; its folder must.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() <= LONGEST_PATH {
            return Ok(SocketAddress { path: path.to_owned(), _folder: None });
        }
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(SocketAddress { path, _folder: Some(folder) })
    }

    /// The path to bind or connect to.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::{UnixListener, UnixStream};

    use super::*;

    #[test]
    fn a_socket_works_in_a_deep_folder() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d".repeat(150));
        std::fs::create_dir(&deep).unwrap();
        let path = deep.join("hythe.sock");
        assert!(UnixListener::bind(&path).is_err(), "the path is not too long for this test");

        let _listener = UnixListener::bind(SocketAddress::of(&path).unwrap().path()).unwrap();
        UnixStream::connect(SocketAddress::of(&path).unwrap().path()).unwrap();
        assert!(path.exists());
    }
}
