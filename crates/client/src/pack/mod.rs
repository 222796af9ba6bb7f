//! Packing a layer: compressed on all cores, both its digests computed on the way.
//!
//! Invariants: the output depends on the input and the kind of compression alone, never on the number of threads or on
//! how the input arrived in pieces; memory is bounded by a few blocks, whatever the layer's size.

mod ahead;
mod deflate;
mod zstd;

use std::io;
use std::num::NonZeroUsize;

use bytes::Bytes;
use flate2::Crc;
use futures_util::stream::BoxStream;
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use hythe_oci::{Algorithm, Digest, Hasher, media_type};
use tokio::sync::oneshot;

use ahead::ahead;

use crate::blocking::blocking;
use crate::spare::{Spare, kept};

/// Input of one independent piece of work. Larger ones compress a little better, smaller ones need less memory.
const BLOCK: usize = 512 * 1024;

/// How a layer is compressed on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip: every client of every age can unpack it.
    #[default]
    Gzip,
    /// zstd: smaller and faster, for clients of the last years.
    Zstd,
}

impl Compression {
    /// The media type of a layer compressed so (image specification, "Layer").
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => media_type::OCI_LAYER_GZIP,
            Self::Zstd => media_type::OCI_LAYER_ZSTD,
        }
    }

    /// The name as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl From<hythe_api::Compression> for Compression {
    fn from(preferred: hythe_api::Compression) -> Self {
        match preferred {
            hythe_api::Compression::Gzip => Self::Gzip,
            hythe_api::Compression::Zstd => Self::Zstd,
        }
    }
}

/// A layer that went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// The digest of the uncompressed layer.
    pub diff_id: Digest,
    /// Its size in bytes.
    pub unpacked: u64,
    /// The digest of the compressed layer.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// A layer being packed.
pub struct Packing {
    /// The compressed bytes.
    pub stream: BoxStream<'static, io::Result<Bytes>>,
    /// What it was, once the stream has ended well; an error if it did not.
    pub outcome: oneshot::Receiver<Packed>,
}

/// Packs a layer while its bytes come in.
pub fn pack(
    input: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    compression: Compression,
) -> Packing {
    let (told, outcome) = oneshot::channel();
    let threads = std::thread::available_parallelism().map_or(2, NonZeroUsize::get).min(8);
    let blocks = stream::try_unfold(Some(Input::new(input)), |input| async move {
        match input {
            Some(input) => input.next().await.map(Some),
            None => Ok(None),
        }
    });
    // Reading and summing up, compressing, and what becomes of the output go on side by side.
    let blocks = ahead(blocks, 1);
    let packed = match compression {
        Compression::Gzip => ahead(gzip(blocks, threads), 1).boxed(),
        Compression::Zstd => ahead(zstd::packed(blocks.boxed(), threads), 1).boxed(),
    };
    let output = Output { hasher: Hasher::new(Algorithm::Sha256), size: 0, told: Some(told) };
    let stream = stream::try_unfold((packed, output), |(mut pieces, output)| async move {
        let Some(piece) = pieces.try_next().await? else { return Ok::<_, io::Error>(None) };
        let output = output.pass(&piece).await?;
        Ok(Some((stream::iter(piece.bytes.into_iter().map(Ok)), (pieces, output))))
    });
    Packing { stream: stream.try_flatten().boxed(), outcome }
}

/// What is left to do with a part of the input.
enum Work {
    Block(Bytes),
    End(End),
}

/// What is known at the end of the input.
#[derive(Clone, Copy)]
struct End {
    diff_id: Digest,
    size: u64,
    crc: u32,
}

/// A part of the output, and behind the last one what the input was.
struct Piece {
    bytes: Vec<Bytes>,
    end: Option<End>,
}

/// The input, cut into blocks of a fixed size.
struct Input {
    source: BoxStream<'static, io::Result<Bytes>>,
    rest: Bytes,
    sums: Sums,
    spare: Spare<Vec<u8>>,
}

/// What is computed over the uncompressed bytes.
struct Sums {
    hasher: Hasher,
    crc: Crc,
    size: u64,
}

impl Input {
    fn new(source: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Self {
        let sums = Sums { hasher: Hasher::new(Algorithm::Sha256), crc: Crc::new(), size: 0 };
        // Its end is asked for again behind the last, shorter block.
        Self { source: source.fuse().boxed(), rest: Bytes::new(), sums, spare: Spare::new() }
    }

    /// The next block, shorter than the others at the end of the input, or what the input was.
    async fn next(mut self) -> io::Result<(Work, Option<Self>)> {
        let mut block = self.spare.take().unwrap_or_else(|| Vec::with_capacity(BLOCK));
        loop {
            block.extend_from_slice(&self.rest.split_to(self.rest.len().min(BLOCK - block.len())));
            if block.len() == BLOCK {
                break;
            }
            match self.source.try_next().await? {
                Some(piece) => self.rest = piece,
                None => break,
            }
        }
        if block.is_empty() {
            let Sums { hasher, crc, size } = self.sums;
            return Ok((Work::End(End { diff_id: hasher.finish(), size, crc: crc.sum() }), None));
        }
        let block = kept(block, &self.spare);
        let (bytes, mut sums) = (block.clone(), self.sums);
        self.sums = blocking(move || {
            sums.hasher.update(&bytes);
            sums.crc.update(&bytes);
            sums.size += bytes.len() as u64;
            sums
        })
        .await?;
        Ok((Work::Block(block), Some(self)))
    }
}

/// What is computed over the compressed bytes.
struct Output {
    hasher: Hasher,
    size: u64,
    told: Option<oneshot::Sender<Packed>>,
}

impl Output {
    async fn pass(mut self, piece: &Piece) -> io::Result<Self> {
        let bytes = piece.bytes.clone();
        self = blocking(move || {
            for bytes in &bytes {
                self.hasher.update(bytes);
                self.size += bytes.len() as u64;
            }
            self
        })
        .await?;
        if let Some(end) = piece.end
            && let Some(told) = self.told.take()
        {
            let hasher = std::mem::replace(&mut self.hasher, Hasher::new(Algorithm::Sha256));
            let packed =
                Packed { diff_id: end.diff_id, unpacked: end.size, digest: hasher.finish(), size: self.size };
            // Nobody has to listen.
            let _ = told.send(packed);
        }
        Ok(self)
    }
}

/// Blocks compressed side by side, put together in their order.
fn gzip(
    blocks: impl Stream<Item = io::Result<Work>> + Send + 'static,
    threads: usize,
) -> impl Stream<Item = io::Result<Piece>> + Send {
    let head = stream::iter([Ok(Piece { bytes: vec![Bytes::from_static(&deflate::HEADER)], end: None })]);
    let (spare, output) = (Spare::new(), Spare::new());
    let packed = blocks.map(move |work| {
        let (spare, output) = (spare.clone(), output.clone());
        async move {
            match work? {
                Work::Block(block) => {
                    let bytes = blocking(move || {
                        let mut compressor: Box<deflate::Compressor> = spare.take().unwrap_or_default();
                        let bytes = compressor.block(&block, &output);
                        spare.put(compressor);
                        bytes
                    });
                    Ok(Piece { bytes: bytes.await??, end: None })
                }
                Work::End(end) => {
                    Ok(Piece { bytes: vec![deflate::trailer(end.crc, end.size)], end: Some(end) })
                }
            }
        }
    });
    head.chain(packed.buffered(threads))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    async fn packed(input: &[u8], piece: usize, compression: Compression) -> (Vec<u8>, Packed) {
        let pieces: Vec<_> = input.chunks(piece).map(Bytes::copy_from_slice).map(Ok).collect();
        let Packing { stream, outcome } = pack(stream::iter(pieces), compression);
        let bytes = stream.try_collect::<Vec<Bytes>>().await.unwrap().concat();
        (bytes, outcome.await.unwrap())
    }

    fn unpacked(bytes: &[u8], compression: Compression) -> Vec<u8> {
        let mut out = Vec::new();
        match compression {
            // One member: what follows would be left unread.
            Compression::Gzip => flate2::bufread::GzDecoder::new(bytes).read_to_end(&mut out).unwrap(),
            Compression::Zstd => ::zstd::Decoder::new(bytes).unwrap().read_to_end(&mut out).unwrap(),
        };
        out
    }

    fn noise(size: usize) -> Vec<u8> {
        let mut generator = fastrand::Rng::with_seed(7);
        (0..size).map(|at| if at % 3 == 0 { generator.u8(..) } else { b'x' }).collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_packed_is_unpacked_as_it_was_and_told_truly() {
        for compression in [Compression::Gzip, Compression::Zstd] {
            for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 17] {
                let input = noise(size);
                let (bytes, packed) = packed(&input, 100_000, compression).await;
                assert!(unpacked(&bytes, compression) == input, "{compression:?} {size}");
                assert_eq!(packed.diff_id, Digest::of(Algorithm::Sha256, &input));
                assert_eq!(packed.digest, Digest::of(Algorithm::Sha256, &bytes));
                assert_eq!((packed.unpacked, packed.size), (size as u64, bytes.len() as u64));
            }
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_input_that_breaks_breaks_the_output_and_tells_nothing() {
        let broken = [Ok(Bytes::from(noise(BLOCK * 2))), Err(io::Error::other("the engine went away"))];
        let Packing { stream, outcome } = pack(stream::iter(broken), Compression::Gzip);
        let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
        assert_eq!(error.to_string(), "the engine went away");
        assert!(outcome.await.is_err());
    }

    /// A dozen cases however many properties are given: each packs much.
    #[tokio::test(flavor = "multi_thread")]
    async fn the_pieces_of_the_input_do_not_matter() {
        for seed in 0..12 {
            let mut generator = fastrand::Rng::with_seed(seed);
            let (piece, input) = (generator.usize(1..3_000_000), noise(generator.usize(0..3_000_000)));
            let one = packed(&input, piece, Compression::Gzip).await;
            let other = packed(&input, 65_536, Compression::Gzip).await;
            assert!(one == other, "{} bytes, {piece} at a time", input.len());
        }
    }
}
