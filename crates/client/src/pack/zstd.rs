//! zstd in one frame, compressed by the library's own threads, each of which looks back into what came before its part.

use std::io::{self, Write as _};

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use zstd::Encoder;
use zstd::zstd_safe::CParameter;

use super::{Piece, Work};
use crate::blocking::blocking;
use crate::spare::{Spare, pieces};

/// The effort that tools spend on layers by default.
const LEVEL: i32 = 3;

/// How far back it looks for what comes again, as a power of two: 2 MiB.
const WINDOW_LOG: u32 = 21;

/// What a thread compresses at a time, in bytes; it belongs to the form of the result.
const JOB_BYTES: u32 = 1024 * 1024;

/// How much of the window a part sees of what came before it: 8 is a half. Frames that know nothing of each other came
/// out a quarter larger.
const OVERLAP_LOG: u32 = 8;

type Blocks = BoxStream<'static, io::Result<Work>>;

/// The blocks as one frame. The number of threads changes no byte of it.
pub(super) fn packed(blocks: Blocks, threads: usize) -> BoxStream<'static, io::Result<Piece>> {
    let begun = async move {
        let encoder = encoder(threads)?;
        let begin = (blocks, encoder, Spare::new());
        Ok::<_, io::Error>(stream::try_unfold(Some(begin), |state| async move {
            let Some((mut blocks, mut encoder, spare)) = state else { return Ok(None) };
            match blocks.try_next().await? {
                None => Ok(None),
                Some(Work::Block(block)) => {
                    let (encoder, bytes, spare) = blocking(move || {
                        encoder.write_all(&block)?;
                        let bytes = pieces(encoder.get_ref(), &spare);
                        encoder.get_mut().clear();
                        Ok::<_, io::Error>((encoder, bytes, spare))
                    })
                    .await??;
                    Ok(Some((Piece { bytes, end: None }, Some((blocks, encoder, spare)))))
                }
                Some(Work::End(end)) => {
                    let bytes = blocking(move || encoder.finish()).await??;
                    Ok(Some((Piece { bytes: pieces(&bytes, &spare), end: Some(end) }, None)))
                }
            }
        }))
    };
    stream::once(begun).try_flatten().boxed()
}

fn encoder(threads: usize) -> io::Result<Encoder<'static, Vec<u8>>> {
    let mut encoder = Encoder::new(Vec::new(), LEVEL)?;
    encoder.multithread(u32::try_from(threads).unwrap_or(1))?;
    encoder.set_parameter(CParameter::WindowLog(WINDOW_LOG))?;
    encoder.set_parameter(CParameter::JobSize(JOB_BYTES))?;
    encoder.set_parameter(CParameter::OverlapSizeLog(OVERLAP_LOG))?;
    Ok(encoder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(threads: usize, input: &[u8]) -> Vec<u8> {
        let mut encoder = encoder(threads).unwrap();
        encoder.write_all(input).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn the_number_of_threads_changes_no_byte() {
        let mut generator = fastrand::Rng::with_seed(3);
        let input: Vec<u8> =
            (0..5_000_000).map(|at| if at % 5 < 3 { b'a' } else { generator.u8(..16) }).collect();
        let one = whole(1, &input);
        assert!(one == whole(2, &input) && one == whole(7, &input));
    }
}
