//! Looking through an image in one snapshot: what it needs, and what of that is here.

use std::collections::{BTreeMap, HashSet};

use hythe_oci::{Digest, Manifest, Reference, RepositoryName};
use hythe_store::records::repositories::RepositoryId;
use hythe_store::{Reader, Timestamp};

use super::Amount;
use crate::Error;
use crate::parts::{Lacking, Reach, Stopped, follow};

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
    reach: Reach,
) -> Result<Option<Seen>, Stopped> {
    let id = r.repository(repository)?.map(|row| row.id);
    let Some(digest) = resolve(r, repository, id, reference, now)? else { return Ok(None) };
    if let Some(id) = id
        && r.has_manifest(id, &digest)?
    {
        return walk(r, id, digest, reach).map(Some);
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
fn walk(r: &Reader<'_>, repository: RepositoryId, digest: Digest, reach: Reach) -> Result<Seen, Stopped> {
    let named = r.references(repository, &digest, reach.rows + 1)?;
    let parts = follow(r, repository, digest, named, reach)?;
    let mut seen = Seen::new(digest, true);
    seen.present = parts.manifests.and(parts.sound);
    seen.needed = seen.present;
    for (part, size) in demanded(r, repository, &digest, &parts.lacking, reach)? {
        seen.part(part, size, false);
    }
    Ok(seen)
}

/// Those lacking parts that are needed, each once and with its size: some layers may be elsewhere, and only the
/// manifest that names a layer says so. An image that is whole lacks nothing, so that nothing is read for it.
fn demanded(
    r: &Reader<'_>,
    repository: RepositoryId,
    image: &Digest,
    lacking: &[Lacking],
    reach: Reach,
) -> Result<BTreeMap<Digest, u64>, Stopped> {
    let mut demanded = BTreeMap::new();
    let mut bytes = 0;
    for named in lacking.chunk_by(|one, other| one.named_by == other.named_by) {
        let Some(manifest) = named.first().map(|lacking| lacking.named_by) else { continue };
        let Some(stored) = r.manifest(repository, &manifest)? else { continue };
        bytes += stored.bytes.len();
        if bytes > reach.bytes {
            return Err(Stopped::Beyond(Error::ManifestConflict(format!(
                "So many parts of the image {image} are missing or damaged that no status is told: push it again, or ask for its children one by one."
            ))));
        }
        let manifest = Manifest::parse(Some(&stored.media_type), &stored.bytes)?;
        let named: HashSet<_> = named.iter().map(|lacking| lacking.part).collect();
        for part in manifest.required_blobs().chain(&manifest.children) {
            if named.contains(&part.digest) {
                demanded.entry(part.digest).or_insert(part.size);
            }
        }
    }
    Ok(demanded)
}
