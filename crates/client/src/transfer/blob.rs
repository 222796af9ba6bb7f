//! Bringing one blob of known digest into a repository: not at all if it is there, by a mount if another repository has
//! it, by going on with an upload that was begun before, else from its beginning.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use hythe_remote::{Content, Expected, Mount, Remote, RemoteError, Upload};

use super::Target;
use super::target::PushOptions;
use crate::progress::LayerReporter;

/// Smaller blobs are sent again rather than looked for in open uploads: that would cost as much.
const WORTH_RESUMING: u64 = 1024 * 1024;

/// What is sent at once when larger bodies are refused: proxies commonly take 10 MB and more.
pub(super) const SMALL_BODY: u64 = 8 * 1024 * 1024;

/// How a blob came to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Brought {
    /// It was there, here or in another repository.
    Skipped,
    /// So many bytes were sent.
    Sent(u64),
}

/// What came of trying to mount a blob.
enum Tried {
    Mounted,
    /// The registry may have opened an upload instead.
    Not(Option<Box<Upload>>),
}

impl Target {
    /// Brings a blob; `content` gives its bytes from an offset on.
    pub(super) async fn bring<S>(
        &self,
        blob: Expected,
        content: impl Fn(u64) -> S + Send + Sync,
        options: &PushOptions,
        layer: &LayerReporter,
    ) -> Result<Brought, RemoteError>
    where
        S: Into<Content>,
    {
        layer.queued();
        let remote = self.heard(layer);
        if remote.has_blob(&self.repository, &blob.digest).await? {
            layer.exists();
            return Ok(Brought::Skipped);
        }
        let upload = match self.unfinished(blob).await {
            Some(upload) => upload,
            None => match self.mounted(&remote, blob, options, layer).await? {
                Tried::Mounted => return Ok(Brought::Skipped),
                Tried::Not(Some(upload)) => *upload,
                Tried::Not(None) => remote.start_upload(&self.repository, Some(blob)).await?,
            },
        };
        let begun = upload.confirmed();
        let meter = Arc::new(layer.uploading(begun, Some(blob.size)));
        let counted = |offset: u64| {
            let meter = Arc::clone(&meter);
            meter.set(offset);
            let count = move |piece: &io::Result<Bytes>| {
                meter.add(piece.as_ref().map_or(0, |piece| piece.len() as u64));
            };
            content(offset).into().map(|content| content.inspect(count))
        };
        self.send(&remote, upload, blob, counted).await?;
        // Its last count is told before the end.
        drop(meter);
        layer.done(blob.digest);
        Ok(Brought::Sent(blob.size - begun.min(blob.size)))
    }

    /// Whether a blob is there, or could be mounted: then it is not to be read at all.
    pub(super) async fn found(
        &self,
        blob: Expected,
        options: &PushOptions,
        layer: &LayerReporter,
    ) -> Result<bool, RemoteError> {
        let remote = self.heard(layer);
        if remote.has_blob(&self.repository, &blob.digest).await? {
            layer.exists();
            return Ok(true);
        }
        match self.mounted(&remote, blob, options, layer).await? {
            Tried::Mounted => Ok(true),
            Tried::Not(upload) => {
                if let Some(upload) = upload {
                    // Left alone it would end by itself.
                    drop(upload.cancel().await);
                }
                Ok(false)
            }
        }
    }

    /// Sends what an upload lacks, and closes it. An upload that turns out to be spoilt is begun anew, and a body that a
    /// proxy on the way finds too large is sent in smaller ones.
    async fn send<S>(
        &self,
        remote: &Remote,
        upload: Upload,
        blob: Expected,
        content: impl Fn(u64) -> S + Send + Sync,
    ) -> Result<(), RemoteError>
    where
        S: Into<Content>,
    {
        let begun = upload.confirmed();
        let left = blob.size.saturating_sub(begun);
        let error = match upload.finish_with(&blob.digest, left, |offset| content(begun + offset)).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        if error.status() == Some(413) && left > SMALL_BODY {
            let mut upload = remote.start_upload(&self.repository, Some(blob)).await?;
            let size = SMALL_BODY.max(upload.smallest_piece());
            while blob.size.saturating_sub(upload.confirmed()) > size {
                let at = upload.confirmed();
                let piece =
                    |offset| content(at + offset).into().map(move |content| limited(content, size - offset));
                upload.append(size, piece).await?;
            }
            // Only the last may be smaller than a registry wants them, and it is the last that closes the upload.
            let at = upload.confirmed();
            let left = blob.size.saturating_sub(at);
            return upload.finish_with(&blob.digest, left, |offset| content(at + offset)).await;
        }
        let spoilt = matches!(error, RemoteError::WentBack { .. } | RemoteError::Protocol { .. })
            || matches!(error.status(), Some(404 | 409 | 410 | 416));
        if !spoilt {
            return Err(error);
        }
        remote.push_blob(&self.repository, &blob.digest, blob.size, content).await
    }

    /// The registry, whose retries are told as this layer's.
    pub(super) fn heard(&self, layer: &LayerReporter) -> Remote {
        let layer = layer.clone();
        let observer = move |retry: &hythe_remote::Retry| {
            layer.retrying(&retry.reason, retry.delay, retry.attempt);
        };
        self.remote.clone().with_observer(observer)
    }

    /// An upload of this blob that we began some time, perhaps on another machine, and that has got furthest. Not to find
    /// one is no failure.
    async fn unfinished(&self, blob: Expected) -> Option<Upload> {
        let api = self.api.as_ref().filter(|_| blob.size >= WORTH_RESUMING)?;
        let open = api.own_uploads_of(&blob.digest).await.ok()?;
        let open = open.into_iter().filter(|upload| {
            upload.repository == self.repository && upload.received > 0 && upload.received <= blob.size
        });
        let furthest = open.max_by_key(|upload| upload.received)?;
        self.remote.resume_upload(&self.repository, &furthest.location).await.ok()
    }

    /// Mounts the blob if that can be done.
    async fn mounted(
        &self,
        remote: &Remote,
        blob: Expected,
        options: &PushOptions,
        layer: &LayerReporter,
    ) -> Result<Tried, RemoteError> {
        let mut open: Option<Box<Upload>> = None;
        // A Hythe looks for the blob in every repository that we may read.
        let anywhere = self.api.is_some().then_some(None);
        let named = options.mount_from.iter().filter(|from| **from != self.repository).map(Some);
        for from in anywhere.into_iter().chain(named) {
            match remote.mount_blob(&self.repository, blob, from).await {
                Ok(Mount::Mounted) => {
                    layer.mounted(from);
                    if let Some(open) = open {
                        // Left alone it would end by itself.
                        drop(open.cancel().await);
                    }
                    return Ok(Tried::Mounted);
                }
                Ok(Mount::Opened(upload)) => {
                    if let Some(former) = open.replace(upload) {
                        drop(former.cancel().await);
                    }
                }
                // Not to be allowed there, or not to have the blob there, is no reason not to bring it.
                Err(error) if error.is_denied() || error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Tried::Not(open))
    }
}

/// The first `size` bytes of a stream.
pub(super) fn limited(
    content: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    size: u64,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    stream::unfold((Box::pin(content), size), |(mut content, left)| async move {
        if left == 0 {
            return None;
        }
        let piece = match content.next().await? {
            Ok(mut piece) => {
                piece.truncate(usize::try_from(left).unwrap_or(usize::MAX));
                piece
            }
            Err(error) => return Some((Err(error), (content, 0))),
        };
        let left = left - piece.len() as u64;
        Some((Ok(piece), (content, left)))
    })
}
