//! Pushing from an OCI layout: every digest is known before anything is sent.

use std::io;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_api::Part;
use hythe_oci::{Descriptor, Digest, Manifest, ManifestKind, Reference, Tag};
use hythe_remote::{Content, Expected};

use super::target::{PushOptions, Pushed, Tally};
use super::turn::Turns;
use super::{MOST_MANIFESTS, Target, TransferError};
use crate::progress::{Event, Layer, Plan, Reporter, TransferKind};
use crate::source::{Document, Layout, Platform, SourceError};

/// Everything that makes up an image.
#[derive(Default)]
pub(super) struct Whole {
    /// Each blob once.
    pub(super) blobs: Vec<(Expected, String)>,
    /// Each manifest once, what is named before what names it; the image's own is the last.
    manifests: Vec<Document>,
}

pub(super) async fn push(
    target: &Target,
    layout: &Layout,
    name: Option<&str>,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let (root, whole) = chosen_whole(layout, name, options.platform.as_ref())?;
    let layers = whole.blobs.iter().zip(0..).map(|((blob, label), at)| {
        let layer = Layer::new(at, Some(blob.digest), None, Some(blob.size));
        if label.is_empty() { layer } else { layer.labelled(label) }
    });
    let plan = Plan::new(TransferKind::Push, "OCI layout".to_owned(), target.named(tag), layers.collect());
    reporter.tell(|| Event::Plan(plan));
    let announced = target.announced(root.digest, tag, parts(&whole, &root.digest)).await;
    let pushed = bring_all(target, layout, &whole, tag, options, reporter).await;
    if let (Err(_), Some(announced)) = (&pushed, announced) {
        announced.withdraw().await;
    }
    pushed
}

/// The image of this name, and everything that makes it up.
pub(super) fn chosen_whole(
    layout: &Layout,
    name: Option<&str>,
    platform: Option<&Platform>,
) -> Result<(Document, Whole), TransferError> {
    let root = narrowed(layout, layout.choose(name)?, platform)?;
    let whole = gather(layout, &root)?;
    Ok((root, whole))
}

/// What others wait for: all blobs, and all manifests but the image's own.
fn parts(whole: &Whole, root: &Digest) -> Vec<Part> {
    let blobs = whole.blobs.iter().map(|(blob, _)| Part { digest: blob.digest, size: blob.size });
    let children = whole.manifests.iter().filter(|manifest| manifest.digest != *root);
    blobs.chain(children.map(|child| Part { digest: child.digest, size: child.bytes.len() as u64 })).collect()
}

async fn bring_all(
    target: &Target,
    layout: &Layout,
    whole: &Whole,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let mut tally = Tally::default();
    let blobs: Vec<_> = whole.blobs.iter().map(|(blob, _)| *blob).zip(0..).collect();
    let turns = Turns::new(options.jobs());
    let mut moving = stream::iter(blobs)
        .map(|(blob, at)| {
            let (layout, layer, turns) = (layout.clone(), reporter.layer(at), &turns);
            async move {
                let turn = turns.next().await;
                let content =
                    |offset| turn.during(content(&layout, blob, offset), blob.size.saturating_sub(offset));
                target.bring(blob, content, options, &layer).await
            }
        })
        .buffer_unordered(options.jobs().saturating_mul(2));
    while let Some(brought) = moving.try_next().await? {
        tally.count(brought);
    }
    drop(moving);
    reporter.tell(|| Event::Finalising);
    let Some((root, children)) = whole.manifests.split_last() else {
        return Err(TransferError::Invalid("The layout names no manifest.".to_owned()));
    };
    for child in children {
        let reference = Reference::Digest(child.digest);
        push_document(target, child, &reference).await?;
    }
    push_document(target, root, &Target::reference(tag, &root.digest)).await?;
    Ok(tally.pushed(root.digest))
}

pub(super) async fn push_document(
    target: &Target,
    document: &Document,
    reference: &Reference,
) -> Result<(), TransferError> {
    let bytes = document.bytes.clone();
    let pushed =
        target.remote.push_manifest(&target.repository, reference, &document.media_type, bytes).await?;
    let pushed = pushed.digest;
    if pushed.algorithm() == document.digest.algorithm() && pushed != document.digest {
        return Err(TransferError::Invalid(format!(
            "The registry stored {pushed}, not the image {}: push again.",
            document.digest
        )));
    }
    Ok(())
}

/// One platform of an index, if one is asked for.
pub(super) fn narrowed(
    layout: &Layout,
    root: Document,
    platform: Option<&Platform>,
) -> Result<Document, TransferError> {
    let Some(platform) = platform else { return Ok(root) };
    let manifest = parse(&root)?;
    if manifest.kind != ManifestKind::Index {
        return Ok(root);
    }
    let child = chosen(platform, &manifest)?;
    child_of(layout, child).map_err(TransferError::from)
}

/// The entry of an index for a platform.
pub(crate) fn chosen<'a>(platform: &Platform, index: &'a Manifest) -> Result<&'a Descriptor, TransferError> {
    platform.choose(&index.children).ok_or_else(|| {
        let held: Vec<_> = index.children.iter().filter_map(Platform::of).collect();
        let held = if held.is_empty() { "no platform".to_owned() } else { held.join(", ") };
        TransferError::Platform { platform: platform.to_string(), held }
    })
}

fn child_of(layout: &Layout, child: &Descriptor) -> Result<Document, SourceError> {
    let media_type = child.essence().ok_or_else(|| SourceError::Content {
        digest: child.digest,
        problem: "named without a media type".to_owned(),
    })?;
    Ok(Document { digest: child.digest, media_type, bytes: layout.document(&child.digest)? })
}

pub(crate) fn parse(document: &Document) -> Result<Manifest, SourceError> {
    Manifest::parse(Some(&document.media_type), &document.bytes)
        .map_err(|problem| SourceError::Manifest { digest: document.digest, problem })
}

/// Whether a child of an index is a manifest itself; else it is a blob, as BuildKit's cache has them.
pub(super) fn is_manifest(child: &Descriptor) -> bool {
    child.essence().is_some_and(|kind| kind.is_image() || kind.is_index())
}

/// Follows a manifest to everything it needs. An index may name what the layout does not hold only if it is no manifest
/// that others would miss: here everything must be there.
fn gather(layout: &Layout, root: &Document) -> Result<Whole, SourceError> {
    let mut whole = Whole::default();
    let mut met = std::collections::HashSet::from([root.digest]);
    let mut open = vec![root.clone()];
    while let Some(document) = open.pop() {
        if whole.manifests.len() >= MOST_MANIFESTS {
            let problem = format!("an image of more than {MOST_MANIFESTS} manifests");
            return Err(SourceError::Content { digest: root.digest, problem });
        }
        let manifest = parse(&document)?;
        for child in &manifest.children {
            if !met.insert(child.digest) {
                continue;
            }
            if is_manifest(child) {
                open.push(child_of(layout, child)?);
            } else {
                whole.blob(layout, child, "")?;
            }
        }
        for (blob, label) in manifest
            .config
            .iter()
            .map(|config| (config, "config"))
            .chain(manifest.layers.iter().map(|layer| (layer, "")))
        {
            if !blob.is_nondistributable() && met.insert(blob.digest) {
                whole.blob(layout, blob, label)?;
            }
        }
        whole.manifests.push(document);
    }
    // Met from the image down; written from its parts up.
    whole.manifests.reverse();
    Ok(whole)
}

impl Whole {
    fn blob(&mut self, layout: &Layout, blob: &Descriptor, label: &str) -> Result<(), SourceError> {
        let (_, size) = layout.blob(&blob.digest)?;
        if size != blob.size {
            let problem = format!("{size} bytes long in the layout, not {} as its manifest says", blob.size);
            return Err(SourceError::Content { digest: blob.digest, problem });
        }
        self.blobs.push((Expected { digest: blob.digest, size }, label.to_owned()));
        Ok(())
    }
}

/// A blob's bytes from an offset on. Its digest is the registry's to check.
fn content(layout: &Layout, blob: Expected, offset: u64) -> Content {
    match layout.blob(&blob.digest) {
        Ok((file, _)) => Content::file(Arc::new(file), offset.min(blob.size)..blob.size),
        Err(error) => Content::from(stream::once(async { Err(io::Error::other(error)) })),
    }
}
