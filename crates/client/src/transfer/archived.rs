//! What of an OCI layout in an archive is pushed: the whole image if all of it came by; of one that was exported in part,
//! the platform that did.

use std::collections::HashSet;

use hythe_oci::{Descriptor, Digest, Manifest, ManifestKind};

use super::TransferError;
use super::push_layout::{chosen, is_manifest, parse};
use crate::source::{ArchiveIndex, Document, Platform, SourceError};

/// The manifests that are pushed, what is named before what names it, the image itself last. `has` says whether a blob is
/// in the archive.
///
/// An engine that has pulled one platform of an image writes its index whole, and of the other platforms nothing: then the
/// one that is there is the image.
pub(super) fn documents(
    index: &ArchiveIndex,
    root: Document,
    platform: Option<&Platform>,
    has: &dyn Fn(&Digest) -> bool,
) -> Result<Vec<Document>, TransferError> {
    let manifest = parse(&root)?;
    if let (Some(platform), ManifestKind::Index) = (platform, manifest.kind) {
        let root = child(index, chosen(platform, &manifest)?)?;
        return below(index, root, has)?.map_err(|absent| not_there(&absent).into());
    }
    let absent = match below(index, root, has)? {
        Ok(all) => return Ok(all),
        Err(absent) => absent,
    };
    let mut there = Vec::new();
    for part in &manifest.children {
        if let Some(platform) = Platform::of(part)
            && index.has(&part.digest)
            && let Ok(documents) = below(index, child(index, part)?, has)?
        {
            there.push((platform, documents));
        }
    }
    match there.len() {
        0 => Err(not_there(&absent).into()),
        1 => Ok(there.into_iter().flat_map(|(_, documents)| documents).collect()),
        _ => {
            let problem =
                "the archive has some platforms of the image and not all, and none was named".to_owned();
            let held = there.into_iter().map(|(platform, _)| platform).collect();
            Err(SourceError::Choice { problem, held }.into())
        }
    }
}

/// Every blob that is neither manifest nor index and has to be at the registry before this manifest.
pub(super) fn blobs(manifest: &Manifest) -> impl Iterator<Item = &Descriptor> {
    manifest.required_blobs().chain(manifest.children.iter().filter(|child| !is_manifest(child)))
}

/// Whether a layout is complete in itself: all of it came by, each layer as it is named.
pub(super) fn is_complete(
    documents: Result<Vec<Document>, TransferError>,
    as_named: impl Fn(&Descriptor) -> bool,
) -> bool {
    documents.is_ok_and(|documents| {
        documents
            .iter()
            .all(|document| parse(document).is_ok_and(|manifest| manifest.layers.iter().all(&as_named)))
    })
}

/// What is to be sent as it is, and is met in a stream too late for that.
pub(super) fn too_late(digest: &Digest) -> SourceError {
    SourceError::Refused(format!(
        "{digest} lies in it uncompressed and has to be sent as it is, for which it must be read twice: push it from a file \
         (archive:FILE) or a folder (oci:FOLDER)"
    ))
}

/// Everything from a manifest down; or the first digest that is not in the archive.
fn below(
    index: &ArchiveIndex,
    root: Document,
    has: &dyn Fn(&Digest) -> bool,
) -> Result<Result<Vec<Document>, Digest>, SourceError> {
    let mut met = HashSet::from([root.digest]);
    let (mut open, mut documents) = (vec![root], Vec::new());
    while let Some(document) = open.pop() {
        let manifest = parse(&document)?;
        if let Some(absent) = blobs(&manifest).find(|blob| !has(&blob.digest)) {
            return Ok(Err(absent.digest));
        }
        for part in manifest.children.iter().filter(|part| is_manifest(part)) {
            if !met.insert(part.digest) {
                continue;
            }
            if !index.has(&part.digest) {
                return Ok(Err(part.digest));
            }
            open.push(child(index, part)?);
        }
        documents.push(document);
    }
    // Met from the image down; written from its parts up.
    documents.reverse();
    Ok(Ok(documents))
}

fn child(index: &ArchiveIndex, child: &Descriptor) -> Result<Document, SourceError> {
    let untyped =
        || SourceError::Content { digest: child.digest, problem: "named without a media type".to_owned() };
    let media_type = child.essence().ok_or_else(untyped)?;
    Ok(Document { digest: child.digest, media_type, bytes: index.blob(&child.digest)? })
}

fn not_there(digest: &Digest) -> SourceError {
    SourceError::Content { digest: *digest, problem: "not in the archive".to_owned() }
}
