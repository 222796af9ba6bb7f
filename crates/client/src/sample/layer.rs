//! One layer: files in a tar archive, compressed by gzip.

use std::io::{self, Write};
use std::path::Path;

use flate2::{Compression, GzBuilder};
use hythe_oci::{Algorithm, Digest};
use tar::{Builder, EntryType, Header, HeaderMode};

/// A packed layer.
pub(super) struct Layer {
    /// The digest of the archive before compression: what the image configuration names.
    pub(super) diff_id: Digest,
    /// The compressed archive: what travels.
    pub(super) compressed: Vec<u8>,
}

impl Layer {
    /// Packs files, owned by root, readable by all, dated 1970, with the folders they lie in.
    pub(super) fn pack(files: &[(&str, &[u8])]) -> io::Result<Self> {
        let mut archive = Builder::new(Vec::new());
        archive.mode(HeaderMode::Deterministic);
        for (path, content) in files {
            let folders: Vec<&Path> = Path::new(path).ancestors().skip(1).collect();
            for folder in folders.into_iter().rev().filter(|folder| !folder.as_os_str().is_empty()) {
                archive.append_data(&mut header(EntryType::Directory, 0o755, 0), folder, io::empty())?;
            }
            archive.append_data(
                &mut header(EntryType::Regular, 0o644, content.len() as u64),
                path,
                *content,
            )?;
        }
        let archive = archive.into_inner()?;
        let diff_id = Digest::of(Algorithm::Sha256, &archive);
        // No name and no time in the gzip header: equal content must have an equal digest.
        let mut gzip = GzBuilder::new().mtime(0).write(Vec::new(), Compression::fast());
        gzip.write_all(&archive)?;
        Ok(Self { diff_id, compressed: gzip.finish()? })
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}
