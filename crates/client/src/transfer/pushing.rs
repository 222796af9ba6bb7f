//! A push whose layers are packed on their way, wherever they come from: the steps, and the count of what was done.

use std::io;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use hythe_api::Part;
use hythe_oci::{Algorithm, Digest, Tag};
use hythe_remote::{Expected, chunks};

use super::memory::KnownBlob;
use super::push_layout::push_document;
use super::streamed::Streamed;
use super::target::{PushOptions, Pushed, Tally};
use super::written::{NamedLayer, manifest};
use super::{Target, TransferError};
use crate::pack::{Packed, pack};
use crate::progress::{Event, LayerReporter, Reporter};
use crate::source::{Document, SourceError};

/// A push under way.
pub(super) struct Pushing<'a> {
    pub(super) target: &'a Target,
    pub(super) options: &'a PushOptions,
    pub(super) tally: Tally,
    reporter: &'a Reporter,
    layers: u32,
}

impl<'a> Pushing<'a> {
    pub(super) fn new(target: &'a Target, options: &'a PushOptions, reporter: &'a Reporter) -> Self {
        Self { target, options, tally: Tally::default(), reporter, layers: 0 }
    }

    /// The next layer, as it is told of.
    pub(super) fn layer(
        &mut self,
        digest: Option<Digest>,
        diff_id: Option<Digest>,
        size: Option<u64>,
    ) -> LayerReporter {
        let layer = self.reporter.layer(self.layers);
        self.layers += 1;
        layer.known(digest, diff_id, size);
        layer.queued();
        layer
    }

    /// The blob of an uncompressed layer, if it is remembered and there, in this repository or in another one.
    pub(super) async fn remembered(
        &mut self,
        diff_id: &Digest,
        layer: &LayerReporter,
    ) -> Result<Option<NamedLayer>, TransferError> {
        let compression = self.options.compression();
        let known = self.options.memory.as_ref().and_then(|memory| memory.blob(diff_id, compression));
        let Some(known) = known else { return Ok(None) };
        let blob = Expected { digest: known.digest, size: known.size };
        if !self.target.found(blob, self.options, layer).await? {
            return Ok(None);
        }
        layer.known(Some(known.digest), None, Some(known.size));
        self.tally.skipped += 1;
        Ok(Some(NamedLayer::of(compression.media_type(), known)))
    }

    /// Packs an uncompressed layer of `size` bytes, and sends it while it is read. One that is not the `expected` one does
    /// not become a blob of the registry.
    pub(super) async fn pack(
        &mut self,
        input: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
        size: u64,
        expected: Option<Digest>,
        layer: &LayerReporter,
    ) -> Result<(Packed, NamedLayer), TransferError> {
        let compression = self.options.compression();
        let read = layer.compressing(0, Some(size));
        let input =
            input.inspect(move |piece| read.add(piece.as_ref().map_or(0, |piece| piece.len() as u64)));
        let packing = pack(input, compression);
        let streamed = self.target.stream_up(packing.stream, None, layer).await?;
        let packed = packing.outcome.await.map_err(|_| cut())?;
        if let Some(expected) = expected.filter(|expected| *expected != packed.diff_id) {
            streamed.cancel().await;
            let problem = format!("not what was read: that is {}", packed.diff_id);
            return Err(SourceError::Content { digest: expected, problem }.into());
        }
        layer.known(Some(packed.digest), Some(packed.diff_id), Some(packed.size));
        let known = KnownBlob { digest: packed.digest, size: packed.size };
        self.close(streamed, layer, known).await?;
        if let Some(memory) = &self.options.memory {
            memory.note_blob(&packed, compression);
        }
        Ok((packed, NamedLayer::of(compression.media_type(), known)))
    }

    /// Closes an upload with its last bytes.
    pub(super) async fn close(
        &mut self,
        streamed: Streamed,
        layer: &LayerReporter,
        blob: KnownBlob,
    ) -> Result<(), TransferError> {
        streamed.finish(&blob.digest).await?;
        layer.done(blob.digest);
        self.tally.sent += 1;
        self.tally.sent_bytes += blob.size;
        Ok(())
    }

    /// Brings a blob in memory.
    pub(super) async fn bring_whole(&mut self, content: Bytes) -> Result<KnownBlob, TransferError> {
        let blob = Expected { digest: Digest::of(Algorithm::Sha256, &content), size: content.len() as u64 };
        let layer = self.layer(Some(blob.digest), None, Some(blob.size));
        let from = |offset| {
            chunks(content.slice(usize::try_from(offset).unwrap_or(usize::MAX).min(content.len())..))
        };
        let brought = self.target.bring(blob, from, self.options, &layer).await?;
        self.tally.count(brought);
        Ok(KnownBlob { digest: blob.digest, size: blob.size })
    }

    /// Writes an image whose layers are there.
    pub(super) async fn write_image(
        mut self,
        config: Bytes,
        layers: &[NamedLayer],
        tag: Option<&Tag>,
    ) -> Result<Pushed, TransferError> {
        if let Some(memory) = &self.options.memory {
            memory.note_config(&config);
        }
        let document = manifest(&config, layers)?;
        let mut parts: Vec<_> =
            layers.iter().map(|layer| Part { digest: layer.digest, size: layer.size }).collect();
        parts.push(Part { digest: Digest::of(Algorithm::Sha256, &config), size: config.len() as u64 });
        let announced = self.target.announced(document.digest, tag, parts).await;
        let written = async {
            self.bring_whole(config).await?;
            self.write(&document, tag).await
        };
        let written = written.await;
        if let (Err(_), Some(announced)) = (&written, announced) {
            announced.withdraw().await;
        }
        written
    }

    /// Writes a manifest or index all of whose parts are there.
    pub(super) async fn write(self, document: &Document, tag: Option<&Tag>) -> Result<Pushed, TransferError> {
        self.reporter.tell(|| Event::Finalising);
        push_document(self.target, document, &Target::reference(tag, &document.digest)).await?;
        Ok(self.tally.pushed(document.digest))
    }
}

/// A stream that ended before its digest was known.
pub(super) fn cut() -> TransferError {
    TransferError::Invalid("A layer was not read to its end.".to_owned())
}
