//! Removing images: what goes, what goes with it, and what becomes free.
//!
//! Invariant: a plan is made before anything is removed, and names everything that goes. Where a registry removes no
//! tag by itself, nothing is done instead: the image would go with all its names.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Reference, Tag};
use hythe_remote::RemoteError;
use serde::Serialize;

use crate::source::Document;
use crate::transfer::{Target, TransferError};

/// Images that stay are compared with those that go up to this many; more are taken to share nothing.
const MOST_COMPARED: usize = 200;

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// One removal: a name, or an image with all its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The manifest or index that is named.
    pub digest: Digest,
    /// The names that go, sorted.
    pub tags: Vec<Tag>,
    /// Whether the image itself goes; else its name alone.
    pub whole: bool,
    /// Names that the image keeps, sorted; empty when it stays under its digest alone, or goes.
    pub kept: Vec<Tag>,
}

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These names. With `untagged`, an image that would keep no name goes as well.
    Tags {
        /// The names.
        tags: BTreeSet<Tag>,
        /// Whether images without a name go as well.
        untagged: bool,
    },
    /// An image with all its names.
    Image(Digest),
}

/// What the removals of a repository come to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Freed {
    /// Images that go.
    pub images: usize,
    /// Names that go.
    pub tags: usize,
    /// The most bytes that become free once the registry has collected its garbage: blobs of the images that go which
    /// no other tagged image of the repository needs. Other repositories may still need them.
    pub bytes_at_most: u64,
}

impl Target {
    /// What would go, one entry for each request it takes. Nothing is removed.
    ///
    /// # Errors
    /// A name or the image is not there, or the registry refused.
    pub async fn plan_removal(&self, wanted: &Wanted) -> Result<Vec<Removal>, TransferError> {
        let all = self.tagged().await?;
        match wanted {
            Wanted::Image(digest) => {
                // That it is there is known before anything is said.
                self.remote().resolve(self.repository(), &Reference::Digest(*digest)).await?;
                Ok(vec![Removal {
                    digest: *digest,
                    tags: named(&all, digest),
                    whole: true,
                    kept: Vec::new(),
                }])
            }
            Wanted::Tags { tags, untagged } => {
                let mut by_image: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
                for tag in tags {
                    let digest = if let Some(digest) = all.get(tag) {
                        *digest
                    } else {
                        // The registry says best that it is not there.
                        let reference = Reference::Tag(tag.clone());
                        self.remote().resolve(self.repository(), &reference).await?.digest
                    };
                    by_image.entry(digest).or_default().push(tag.clone());
                }
                Ok(by_image
                    .into_iter()
                    .flat_map(|(digest, tags)| split(&all, digest, tags, *untagged))
                    .collect())
            }
        }
    }

    /// Removes what a plan names.
    ///
    /// # Errors
    /// The registry refused, or offers no such removal ([`RemoteError::Unsupported`]): this entry was not removed.
    pub async fn remove(&self, removal: &Removal) -> Result<(), RemoteError> {
        match &removal.tags[..] {
            _ if removal.whole => self.remote().delete_manifest(self.repository(), &removal.digest).await,
            tags => {
                for tag in tags {
                    self.remote().delete_tag(self.repository(), tag).await?;
                }
                Ok(())
            }
        }
    }

    /// What these removals come to. It costs a request for each image that goes or stays.
    ///
    /// # Errors
    /// The registry refused, or a manifest cannot be read.
    pub async fn freed(&self, removals: &[Removal]) -> Result<Freed, TransferError> {
        let going: HashSet<Digest> =
            removals.iter().filter(|removal| removal.whole).map(|removal| removal.digest).collect();
        let tags: HashSet<&Tag> = removals.iter().flat_map(|removal| &removal.tags).collect();
        let mut freed = Freed { images: going.len(), tags: tags.len(), bytes_at_most: 0 };
        if going.is_empty() {
            return Ok(freed);
        }
        let mut blobs: HashMap<Digest, u64> = HashMap::new();
        for below in self.blobs_of(going.iter().copied().collect()).await? {
            blobs.extend(below);
        }
        let staying: HashSet<Digest> =
            self.tagged().await?.into_values().filter(|digest| !going.contains(digest)).collect();
        if staying.len() <= MOST_COMPARED {
            for (kept, _) in self.blobs_of(staying.into_iter().collect()).await?.into_iter().flatten() {
                blobs.remove(&kept);
            }
        }
        freed.bytes_at_most = blobs.values().fold(0, |sum, bytes| sum.saturating_add(*bytes));
        Ok(freed)
    }

    /// Every blob below each of these images.
    async fn blobs_of(&self, images: Vec<Digest>) -> Result<Vec<Vec<(Digest, u64)>>, TransferError> {
        let below = images.into_iter().map(|digest| async move {
            let reference = Reference::Digest(digest);
            let root: Document = match self.remote().pull_manifest(self.repository(), &reference).await {
                Ok(root) => root.into(),
                // Removed meanwhile.
                Err(error) if error.is_not_found() => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            let (_, blobs) = self.gather(&root).await?;
            Ok::<_, TransferError>(blobs.into_iter().map(|blob| (blob.digest, blob.size)).collect())
        });
        stream::iter(below).buffered(AT_ONCE).try_collect().await
    }
}

/// The names of an image, sorted.
fn named(all: &BTreeMap<Tag, Digest>, digest: &Digest) -> Vec<Tag> {
    all.iter().filter(|(_, named)| *named == digest).map(|(tag, _)| tag.clone()).collect()
}

/// The removals of an image's names: one for the image if it keeps none and may go, else one for each name.
fn split(all: &BTreeMap<Tag, Digest>, digest: Digest, tags: Vec<Tag>, untagged: bool) -> Vec<Removal> {
    let kept: Vec<Tag> = named(all, &digest).into_iter().filter(|tag| !tags.contains(tag)).collect();
    if untagged && kept.is_empty() {
        return vec![Removal { digest, tags, whole: true, kept }];
    }
    let one = |tag| Removal { digest, tags: vec![tag], whole: false, kept: kept.clone() };
    tags.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn tags(names: &[&str]) -> Vec<Tag> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_image_goes_only_when_no_name_is_left_and_it_may() {
        let digest = Digest::of(Algorithm::Sha256, b"one");
        let other = Digest::of(Algorithm::Sha256, b"other");
        let all: BTreeMap<Tag, Digest> = tags(&["a", "b"])
            .into_iter()
            .map(|tag| (tag, digest))
            .chain([("c".parse().unwrap(), other)])
            .collect();
        let whole = split(&all, digest, tags(&["a", "b"]), true);
        assert_eq!(whole, [Removal { digest, tags: tags(&["a", "b"]), whole: true, kept: Vec::new() }]);
        let names = split(&all, digest, tags(&["a", "b"]), false);
        assert!(names.len() == 2 && names.iter().all(|removal| !removal.whole && removal.kept.is_empty()));
        let kept = split(&all, digest, tags(&["a"]), true);
        assert_eq!(kept, [Removal { digest, tags: tags(&["a"]), whole: false, kept: tags(&["b"]) }]);
    }
}
