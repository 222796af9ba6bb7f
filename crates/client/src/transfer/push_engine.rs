//! Pushing an image of an engine: by what is remembered of it, if all of it is at the registry, and else by the archive
//! that the engine exports.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Tag};

use super::memory::KnownBlob;
use super::push_archive::{named, push_stream};
use super::push_layout::push_document;
use super::target::{PushOptions, Pushed};
use super::written::manifest;
use super::{Target, TransferError};
use crate::engine::Engine;
use crate::progress::{Event, Layer, Plan, Reporter, TransferKind};

pub(super) async fn push(
    target: &Target,
    engine: &Engine,
    name: &str,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let kind = engine.address().kind;
    let known = engine.inspect(name).await?.ok_or_else(|| {
        TransferError::Invalid(format!(
            "{kind} has no image {name}: check the name, or pull or build it first"
        ))
    })?;
    if let Some(pushed) = push_remembered(target, &known.id, &known.diff_ids, tag, options, reporter).await? {
        return Ok(pushed);
    }
    let plan = Plan::new(TransferKind::Push, format!("{kind} image {name}"), target.named(tag), Vec::new());
    reporter.tell(|| Event::Plan(plan));
    push_stream(target, engine.export(name)?, Some(name), tag, options, reporter).await
}

/// Pushes an image without reading it, if everything of it is remembered and there.
async fn push_remembered(
    target: &Target,
    id: &Digest,
    diff_ids: &[Digest],
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Option<Pushed>, TransferError> {
    let Some(memory) = &options.memory else { return Ok(None) };
    let Some(config) = memory.config(id) else { return Ok(None) };
    let known: Option<Vec<KnownBlob>> =
        diff_ids.iter().map(|diff_id| memory.blob(diff_id, options.compression)).collect();
    let Some(known) = known else { return Ok(None) };
    let blob_of_config = KnownBlob { digest: *id, size: config.len() as u64 };
    let asked: Vec<_> = known.iter().chain([&blob_of_config]).map(|blob| blob.digest).collect();
    let here = stream::iter(asked)
        .map(|digest| async move { target.remote.has_blob(&target.repository, &digest).await })
        .buffer_unordered(options.jobs().max(8))
        .try_all(std::future::ready)
        .await?;
    if !here {
        return Ok(None);
    }
    let layers = known.iter().map(|blob| named(options.compression.media_type(), *blob));
    let document = manifest(&config, &layers.collect::<Vec<_>>())?;
    let listed: Vec<_> = known
        .iter()
        .zip(diff_ids)
        .zip(0..)
        .map(|((blob, diff_id), at)| Layer::new(at, Some(blob.digest), Some(*diff_id), Some(blob.size)))
        .collect();
    let count = listed.len();
    let plan = Plan::new(TransferKind::Push, "image".to_owned(), target.named(tag), listed);
    reporter.tell(|| Event::Plan(plan));
    for at in 0..u32::try_from(count).unwrap_or(u32::MAX) {
        reporter.layer(at).exists();
    }
    reporter.tell(|| Event::Finalising);
    push_document(target, &document, &Target::reference(tag, &document.digest)).await?;
    Ok(Some(Pushed { digest: document.digest, skipped: count + 1, sent: 0, sent_bytes: 0 }))
}
