//! gzip (RFC 1952) of independent blocks: one member, whose deflate stream is put together from blocks that were
//! compressed side by side. Each ends on a byte with an empty stored block (a sync flush), as in a stream that was
//! flushed; so every gunzip reads it, those that stop behind the first member as well.

use std::io;

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};

/// The effort that tools spend on layers by default.
const LEVEL: u32 = 6;

/// No name, no time, an unknown system.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// An empty final block with fixed codes.
const FINAL: [u8; 2] = [3, 0];

/// Compresses a block; it refers to nothing before it.
pub(super) fn block(input: &[u8]) -> io::Result<Bytes> {
    let mut state = Compress::new(Compression::new(LEVEL), false);
    // A little more than what does not compress takes.
    let mut output = Vec::with_capacity(input.len() + input.len() / 1000 + 64);
    loop {
        let read = usize::try_from(state.total_in()).unwrap_or(usize::MAX);
        let rest = input.get(read..).unwrap_or_default();
        let status = state.compress_vec(rest, &mut output, FlushCompress::Sync).map_err(io::Error::other)?;
        // There is room left only when everything, the flush included, is out.
        if status == Status::Ok && output.len() < output.capacity() && state.total_in() == input.len() as u64
        {
            return Ok(output.into());
        }
        output.reserve(output.capacity() / 8 + 64);
    }
}

/// The end of the stream, and what it was before (RFC 1952 section 2.3.1).
pub(super) fn trailer(crc: u32, size: u64) -> Bytes {
    // The size counts modulo 2^32.
    let [s0, s1, s2, s3, ..] = size.to_le_bytes();
    [&FINAL[..], &crc.to_le_bytes(), &[s0, s1, s2, s3]].concat().into()
}
