//! Pushing an image out of docker's own folder.

use hythe_oci::{Digest, Tag};
use hythe_remote::RemoteError;

use super::pushing::Pushing;
use super::target::{PushOptions, Pushed};
use super::{Target, TransferError};
use crate::progress::{Event, Layer, Plan, Reporter, TransferKind};
use crate::source::{DockerStore, StoredImage};

pub(super) async fn push(
    target: &Target,
    store: &DockerStore,
    id: &Digest,
    source: &str,
    tag: Option<&Tag>,
    options: &PushOptions,
    reporter: &Reporter,
) -> Result<Pushed, TransferError> {
    let StoredImage { config, layers } = store.image(*id).await?;
    let planned = layers.iter().zip(0..).map(|(layer, at)| Layer::new(at, None, Some(layer.diff_id), None));
    let plan = Plan::new(TransferKind::Push, source.to_owned(), target.named(tag), planned.collect());
    reporter.tell(|| Event::Plan(plan));
    let mut pushing = Pushing::new(target, options, reporter);
    let mut named = Vec::new();
    for stored in layers {
        let layer = pushing.layer(None, Some(stored.diff_id), None);
        if let Some(blob) = pushing.remembered(&stored.diff_id, &layer).await? {
            named.push(blob);
            continue;
        }
        let (diff_id, size) = (stored.diff_id, stored.size().await?);
        let (_, blob) = pushing.pack(stored.into_stream(), size, Some(diff_id), &layer).await?;
        named.push(blob);
    }
    pushing.write_image(config, &named, tag).await
}

/// Whether it was the folder that could not be used: the engine may yet know how.
pub(super) fn is_of_store(error: &TransferError) -> bool {
    matches!(error, TransferError::Source(_) | TransferError::Remote(RemoteError::Content(_)))
}
