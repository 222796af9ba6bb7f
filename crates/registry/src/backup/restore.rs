//! Restores: a backup's records and blobs copied into an empty folder, each blob compared with its digest.

use std::path::Path;

use futures_util::{StreamExt as _, stream};
use hythe_oci::Digest;
use hythe_store::records::stamps::{Damage, Stamp, StoredBlob};
use hythe_store::{BackupFolder, FileState, RestoreFolder, SharedClock, Store};

use super::description::Description;
use super::{BackupError, PAGE, RestoreReport};
use crate::progress::Reporter;

/// Blobs copied at once: small ones mostly wait for the disk.
const AT_ONCE: usize = 16;

/// Fills the folder `to` from the backup in `from`, which is only read. If it is interrupted, it can be run again.
pub async fn restore(
    from: &Path,
    to: &Path,
    clock: SharedClock,
    progress: &Reporter,
) -> Result<RestoreReport, BackupError> {
    let text = BackupFolder::description(from)?;
    let text = text.ok_or_else(|| BackupError::NoBackup(from.display().to_string()))?;
    let (made, records, bytes) = Description::read(&text, from)?;
    let folder = RestoreFolder::take(to, from).map_err(|error| BackupError::folder(to, error))?;
    if folder.take_records(records.place)? != records.digest {
        return Err(BackupError::RecordsDamaged(from.display().to_string()));
    }
    let store = folder.store(clock)?;
    progress.expect(bytes);
    let mut report = RestoreReport { made, ..RestoreReport::default() };
    let mut last = None;
    loop {
        let page = store.records.read(move |r| r.stored_blobs(last.as_ref(), PAGE)).await?;
        let Some((end, _)) = page.last() else { break };
        last = Some(*end);
        let copies = page.into_iter().map(|(digest, seen)| take(&folder, &store, digest, seen, progress));
        let mut copies = stream::iter(copies).buffer_unordered(AT_ONCE);
        let mut taken = Vec::new();
        while let Some(copy) = copies.next().await {
            let (digest, seen, file) = copy?;
            match file {
                Some(_) => report.restored.add(seen.size),
                None => report.damaged.add(&digest),
            }
            taken.push((digest, seen, file));
        }
        note(&store, taken).await?;
    }
    store.records.close().await;
    drop(store);
    folder.finish()?;
    Ok(report)
}

type Taken = (Digest, StoredBlob, Option<FileState>);

async fn take(
    folder: &RestoreFolder,
    store: &Store,
    digest: Digest,
    seen: StoredBlob,
    progress: &Reporter,
) -> Result<Taken, BackupError> {
    let file = folder.take_blob(store, digest).await?;
    progress.done(seen.size);
    Ok((digest, seen, file))
}

/// Notes how the copies look, and which there are none of.
async fn note(store: &Store, taken: Vec<Taken>) -> Result<(), BackupError> {
    let now = store.clock.now();
    store
        .records
        .write(move |w| {
            for (digest, seen, file) in &taken {
                if let Some(file) = *file {
                    w.stamp_blob(digest, seen, Stamp { file, verified: now })?;
                } else {
                    w.mark_damaged(digest, Damage::Missing, now)?;
                }
            }
            Ok::<_, BackupError>(())
        })
        .await
}
