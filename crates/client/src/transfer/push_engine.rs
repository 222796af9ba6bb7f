//! Pushing an image of an engine: by what is remembered of it, if all of it is at the registry; else out of docker's own
//! folder, if that can be read; else by the archive that the engine exports.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Digest, Tag};
use hythe_remote::Expected;

use super::memory::KnownBlob;
use super::push_archive::push_stream;
use super::push_stored;
use super::pushing::Pushing;
use super::target::{PushOptions, Pushed};
use super::written::NamedLayer;
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
    let source = format!("{kind} image {name}");
    if !options.through_engine
        && let Some(store) = engine.store().await
    {
        match push_stored::push(target, &store, &known.id, &source, tag, options, reporter).await {
            Err(error) if push_stored::is_of_store(&error) => {
                tracing::info!(%error, "docker's folder is of no use for this image: the engine is asked for it");
            }
            other => return other,
        }
    }
    let plan = Plan::new(TransferKind::Push, source, target.named(tag), Vec::new());
    reporter.tell(|| Event::Plan(plan));
    push_stream(target, engine.export(name)?.into(), Some(name), tag, options, reporter).await
}

/// Pushes an image without reading it, if every layer of it is remembered and there, or can be mounted.
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
        diff_ids.iter().map(|diff_id| memory.blob(diff_id, options.compression())).collect();
    let Some(known) = known else { return Ok(None) };
    let listed = known
        .iter()
        .zip(diff_ids)
        .zip(0..)
        .map(|((blob, diff_id), at)| Layer::new(at, Some(blob.digest), Some(*diff_id), Some(blob.size)));
    let plan = Plan::new(TransferKind::Push, "image".to_owned(), target.named(tag), listed.collect());
    reporter.tell(|| Event::Plan(plan));
    let mut pushing = Pushing::new(target, options, reporter);
    let asked: Vec<_> = known
        .iter()
        .zip(diff_ids)
        .map(|(blob, diff_id)| (*blob, pushing.layer(Some(blob.digest), Some(*diff_id), Some(blob.size))))
        .collect();
    let all_there = stream::iter(asked)
        .map(|(KnownBlob { digest, size }, layer)| async move {
            target.found(Expected { digest, size }, options, &layer).await
        })
        .buffer_unordered(options.jobs().max(8))
        .try_all(std::future::ready)
        .await?;
    if !all_there {
        return Ok(None);
    }
    pushing.tally.skipped = known.len();
    let layers: Vec<_> =
        known.into_iter().map(|blob| NamedLayer::of(options.compression().media_type(), blob)).collect();
    pushing.write_image(config, &layers, tag).await.map(Some)
}
