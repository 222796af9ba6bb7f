//! Bodies made of a blob's file: one range, or several as `multipart/byteranges`
//! (RFC 9110, section 14.6). Windows are read as the client takes them, or, on a plain HTTP/1.1
//! connection, sent by the kernel without being read at all.

use std::ops::Range;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use hythe_oci::Digest;
use hythe_registry::pull::{OpenBlob, TrustedBlob};
use hythe_sendfile::Lane;

/// Up to here a copy costs less than telling the kernel what to send.
const COPIED: u64 = 32 << 10;

/// The whole blob: from the file where it is trusted, else compared with its digest on the way.
pub(super) fn whole(blob: OpenBlob, lane: Option<&Lane>) -> Body {
    match blob {
        OpenBlob::Trusted(blob) => of(&blob, 0..blob.file().size(), lane),
        OpenBlob::Untrusted(blob) => Body::from_stream(blob.read()),
    }
}

/// A body of one range of the file; through the connection's lane if it has one.
pub(super) fn of(blob: &TrustedBlob, range: Range<u64>, lane: Option<&Lane>) -> Body {
    if range.is_empty() {
        return Body::empty();
    }
    match lane {
        Some(lane) if range.end - range.start > COPIED => {
            Body::from_stream(lane.body(blob.file().file().clone(), range))
        }
        _ => Body::from_stream(blob.file().read(range)),
    }
}

pub(super) fn content_range(part: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.end.saturating_sub(1))
}

/// Several ranges of one file, each with a heading.
pub(super) struct Multipart {
    boundary: String,
    parts: Vec<(Bytes, Range<u64>)>,
    close: Bytes,
}

impl Multipart {
    pub(super) fn new(parts: Vec<Range<u64>>, size: u64, digest: &Digest) -> Self {
        // A blob that holds its own digest in this form cannot be made: the boundary is unique.
        let boundary = format!("hythe-{}", digest.hex());
        let parts = parts
            .into_iter()
            .map(|part| {
                let heading = format!(
                    "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Range: {}\r\n\r\n",
                    content_range(&part, size)
                );
                (Bytes::from(heading), part)
            })
            .collect();
        let close = Bytes::from(format!("\r\n--{boundary}--\r\n"));
        Self { boundary, parts, close }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary)
    }

    pub(super) fn length(&self) -> u64 {
        let parts = self.parts.iter().map(|(heading, part)| heading.len() as u64 + part.end - part.start);
        parts.sum::<u64>() + self.close.len() as u64
    }

    pub(super) fn body(self, blob: TrustedBlob) -> Body {
        let pieces = stream::iter(self.parts).flat_map(move |(heading, part)| {
            stream::once(async { Ok(heading) }).chain(blob.file().read(part))
        });
        Body::from_stream(pieces.chain(stream::once(async { Ok(self.close) })))
    }
}
