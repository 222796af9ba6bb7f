//! Looking through an image in one snapshot: what it needs, and what of that is here.

use std::collections::HashSet;

use hythe_oci::{Digest, Manifest, ManifestKind, Reference, RepositoryName};
use hythe_store::records::repositories::RepositoryId;
use hythe_store::{Reader, Timestamp};

use super::Amount;
use super::announce::MOST_PARTS;
use crate::Error;

/// The most manifests and blobs that are looked at for one image.
const MOST_LOOKED_AT: usize = 20 * MOST_PARTS;

/// What one snapshot says about an image.
pub(super) struct Seen {
    pub(super) digest: Digest,
    /// Whether its own manifest is here.
    pub(super) manifest: bool,
    /// Everything it is known to need beside its own manifest.
    pub(super) needed: Amount,
    /// What of that is here and sound.
    pub(super) present: Amount,
    /// Blobs that are not, with their sizes: parts of them may be in open uploads.
    pub(super) missing: Vec<(Digest, u64)>,
}

impl Seen {
    fn new(digest: Digest, manifest: bool) -> Self {
        let (needed, present, missing) = (Amount::default(), Amount::default(), Vec::new());
        Self { digest, manifest, needed, present, missing }
    }

    fn part(&mut self, digest: Digest, size: u64, here: bool) {
        self.needed.add(size);
        if here {
            self.present.add(size);
        } else {
            self.missing.push((digest, size));
        }
    }
}

/// The digest a reference stands for: of a tag, the image that is on its way to it, else the one it names.
fn resolve(
    r: &Reader<'_>,
    repository: &RepositoryName,
    id: Option<RepositoryId>,
    reference: &Reference,
    now: Timestamp,
) -> Result<Option<Digest>, Error> {
    let tag = match reference {
        Reference::Digest(digest) => return Ok(Some(*digest)),
        Reference::Tag(tag) => tag,
    };
    if let Some(announced) = r.announced_for_tag(repository, tag, now)? {
        return Ok(Some(announced));
    }
    match id {
        Some(id) => Ok(r.tag(id, tag)?),
        None => Ok(None),
    }
}

/// What is known of an image; `None` when it is neither here nor announced.
pub(super) fn look(
    r: &Reader<'_>,
    repository: &RepositoryName,
    reference: &Reference,
    now: Timestamp,
) -> Result<Option<Seen>, Error> {
    let id = r.repository(repository)?.map(|row| row.id);
    let Some(digest) = resolve(r, repository, id, reference, now)? else { return Ok(None) };
    if let Some(id) = id
        && r.has_manifest(id, &digest)?
    {
        return walk(r, id, digest).map(Some);
    }
    let Some(parts) = r.announced(repository, &digest, now)? else { return Ok(None) };
    let mut seen = Seen::new(digest, false);
    for part in parts {
        let here = match id {
            Some(id) => {
                r.has_manifest(id, &part.digest)? || r.linked_blob(id, &part.digest)? == Some(part.size)
            }
            None => false,
        };
        seen.part(part.digest, part.size, here);
    }
    Ok(Some(seen))
}

/// Follows a manifest that is here through its children to its blobs.
fn walk(r: &Reader<'_>, repository: RepositoryId, digest: Digest) -> Result<Seen, Error> {
    let mut seen = Seen::new(digest, true);
    let mut met = HashSet::from([digest]);
    let mut open = vec![digest];
    while let Some(next) = open.pop() {
        let Some(stored) = r.manifest(repository, &next)? else { continue };
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.bytes)?;
        if manifest.kind == ManifestKind::Index {
            for child in &manifest.children {
                if !met.insert(child.digest) {
                    continue;
                }
                let is_manifest = r.has_manifest(repository, &child.digest)?;
                let here = is_manifest || r.linked_blob(repository, &child.digest)?.is_some();
                seen.part(child.digest, child.size, here);
                if is_manifest {
                    open.push(child.digest);
                }
            }
        }
        for blob in manifest.required_blobs() {
            if met.insert(blob.digest) {
                seen.part(blob.digest, blob.size, r.linked_blob(repository, &blob.digest)?.is_some());
            }
        }
        if met.len() > MOST_LOOKED_AT {
            return Err(Error::ManifestConflict(format!(
                "The image {digest} has more than {MOST_LOOKED_AT} parts, and no status is told for so many: ask for its children one by one."
            )));
        }
    }
    Ok(seen)
}
