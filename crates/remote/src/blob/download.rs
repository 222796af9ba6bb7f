//! Pulling blobs, whole or in parts, with the digest known last.

use std::ops::Range;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hythe_oci::{Digest, RepositoryName};

use super::transfer::{Opened, Transfer, Wanted};
use crate::scope::{Access, Scope};
use crate::verify::Verifier;
use crate::{Remote, RemoteError};

/// A whole blob on its way here.
pub struct BlobDownload {
    transfer: Box<Transfer>,
    verifier: Verifier,
}

/// A part of a blob on its way here. It has no digest of its own: whoever joins the parts checks the whole.
pub struct BlobPart {
    transfer: Box<Transfer>,
    size: u64,
}

/// How a registry answers when it is asked for a part of a blob.
pub enum RangedPull {
    /// With that part.
    Part(BlobPart),
    /// With the whole: it has no ranges. Pull the whole instead.
    NoRanges,
}

impl Remote {
    /// Begins to download a blob; `size` in bytes is what its descriptor says, if there is one. Give it
    /// whenever it is known: without it, the registry alone says where the blob ends.
    ///
    /// # Errors
    /// The registry refused, or announces another size.
    pub async fn pull_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        size: Option<u64>,
    ) -> Result<BlobDownload, RemoteError> {
        let mut transfer = self.transfer(repository, digest, Wanted::Whole(size))?;
        transfer.open().await?;
        let verifier = Verifier::new(transfer.server().to_owned(), *digest, transfer.len());
        Ok(BlobDownload { transfer, verifier })
    }

    /// Begins to download the bytes of a blob from `range.start` up to, not including, `range.end`.
    ///
    /// # Errors
    /// The registry refused, which it does with 416 for a range beyond the blob's end, or sends other bytes
    /// than those asked for. The range is empty.
    pub async fn pull_blob_range(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        range: Range<u64>,
    ) -> Result<RangedPull, RemoteError> {
        let Some(size) = range.end.checked_sub(range.start).filter(|size| *size > 0) else {
            return Err(self.protocol("it cannot be asked for an empty part of a blob"));
        };
        let mut transfer = self.transfer(repository, digest, Wanted::Part(range.start, range.end))?;
        Ok(match transfer.open().await? {
            Opened::Bytes => RangedPull::Part(BlobPart { transfer, size }),
            Opened::NoRanges => RangedPull::NoRanges,
        })
    }

    fn transfer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        wanted: Wanted,
    ) -> Result<Box<Transfer>, RemoteError> {
        let url = self.blob_url(repository, digest)?;
        Ok(Box::new(Transfer::new(self, Scope::of(repository, Access::Pull), url, *digest, wanted)))
    }
}

impl BlobDownload {
    /// The size in bytes: the descriptor's, else what the registry announced.
    pub fn size(&self) -> Option<u64> {
        self.transfer.len()
    }

    /// The bytes, from as many connections as it takes. They are good only if the stream ends without an
    /// error: the digest is known last.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        stream::try_unfold((self.transfer, self.verifier), |(mut transfer, mut verifier)| async move {
            match transfer.next().await? {
                Some(chunk) => {
                    verifier.update(&chunk)?;
                    Ok(Some((chunk, (transfer, verifier))))
                }
                None => verifier.finish().map(|()| None),
            }
        })
    }

    /// The same bytes, as many as announced, without a look at the digest: for whoever computes it anyway.
    pub fn into_unchecked_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        unchecked(self.transfer)
    }
}

impl BlobPart {
    /// The size of the part in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The bytes, exactly as many as [`BlobPart::size`] says, or an error at the end. They are not checked
    /// against any digest.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
        unchecked(self.transfer)
    }
}

fn unchecked(transfer: Box<Transfer>) -> impl Stream<Item = Result<Bytes, RemoteError>> + Send + 'static {
    stream::try_unfold(transfer, |mut transfer| async move {
        Ok(transfer.next().await?.map(|chunk| (chunk, transfer)))
    })
}
