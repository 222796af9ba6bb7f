//! Paths and links in an archive, which never lead out of it.

use std::io;
use std::path::{Component, Path};

/// A path in an archive: relative and without `..`; a leading `./` is left out.
pub(super) fn plain(path: &Path) -> io::Result<String> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => {
                parts.push(part.to_str().ok_or_else(|| io::Error::other("a path in it is no text"))?);
            }
            Component::RootDir | Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other(format!("the path {:?} in it leads out of it", path.display())));
            }
        }
    }
    Ok(parts.join("/"))
}

/// The target of a link: `..` is resolved, but not beyond the root of the archive.
pub(super) fn resolved(path: &Path) -> io::Result<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(part) => {
                parts.push(part.to_str().ok_or_else(|| io::Error::other("a link in it is no text"))?);
            }
            Component::ParentDir if parts.pop().is_some() => {}
            _ => {
                return Err(io::Error::other(format!("the link {:?} in it leads out of it", path.display())));
            }
        }
    }
    Ok(parts.join("/"))
}
