//! Removing images: what goes, what goes with it, and what becomes free.
//!
//! Invariants: a plan is made before anything is removed, and names everything that goes; an image that an index with a
//! tag needs does not go for want of a name, and an index goes before what it holds. Where a registry removes no tag by
//! itself, nothing is done instead: the image would go with all its names.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Reference, Tag};
use hythe_remote::RemoteError;
use serde::Serialize;

use crate::source::Document;
use crate::transfer::{Named, Target, TransferError, parse};

/// Images that stay are compared with those that go up to this many; more are taken to share nothing.
const MOST_COMPARED: usize = 200;

/// Indexes with a tag that are looked into, to see what they hold; more are left to the registry to protect.
const MOST_INDEXES: usize = 1000;

/// Manifests below one index that are noted.
const MOST_BELOW: usize = 1000;

/// One removal: a name, or an image with all its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Removal {
    /// The manifest or index that is named.
    pub digest: Digest,
    /// The names that go, sorted.
    pub tags: Vec<Tag>,
    /// Whether the image itself goes; else its name alone.
    pub whole: bool,
    /// Names that the image keeps, sorted; empty when it stays under its digest alone, or goes.
    pub kept: Vec<Tag>,
    /// Names of indexes that stay and hold the image as one of their platforms, sorted. A registry refuses to remove it
    /// then, or breaks them.
    pub part_of: Vec<Tag>,
}

/// What is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// These names. With `untagged`, an image that would keep no name goes as well, unless an index with a name holds it.
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
#[non_exhaustive]
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
    /// What would go, one entry for each request it takes, in the order in which they can be made. Nothing is removed.
    ///
    /// # Errors
    /// A name or an image is not there, or the registry refused.
    pub async fn plan_removal(&self, wanted: &[Wanted]) -> Result<Vec<Removal>, TransferError> {
        let mut plan = Plan { named: self.named_manifests().await?, ..Plan::default() };
        for wanted in wanted {
            match wanted {
                Wanted::Image(digest) => {
                    // That it is there is known before anything is said.
                    let reference = Reference::Digest(*digest);
                    let found = self.remote().resolve(self.repository(), &reference).await?;
                    if found.media_type.is_index() {
                        plan.below.insert(*digest, HashSet::new());
                    }
                    plan.whole.insert(*digest);
                }
                Wanted::Tags { tags, untagged } => {
                    for tag in tags {
                        if !plan.named.contains_key(tag) {
                            // The registry says best that it is not there.
                            let reference = Reference::Tag(tag.clone());
                            let found = self.remote().resolve(self.repository(), &reference).await?;
                            plan.named.insert(tag.clone(), Named::from(found));
                        }
                    }
                    plan.names.extend(tags.iter().cloned());
                    if *untagged {
                        plan.may_go.extend(tags.iter().filter_map(|tag| Some(plan.named.get(tag)?.digest)));
                    }
                }
            }
        }
        if !plan.whole.is_empty() || !plan.may_go.is_empty() {
            let tagged = plan.named.values().filter(|named| named.is_index).map(|named| named.digest);
            let indexes: BTreeSet<Digest> = tagged.chain(plan.below.keys().copied()).collect();
            let looked = indexes.into_iter().take(MOST_INDEXES);
            let looked = looked.map(|index| async move { Ok((index, self.below(index).await?)) });
            plan.below = stream::iter(looked)
                .buffered(crate::transfer::AT_ONCE)
                .try_collect()
                .await
                .map_err(|error: TransferError| error)?;
        }
        Ok(plan.removals())
    }

    /// The manifests that an index holds, at any depth.
    async fn below(&self, index: Digest) -> Result<HashSet<Digest>, TransferError> {
        let (mut held, mut open) = (HashSet::new(), vec![index]);
        while let Some(digest) = open.pop() {
            let reference = Reference::Digest(digest);
            let document: Document = match self.remote().pull_manifest(self.repository(), &reference).await {
                Ok(document) => document.into(),
                // Removed meanwhile, or never there.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            };
            for child in parse(&document)?.children {
                if held.len() < MOST_BELOW
                    && held.insert(child.digest)
                    && child.essence().is_some_and(|kind| kind.is_index())
                {
                    open.push(child.digest);
                }
            }
        }
        Ok(held)
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

    /// Removes what a plan names, and answers for each entry in its order: names side by side, images one after another,
    /// for an index goes before what it holds. One that fails does not keep the others.
    pub async fn remove_all(&self, removals: &[Removal]) -> Vec<Result<(), RemoteError>> {
        let names: Vec<Removal> = removals.iter().filter(|removal| !removal.whole).cloned().collect();
        let names = stream::iter(names).map(|name| async move { self.remove(&name).await });
        let mut names = names.buffered(crate::transfer::AT_ONCE).collect::<Vec<_>>().await.into_iter();
        let mut outcomes = Vec::with_capacity(removals.len());
        for removal in removals {
            let name = if removal.whole { None } else { names.next() };
            outcomes.push(match name {
                Some(outcome) => outcome,
                None => self.remove(removal).await,
            });
        }
        outcomes
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
        stream::iter(below).buffered(crate::transfer::AT_ONCE).try_collect().await
    }
}

/// What is known of a repository and asked of it, before it is said what goes.
#[derive(Default)]
struct Plan {
    named: BTreeMap<Tag, Named>,
    /// Names that are to go.
    names: BTreeSet<Tag>,
    /// Images that are to go with all their names.
    whole: BTreeSet<Digest>,
    /// Images that go when they would be left without a name.
    may_go: BTreeSet<Digest>,
    /// What indexes hold, at any depth.
    below: HashMap<Digest, HashSet<Digest>>,
}

impl Plan {
    fn removals(mut self) -> Vec<Removal> {
        let mut by_image: BTreeMap<Digest, Vec<Tag>> = BTreeMap::new();
        for (tag, named) in &self.named {
            by_image.entry(named.digest).or_default().push(tag.clone());
        }
        let tags_of = |digest: &Digest| by_image.get(digest).map(Vec::as_slice).unwrap_or_default();
        let stay = |digest: &Digest| {
            tags_of(digest).iter().filter(|tag| !self.names.contains(*tag)).cloned().collect::<Vec<_>>()
        };
        let mut spare = std::mem::take(&mut self.may_go);
        spare.retain(|digest| stay(digest).is_empty());
        let mut held: HashMap<Digest, BTreeSet<Tag>> = HashMap::new();
        for (tag, named) in &self.named {
            if !self.whole.contains(&named.digest) && !spare.contains(&named.digest) {
                for below in self.below.get(&named.digest).into_iter().flatten() {
                    held.entry(*below).or_default().insert(tag.clone());
                }
            }
        }
        spare.retain(|digest| !held.contains_key(digest));
        self.whole.append(&mut spare);
        let part_of = |digest: &Digest| held.get(digest).into_iter().flatten().cloned().collect::<Vec<_>>();
        let mut removals = Vec::new();
        for (digest, tags) in &by_image {
            let going: Vec<_> = tags.iter().filter(|tag| self.names.contains(*tag)).collect();
            if going.is_empty() || self.whole.contains(digest) {
                continue;
            }
            let (kept, part_of) = (stay(digest), part_of(digest));
            removals.extend(going.into_iter().map(|tag| Removal {
                digest: *digest,
                tags: vec![tag.clone()],
                whole: false,
                kept: kept.clone(),
                part_of: part_of.clone(),
            }));
        }
        // What holds more cannot be held by what holds less.
        let size = |digest: &Digest| self.below.get(digest).map_or(0, HashSet::len);
        let mut whole: Vec<Digest> = self.whole.iter().copied().collect();
        whole.sort_by_key(|digest| Reverse(size(digest)));
        removals.extend(whole.into_iter().map(|digest| Removal {
            digest,
            tags: tags_of(&digest).to_vec(),
            whole: true,
            kept: Vec::new(),
            part_of: part_of(&digest),
        }));
        removals
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::of(Algorithm::Sha256, content.as_bytes())
    }

    fn tags<T: FromIterator<Tag>>(names: &[&str]) -> T {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    /// A repository in which `one` is `a` and `b`, and the index `all` is `c` and holds `one` and `two`, which is `d`.
    fn plan(names: &[&str], may_go: &[&str], whole: &[&str]) -> Vec<Removal> {
        let images = [("a", "one"), ("b", "one"), ("c", "all"), ("d", "two")];
        let named = |(tag, image): (&str, &str)| {
            (tag.parse().unwrap(), Named { digest: digest(image), is_index: image == "all" })
        };
        let plan = Plan {
            named: images.into_iter().map(named).collect(),
            names: tags(names),
            whole: whole.iter().map(|image| digest(image)).collect(),
            may_go: may_go.iter().map(|image| digest(image)).collect(),
            below: HashMap::from([(digest("all"), HashSet::from([digest("one"), digest("two")]))]),
        };
        plan.removals()
    }

    #[test]
    fn names_go_alone_and_say_where_the_image_stays() {
        let removals = plan(&["a"], &["one"], &[]);
        let expected = Removal {
            digest: digest("one"),
            tags: tags(&["a"]),
            whole: false,
            kept: tags(&["b"]),
            part_of: tags(&["c"]),
        };
        assert_eq!(removals, [expected]);
        let both = plan(&["a", "b"], &[], &[]);
        assert!(both.len() == 2 && both.iter().all(|removal| !removal.whole && removal.kept.is_empty()));
    }

    #[test]
    fn an_image_without_a_name_goes_unless_an_index_holds_it() {
        let held = plan(&["a", "b"], &["one"], &[]);
        assert!(held.iter().all(|removal| !removal.whole && removal.part_of == tags::<Vec<_>>(&["c"])));
        // The index goes as well, and first.
        let all = plan(&["a", "b", "c", "d"], &["one", "two", "all"], &[]);
        assert_eq!(all.len(), 3);
        assert!(all.iter().all(|removal| removal.whole && removal.part_of.is_empty()));
        assert_eq!((all[0].digest, &all[0].tags), (digest("all"), &tags(&["c"])));
    }

    #[test]
    fn an_image_goes_with_all_its_names_and_once() {
        let removals = plan(&["a"], &[], &["one", "all"]);
        assert_eq!(removals.len(), 2);
        assert_eq!((removals[1].digest, &removals[1].tags), (digest("one"), &tags(&["a", "b"])));
        assert!(removals.iter().all(|removal| removal.part_of.is_empty()));
        assert_eq!(plan(&[], &[], &["one"])[0].part_of, tags::<Vec<_>>(&["c"]));
    }
}
