//! A blob's bytes from a registry, from an offset on: over one connection, or in parts side by side.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Descriptor, Digest};
use hythe_remote::{RangedPull, RemoteError};

use super::Target;
use super::parts::{CONNECTIONS, Parts, Room};
use crate::progress::LayerReporter;

type Content = BoxStream<'static, Result<Bytes, RemoteError>>;

impl Target {
    /// A blob's bytes from an offset on, as many as its descriptor says. Nobody has looked at their digest: whoever takes
    /// them does. Where `parts` are worth it, they are fetched side by side and given out in order.
    pub(super) fn content(
        &self,
        blob: &Descriptor,
        from: u64,
        parts: &Parts,
        told: &LayerReporter,
    ) -> Content {
        let meter = Arc::new(told.downloading(from, Some(blob.size)));
        let target = Self { remote: self.heard(told), ..self.clone() };
        let (blob, parts) = (blob.clone(), parts.clone());
        let opened = async move {
            let left = blob.size.saturating_sub(from);
            match parts.size_for(left) {
                None if from == 0 => target.at_once(&blob).await,
                None => target.in_parts(&blob, from, left, parts).await,
                Some(size) => target.in_parts(&blob, from, size, parts).await,
            }
        };
        let counted = stream::once(opened).try_flatten();
        counted.inspect_ok(move |piece: &Bytes| meter.add(piece.len() as u64)).boxed()
    }

    async fn at_once(&self, blob: &Descriptor) -> Result<Content, RemoteError> {
        let download = self.remote.pull_blob(&self.repository, &blob.digest, Some(blob.size)).await?;
        Ok(download.into_unchecked_stream().boxed())
    }

    /// What lies behind an offset, in parts of `size`. The first tells whether the registry sends parts at all; it is handed
    /// on as it comes, the others are fetched meanwhile.
    async fn in_parts(
        self,
        blob: &Descriptor,
        from: u64,
        size: u64,
        parts: Parts,
    ) -> Result<Content, RemoteError> {
        if from >= blob.size {
            return Ok(stream::empty().boxed());
        }
        let (digest, end) = (blob.digest, blob.size);
        let range_at = move |first: u64| first..end.min(first.saturating_add(size));
        let first = self.remote.pull_blob_range(&self.repository, &digest, range_at(from)).await?;
        let RangedPull::Part(first) = first else {
            // It begins at the beginning: what is here already is read over.
            let mut skip = from;
            let rest = self.at_once(blob).await?.try_filter_map(move |mut piece: Bytes| {
                let known = usize::try_from(skip).unwrap_or(usize::MAX).min(piece.len());
                skip -= known as u64;
                drop(piece.split_to(known));
                std::future::ready(Ok((!piece.is_empty()).then_some(piece)))
            });
            return Ok(rest.boxed());
        };
        let step = usize::try_from(size).unwrap_or(usize::MAX);
        let rest = stream::iter((from..end).step_by(step).skip(1))
            .map(move |first| {
                let (target, parts) = (self.clone(), parts.clone());
                async move { target.part(&digest, range_at(first), parts.room().await).await }
            })
            .buffered(CONNECTIONS);
        Ok(first.into_stream().chain(rest).boxed())
    }

    /// A part in memory. It goes on by itself after a break.
    async fn part(
        &self,
        digest: &Digest,
        range: std::ops::Range<u64>,
        mut room: Room,
    ) -> Result<Bytes, RemoteError> {
        let RangedPull::Part(part) = self.remote.pull_blob_range(&self.repository, digest, range).await?
        else {
            return Err(RemoteError::Protocol {
                registry: self.remote.origin().to_string(),
                problem: "it sends parts of a blob only sometimes".to_owned(),
            });
        };
        let mut pieces = part.into_stream().boxed();
        while let Some(piece) = pieces.try_next().await? {
            room.add(&piece);
        }
        Ok(room.full())
    }
}
