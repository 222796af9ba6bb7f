//! Pulling into an OCI layout: what the runtime receives of a blob, a thread beside it hashes and writes.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest, Reference};
use hythe_remote::RemoteError;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, spawn_blocking};

use super::parts::{CONNECTIONS, Parts};
use super::pull::{PullOptions, Pulled};
use super::{Target, TransferError};
use crate::progress::{Event, Layer, LayerReporter, Plan, Reporter, TransferKind};
use crate::sink::{Block, Incoming, LayoutFolder};
use crate::spare::Spare;

/// The most blobs of all pulls of this process that are written at once: each keeps a thread that waits for others, of
/// which a runtime has 512 unless it is told otherwise.
const MOST_WRITTEN: usize = 64;

static WRITING: Semaphore = Semaphore::const_new(MOST_WRITTEN);

pub(super) async fn pull(
    target: &Target,
    reference: &Reference,
    folder: &Path,
    name: Option<&str>,
    options: &PullOptions,
    reporter: &Reporter,
) -> Result<Pulled, TransferError> {
    let write = |source| TransferError::Write { path: folder.to_owned(), source };
    let root = match options.platform {
        Some(_) => target.one_platform(reference, options).await?,
        None => target.remote.pull_manifest(&target.repository, reference).await?.into(),
    };
    let (documents, blobs) = target.gather(&root).await?;
    // Nothing is made for an image that is not there or makes no sense.
    let layout = LayoutFolder::open(folder).map_err(write)?;
    let listed =
        blobs.iter().zip(0..).map(|(blob, at)| Layer::new(at, Some(blob.digest), None, Some(blob.size)));
    let plan = Plan::new(
        TransferKind::Pull,
        target.named_reference(reference),
        folder.display().to_string(),
        listed.collect(),
    );
    reporter.tell(|| Event::Plan(plan));
    let parts = Parts::of(blobs.iter().map(|blob| blob.size));
    let spare = Spare::new();
    let jobs = options.jobs.map_or(CONNECTIONS, NonZeroUsize::get);
    let mut moving = stream::iter(blobs.into_iter().zip(0..))
        .map(|(blob, at)| received(target, &layout, blob, (&parts, &spare), reporter.layer(at), write))
        .buffer_unordered(jobs)
        // What waits for the disk keeps none from being fetched.
        .map_ok(|came| placed(target, came, write))
        .try_buffer_unordered(jobs);
    let (mut skipped, mut received) = (0, 0);
    while let Some(came) = moving.try_next().await? {
        if came { received += 1 } else { skipped += 1 }
    }
    drop(moving);
    reporter.tell(|| Event::Finalising);
    for document in documents.iter().chain([&root]) {
        layout.document(document).map_err(write)?;
    }
    let (digest, name) = (root.digest, name.map(str::to_owned));
    joined(spawn_blocking(move || layout.list(&root, name.as_deref()))).await.map_err(write)?;
    Ok(Pulled { digest, skipped, received })
}

/// A blob that is written beside its place.
struct Received {
    digest: Digest,
    incoming: Incoming,
    told: LayerReporter,
}

/// Fetches a blob into a layout; `None` if it was there.
async fn received(
    target: &Target,
    layout: &LayoutFolder,
    blob: Descriptor,
    (parts, spare): (&Parts, &Spare<Block>),
    told: LayerReporter,
    write: impl Fn(io::Error) -> TransferError,
) -> Result<Option<Received>, TransferError> {
    told.queued();
    if layout.has(&blob.digest, blob.size) {
        told.exists();
        return Ok(None);
    }
    // It is never closed.
    let _turn = WRITING.acquire().await.ok();
    let (folder, digest) = (layout.clone(), blob.digest);
    let mut incoming = joined(spawn_blocking(move || folder.begin(&digest))).await.map_err(&write)?;
    if incoming.size() > blob.size {
        incoming.clear().map_err(&write)?;
    }
    let content = target.content(&blob, incoming.size(), parts, &told);
    let (blocks, came) = mpsc::channel(1);
    let from = incoming.size();
    let used = spare.clone();
    let writing = spawn_blocking(move || written(incoming, came, &used));
    let fetched = handed_on(content, from, blocks, spare).await;
    let incoming = joined(writing).await.map_err(&write)?;
    match fetched {
        Ok(()) => Ok(Some(Received { digest, incoming, told })),
        Err(error) => {
            // What came is kept for the next pull, unless it cannot be right.
            if matches!(error, RemoteError::WrongSize { .. } | RemoteError::WrongDigest { .. }) {
                incoming.discard();
            }
            Err(error.into())
        }
    }
}

/// Puts what was received in its place if it is what was asked for; false if nothing had to be.
async fn placed(
    target: &Target,
    came: Option<Received>,
    write: impl Fn(io::Error) -> TransferError,
) -> Result<bool, TransferError> {
    let Some(Received { digest, incoming, told }) = came else { return Ok(false) };
    match joined(spawn_blocking(move || incoming.finish())).await.map_err(&write)? {
        Ok(()) => {
            told.done(digest);
            Ok(true)
        }
        Err(received) => {
            let registry = target.remote.origin().to_string();
            Err(RemoteError::WrongDigest { registry, expected: digest, received }.into())
        }
    }
}

/// Hands on what comes from an offset on, in blocks, also what came before an error.
async fn handed_on(
    mut content: BoxStream<'static, Result<Bytes, RemoteError>>,
    from: u64,
    blocks: mpsc::Sender<Block>,
    spare: &Spare<Block>,
) -> Result<(), RemoteError> {
    let mut block = empty(spare, from);
    let fetched = loop {
        let piece = match content.try_next().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        };
        let mut rest = piece.as_ref();
        while !rest.is_empty() {
            rest = block.take(rest);
            if block.is_full() {
                let next = empty(spare, block.end());
                // It cannot be written if nobody takes it: why, its thread tells.
                if blocks.send(std::mem::replace(&mut block, next)).await.is_err() {
                    return Ok(());
                }
            }
        }
    };
    // Here too.
    drop(blocks.send(block).await);
    fetched
}

/// Hashes and writes until no more comes, and gives back the memory.
fn written(
    mut incoming: Incoming,
    mut came: mpsc::Receiver<Block>,
    used: &Spare<Block>,
) -> io::Result<Incoming> {
    while let Some(block) = came.blocking_recv() {
        used.put(incoming.write(block)?);
    }
    Ok(incoming)
}

/// A block that begins here.
fn empty(spare: &Spare<Block>, offset: u64) -> Block {
    spare.take().map_or_else(|| Block::new(offset), |block| block.reused(offset))
}

async fn joined<T>(work: JoinHandle<io::Result<T>>) -> io::Result<T> {
    work.await.map_err(io::Error::other)?
}
