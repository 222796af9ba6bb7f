//! Everything an image needs, found by following the reference rows of its manifests.
//!
//! Invariant: one walk looks at no more rows than its [`Reach`] says, whatever the rows lead to; a row counts as often
//! as manifests name its part.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hythe_oci::Digest;
use hythe_store::Reader;
use hythe_store::records::manifests::Held;
use hythe_store::records::repositories::RepositoryId;

use crate::Error;
use crate::readiness::Amount;

/// The most parts that an image may have, its children's included, a part that several manifests name counted for each.
/// The largest real ones have some thousands.
pub(crate) const MOST_PARTS_OF_IMAGE: usize = 100_000;

/// How far a walk may go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reach {
    /// Reference rows.
    pub(crate) rows: usize,
    /// Bytes of manifests that are read besides.
    pub(crate) bytes: usize,
}

impl Reach {
    /// As far as nobody needs a turn for: what nearly all images have, so that whoever fills the queue of the long walks
    /// keeps none of them waiting.
    pub(crate) const SHORT: Self = Self { rows: 1_000, bytes: 64 << 10 };

    /// As far as it goes, in turn ([`crate::walks`]).
    pub(crate) const FULL: Self = Self { rows: MOST_PARTS_OF_IMAGE, bytes: 8 << 20 };
}

/// What a walk has found.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// Manifests below the first, and the bytes of themselves alone.
    pub(crate) manifests: Amount,
    /// Blobs that are here and sound, each once.
    pub(crate) sound: Amount,
    /// The bytes of blobs whose copies are damaged, each once.
    pub(crate) damaged: u64,
    /// Who names what is damaged or not here, those of one manifest side by side.
    pub(crate) lacking: Vec<Lacking>,
}

/// A part that cannot be pulled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lacking {
    /// The manifest that names it.
    pub(crate) named_by: Digest,
    /// The part.
    pub(crate) part: Digest,
}

impl Parts {
    /// The bytes of all blobs that the repository has for it.
    pub(crate) fn content(&self) -> u64 {
        self.sound.bytes.saturating_add(self.damaged)
    }
}

/// Why a walk has found nothing.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// It would have gone on beyond its reach. What is said when that was [`Reach::FULL`].
    Beyond(Error),
    /// It cannot be made.
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stopped {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Stopped {
    /// For whom there is no farther walk.
    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::Beyond(error) | Self::Failed(error) => error,
        }
    }
}

/// Follows `named`, which the manifest `first` names, down to the last blob; `first` itself need not be here.
pub(crate) fn follow(
    r: &Reader<'_>,
    repository: RepositoryId,
    first: Digest,
    named: Vec<Digest>,
    reach: Reach,
) -> Result<Parts, Stopped> {
    let mut parts = Parts::default();
    let mut met = HashMap::from([(first, true)]);
    let mut open = Vec::new();
    let mut left = reach.rows;
    let mut next = Some((first, named));
    while let Some((named_by, named)) = next {
        left = left.checked_sub(named.len()).ok_or_else(|| too_many(&first))?;
        for part in named {
            let here = match met.entry(part) {
                Entry::Occupied(met) => *met.get(),
                Entry::Vacant(new) => {
                    let held = r.held(repository, &part)?;
                    match held {
                        Held::Manifest(size) => {
                            parts.manifests.add(size);
                            open.push(part);
                        }
                        Held::Blob(size) => parts.sound.add(size),
                        Held::Damaged(size) => parts.damaged = parts.damaged.saturating_add(size),
                        Held::Nothing => {}
                    }
                    *new.insert(matches!(held, Held::Manifest(_) | Held::Blob(_)))
                }
            };
            if !here {
                parts.lacking.push(Lacking { named_by, part });
            }
        }
        next = match open.pop() {
            // One row more than may be looked at tells that there are too many.
            Some(manifest) => Some((manifest, r.references(repository, &manifest, left + 1)?)),
            None => None,
        };
    }
    Ok(parts)
}

fn too_many(image: &Digest) -> Stopped {
    Stopped::Beyond(Error::ManifestConflict(format!(
        "The image {image} has more than {MOST_PARTS_OF_IMAGE} parts, its children's included, and no image may have so many: list its children in several indexes."
    )))
}
