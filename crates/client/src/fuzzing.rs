//! What the fuzz targets call of the parsers that are no part of the interface.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::source::{Entries, Entry, Part, unpacked_parts};

/// Reads an archive to its end, and answers the paths in it.
///
/// # Errors
/// It is no archive, or one that is refused.
pub fn read_archive(bytes: &[u8]) -> io::Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let pieces: Vec<_> = bytes.chunks(1024).map(Bytes::copy_from_slice).map(Ok).collect();
        let mut entries = Entries::read(stream::iter(pieces).boxed());
        let mut paths = Vec::new();
        while let Some(entry) = entries.next().await? {
            match entry {
                Entry::Whole(path, _) => paths.push(path),
                Entry::Large(path, _, body) => {
                    let mut body = body.into_stream();
                    while body.try_next().await?.is_some() {}
                    paths.push(path);
                }
                Entry::Link(path, target) => paths.extend([path, target]),
            }
        }
        Ok(paths)
    })
}

/// Reads what docker keeps of a layer's archive, and answers the bytes of it and the files it is made of.
///
/// # Errors
/// It is not in docker's form.
pub fn read_tar_split(lines: &[u8]) -> io::Result<(usize, Vec<PathBuf>)> {
    let (mut bytes, mut files) = (0, Vec::new());
    for part in unpacked_parts(lines) {
        match part? {
            Part::Bytes(part) => bytes += part.len(),
            Part::File(path, _) => files.push(path),
        }
    }
    Ok((bytes, files))
}
