//! `hythe rm`: taking names and images away, each named before and after.
//!
//! Invariant: nothing is removed before everything that is to go was found, and shown to whoever sits at a terminal;
//! each failure is named, and the exit code tells of it.

use std::collections::{BTreeMap, BTreeSet};

use hythe_client::image::RemoteImage;
use hythe_client::removal::{Freed, Removal, Wanted};
use hythe_client::transfer::Target;
use hythe_oci::Tag;
use hythe_remote::RemoteError;
use indicatif::DecimalBytes;
use serde::Serialize;

use super::Place;
use super::failed::{failed, transfer_failed};
use crate::arguments::RemoveArguments;
use crate::failure::{Exit, Failure};
use crate::printer::{Printer, counted, is_attended};

/// Names that are listed in one sentence.
const MOST_NAMES: usize = 10;

/// What `rm` says to programs.
#[derive(Serialize)]
struct Told {
    dry_run: bool,
    removed: Vec<Entry>,
    failed: Vec<NotRemoved>,
    /// What it comes to; known where it was asked for, by `--dry-run` or by a person.
    freed: Option<Freed>,
}

#[derive(Clone, Serialize)]
struct Entry {
    repository: String,
    #[serde(flatten)]
    removal: Removal,
}

#[derive(Serialize)]
struct NotRemoved {
    #[serde(flatten)]
    entry: Entry,
    reason: String,
}

/// What goes from one repository.
struct Part {
    target: Target,
    name: String,
    registry: String,
    removals: Vec<Removal>,
}

pub(in crate::commands) async fn remove(arguments: RemoveArguments, printer: Printer) -> Result<(), Failure> {
    let parts = Box::pin(plan(&arguments, printer)).await?;
    let names: usize = parts.iter().flat_map(|part| &part.removals).map(weight).sum();
    let ask = !arguments.yes && !arguments.dry_run && names > 1 && is_attended();
    let freed = if arguments.dry_run || ask { Some(Box::pin(freed(&parts)).await?) } else { None };
    if ask {
        for part in &parts {
            for sentence in part.sentences(&part.removals, "To be removed:") {
                printer.talk(&sentence);
            }
        }
        if let Some(freed) = &freed {
            printer.talk(&summary(freed));
        }
        if !printer.is_agreed("Remove them?") {
            return Err(Failure::new(Exit::Failed, "Nothing was removed"));
        }
    }
    let mut told = Told { dry_run: arguments.dry_run, removed: Vec::new(), failed: Vec::new(), freed };
    let mut lines = Vec::new();
    let mut first = None;
    for part in &parts {
        let mut done = Vec::new();
        let outcomes = if arguments.dry_run {
            part.removals.iter().map(|_| Ok(())).collect()
        } else {
            Box::pin(part.target.remove_all(&part.removals)).await
        };
        for (removal, removed) in part.removals.iter().zip(outcomes) {
            let entry = Entry { repository: part.name.clone(), removal: removal.clone() };
            match removed.map_err(|error| part.failure(removal, error)) {
                Ok(()) => {
                    done.push(removal.clone());
                    told.removed.push(entry);
                }
                Err(failure) => {
                    told.failed.push(NotRemoved { entry, reason: failure.to_string() });
                    first.get_or_insert(failure);
                }
            }
        }
        lines.extend(part.sentences(&done, if arguments.dry_run { "Would remove" } else { "Removed" }));
    }
    lines.extend(told.freed.as_ref().filter(|_| arguments.dry_run).map(summary));
    if told.failed.is_empty() || !told.removed.is_empty() || printer.is_for_programs() {
        let names = told.removed.iter().map(Entry::name);
        printer.named(&told, names, &lines.join("\n"))?;
    }
    let Some(failure) = first else { return Ok(()) };
    if told.removed.is_empty() && told.failed.len() == 1 {
        return Err(failure);
    }
    for failed in &told.failed {
        printer.warn(&format!("{} was not removed: {}", failed.entry.name(), failed.reason));
    }
    let (failed, gone) = (told.failed.len(), told.removed.len());
    let sentence = match gone {
        0 => format!("None of the {failed} could be removed"),
        _ => format!("{failed} of {} could not be removed; the others are gone", failed + gone),
    };
    Err(Failure::new(failure.exit(), sentence))
}

/// Finds everything that is to go.
async fn plan(arguments: &RemoveArguments, printer: Printer) -> Result<Vec<Part>, Failure> {
    let place = Place::open(arguments.registry.clone())?;
    let mut images: BTreeMap<String, Vec<RemoteImage>> = BTreeMap::new();
    for text in &arguments.images {
        let image = place.image(text)?;
        let repository = format!("{}/{}", image.registry(), image.repository());
        images.entry(repository).or_default().push(image);
    }
    let mut parts = Vec::new();
    for (name, images) in images {
        let [first, ..] = &images[..] else { continue };
        let (target, _) = place.target(first, printer).await?;
        let registry = first.registry().to_string();
        let mut part = Part { target, name, registry, removals: Vec::new() };
        let wanted = part.wanted(&images, arguments).await?;
        part.removals = Box::pin(part.target.plan_removal(&wanted)).await.map_err(transfer_failed)?;
        part.check(&images)?;
        parts.push(part);
    }
    if parts.iter().all(|part| part.removals.is_empty()) {
        let what = if arguments.matching.is_some() { "No tag matches" } else { "There is no tag to remove" };
        return Err(Failure::new(Exit::NotFound, what).hint("see the tags with `hythe tags`"));
    }
    Ok(parts)
}

impl Part {
    /// What the arguments mean for this repository: its names at once, and each image by digest.
    async fn wanted(
        &self,
        images: &[RemoteImage],
        arguments: &RemoveArguments,
    ) -> Result<Vec<Wanted>, Failure> {
        let mut tags = BTreeSet::new();
        let mut wanted = Vec::new();
        let many = arguments.all_tags || arguments.matching.is_some();
        for image in images {
            match (image.digest(), image.tag()) {
                (None, None) if many => {
                    let matcher = arguments.matching.as_ref().map(globset::Glob::compile_matcher);
                    let all = self.target.tagged().await.map_err(failed)?.into_keys();
                    tags.extend(
                        all.filter(|tag| {
                            matcher.as_ref().is_none_or(|matcher| matcher.is_match(tag.as_str()))
                        }),
                    );
                }
                (_, _) if many => {
                    let sentence = "--all-tags and --match are about a repository, without a tag or digest";
                    return Err(Failure::new(Exit::Usage, sentence));
                }
                (Some(digest), _) => {
                    let image = Wanted::Image(*digest);
                    if !wanted.contains(&image) {
                        wanted.push(image);
                    }
                }
                (None, Some(tag)) => drop(tags.insert(tag.clone())),
                (None, None) => {
                    return Err(Failure::new(Exit::Usage, "Say which image is to go").hint(
                        "name a tag to remove that name alone, a digest (@sha256:…) to remove the image with all its \
                         names, or --all-tags",
                    ));
                }
            }
        }
        if !tags.is_empty() {
            wanted.push(Wanted::Tags { tags, untagged: arguments.untagged });
        }
        Ok(wanted)
    }

    /// A digest that its tag does not name any more removes nothing, nor does one that an index needs.
    fn check(&self, images: &[RemoteImage]) -> Result<(), Failure> {
        for image in images {
            let (Some(digest), Some(tag)) = (image.digest(), image.tag()) else { continue };
            let named =
                self.removals.iter().any(|removal| removal.digest == *digest && removal.tags.contains(tag));
            if !named {
                let sentence = format!(
                    "{} does not name {digest} now, so nothing was removed",
                    image.as_docker_url(false)
                );
                return Err(
                    Failure::new(Exit::Conflict, sentence).hint("look at it again with `hythe digest`")
                );
            }
        }
        let Some(needed) = self.removals.iter().find(|removal| removal.whole && !removal.part_of.is_empty())
        else {
            return Ok(());
        };
        let (name, digest, holders) = (&self.name, needed.digest, listed(&needed.part_of));
        let sentence = format!("{digest} is a platform of {name}:{holders}, so nothing was removed");
        Err(Failure::new(Exit::Conflict, sentence).hint("remove that image first, or together with this one"))
    }

    /// What goes, or went: a sentence for each image.
    fn sentences(&self, removals: &[Removal], verb: &str) -> Vec<String> {
        let of_one = |a: &Removal, b: &Removal| !a.whole && !b.whole && a.digest == b.digest;
        removals.chunk_by(of_one).filter_map(|removals| self.sentence(removals, verb)).collect()
    }

    fn sentence(&self, removals: &[Removal], verb: &str) -> Option<String> {
        let removal = removals.first()?;
        let (name, digest) = (&self.name, removal.digest);
        let tags: Vec<String> =
            removals.iter().flat_map(|removal| &removal.tags).map(ToString::to_string).collect();
        Some(match (&tags[..], removal.whole) {
            ([], _) => format!("{verb} {digest} of {name}, which has no tag"),
            (tags, true) => format!("{verb} {digest} of {name} with its tags: {}", tags.join(", ")),
            (tags, false) => {
                let word = if tags.len() == 1 { "tag" } else { "tags" };
                let place = match (&removal.kept[..], &removal.part_of[..]) {
                    ([], []) => format!("its digest {digest}"),
                    ([], holders) => format!("its digest, as a platform of {}", listed(holders)),
                    (kept, _) => listed(kept),
                };
                format!("{verb} the {word} {} of {name}; the image stays under {place}", tags.join(", "))
            }
        })
    }

    fn failure(&self, removal: &Removal, error: RemoteError) -> Failure {
        if !matches!(error, RemoteError::Unsupported { .. }) {
            return failed(error);
        }
        if removal.whole {
            return Failure::new(Exit::Failed, format!("{} removes no images", self.registry));
        }
        Failure::new(Exit::Failed, format!("{} removes no tag by itself", self.registry))
            .hint(format!("{}@{} removes the image with all its tags", self.name, removal.digest))
    }
}

impl Entry {
    fn name(&self) -> String {
        match &self.removal.tags[..] {
            [tag] if !self.removal.whole => format!("{}:{tag}", self.repository),
            _ => format!("{}@{}", self.repository, self.removal.digest),
        }
    }
}

/// How many things a person would say go.
fn weight(removal: &Removal) -> usize {
    removal.tags.len().max(1)
}

async fn freed(parts: &[Part]) -> Result<Freed, Failure> {
    let mut sum = Freed::default();
    for part in parts {
        let freed = part.target.freed(&part.removals).await.map_err(transfer_failed)?;
        sum.images += freed.images;
        sum.tags += freed.tags;
        sum.bytes_at_most = sum.bytes_at_most.saturating_add(freed.bytes_at_most);
    }
    Ok(sum)
}

fn summary(freed: &Freed) -> String {
    let room = match freed.bytes_at_most {
        0 => "no space becomes free".to_owned(),
        bytes => format!("up to {} become free when the registry collects its garbage", DecimalBytes(bytes)),
    };
    let names = counted(freed.tags, "tag");
    match freed.images {
        0 => format!("{names} in all; {room}"),
        images => format!("{names} and {} in all; {room}", counted(images, "image")),
    }
}

/// Names in a sentence.
fn listed(tags: &[Tag]) -> String {
    let shown = tags.iter().take(MOST_NAMES).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match tags.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
