//! Sending a layer while it comes into being: its digest and size are known when its last byte is.
//!
//! A Hythe takes long requests, which cost it least. Other registries mostly take pieces of one size that say where they
//! lie, and have limits on their way; one that refuses the first of them gets the whole in one request, as from docker.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use hythe_oci::Digest;
use hythe_remote::{RemoteError, Upload};

use super::Target;
use super::blob::limited;
use super::held::{Held, KEPT};
use crate::engine::Archive;
use crate::progress::{LayerReporter, Meter};

/// What one request to a Hythe carries at most. A proxy in front of it has to take as much; `hythe doctor --project` tries.
const LONG_BODY: u64 = 64 * 1024 * 1024;

/// What one piece for another registry holds, unless it wants more: GitHub's takes no more. The second one may fail, and
/// everything from the beginning on is still at hand.
const PIECE: u64 = 4 * 1024 * 1024;

/// A layer that is at the registry but for its last bytes, which close the upload.
pub(super) struct Streamed {
    upload: Upload,
    content: Content,
    end: u64,
}

/// Bytes that are counted where they go by.
#[derive(Clone)]
struct Content {
    held: Held,
    meter: Arc<Meter>,
}

impl Content {
    /// So many bytes from an offset on.
    fn piece(&self, offset: u64, size: u64) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let meter = Arc::clone(&self.meter);
        meter.set(offset);
        limited(self.held.from(offset), size)
            .inspect(move |piece| meter.add(piece.as_ref().map_or(0, |piece| piece.len() as u64)))
    }
}

impl Target {
    /// Sends all of a layer but its end.
    pub(super) async fn stream_up(
        &self,
        content: Archive,
        size: Option<u64>,
        layer: &LayerReporter,
    ) -> Result<Streamed, RemoteError> {
        let held = Held::new(content);
        let mut upload = self.heard(layer).start_upload(&self.repository, None).await?;
        let content = Content { held: held.clone(), meter: Arc::new(layer.uploading(0, size)) };
        // What is beyond what is kept could not be sent again.
        let piece = PIECE.max(upload.smallest_piece()).min(KEPT / 2);
        loop {
            let at = upload.confirmed();
            let end = held.fill(at.saturating_add(piece - 1)).await.map_err(RemoteError::Content)?;
            if end < at.saturating_add(piece) {
                return Ok(Streamed { upload, content, end });
            }
            if self.api.is_some() {
                upload.append_unsized(|sent| content.piece(at + sent, LONG_BODY - sent)).await?;
                continue;
            }
            let sending = upload.append(piece, |sent| content.piece(at + sent, piece - sent));
            // The next one comes into being meanwhile; that it failed is found again above.
            let (sent, _) = tokio::join!(sending, held.fill(at + piece + piece / 2));
            match sent {
                Ok(_) => {}
                Err(error) if is_of_pieces(&error) && held.has_all() => {
                    tracing::info!(%error, "the registry takes no pieces: it gets the layer in one request");
                    // It would end by itself.
                    drop(upload.cancel().await);
                    let mut upload = self.heard(layer).start_upload(&self.repository, None).await?;
                    let end = upload.append_unsized(|sent| content.piece(sent, u64::MAX - sent)).await?;
                    return Ok(Streamed { upload, content, end });
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether it may be for its being a piece that one was refused: Google's registry knows none.
fn is_of_pieces(error: &RemoteError) -> bool {
    matches!(error, RemoteError::WentBack { .. } | RemoteError::Protocol { .. })
        || matches!(error.status(), Some(400 | 404 | 405 | 409 | 410 | 411 | 415 | 416 | 422 | 501))
}

impl Streamed {
    /// Gives the upload up: what was sent is not what it was to be.
    pub(super) async fn cancel(self) {
        // Left alone it would end by itself.
        drop(self.upload.cancel().await);
    }

    /// Sends the end, and closes the upload.
    pub(super) async fn finish(self, digest: &Digest) -> Result<(), RemoteError> {
        let Self { upload, content, end } = self;
        let at = upload.confirmed();
        let left = end.saturating_sub(at);
        upload.finish_with(digest, left, |sent| content.piece(at + sent, left - sent)).await
    }
}
