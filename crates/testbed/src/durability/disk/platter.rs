//! The blocks of a disk with a volatile write cache.
//!
//! Invariant: what a flush found in the cache survives every later cut; of what came after it any part may,
//! in any order, whole blocks or single sectors of them.

use std::collections::HashMap;
use std::sync::Arc;

use fastrand::Rng;

const BLOCK: usize = 4096;
/// The unit that a disk writes whole or not at all.
const SECTOR: usize = 512;

type Block = Arc<[u8; BLOCK]>;

/// Blocks that were never written are not kept, and a copy shares the others: a cut costs little.
#[derive(Clone, Debug, Default)]
pub(super) struct Platter {
    durable: HashMap<usize, Block>,
    /// What was written since the last flush, in that order.
    cached: Vec<(usize, Block)>,
    /// The last of each block in `cached`.
    latest: HashMap<usize, Block>,
}

impl Platter {
    fn block(&self, number: usize) -> Option<&Block> {
        self.latest.get(&number).or_else(|| self.durable.get(&number))
    }

    /// What a reader sees, the cache included.
    pub(super) fn read(&self, offset: usize, into: &mut [u8]) {
        for (number, within, piece) in pieces(offset, into.len()) {
            match self.block(number) {
                Some(block) => into[piece].copy_from_slice(&block[within]),
                None => into[piece].fill(0),
            }
        }
    }

    /// Writes into the cache.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        for (number, within, piece) in pieces(offset, bytes.len()) {
            let mut block = self.block(number).map_or([0; BLOCK], |block| **block);
            block[within].copy_from_slice(&bytes[piece]);
            let block = Arc::new(block);
            self.latest.insert(number, Arc::clone(&block));
            self.cached.push((number, block));
        }
    }

    /// Makes everything written so far durable.
    pub(super) fn flush(&mut self) {
        self.durable.extend(self.latest.drain());
        self.cached.clear();
    }

    /// The disk without its cache.
    #[cfg(test)]
    pub(super) fn durable(&self) -> Self {
        Self { durable: self.durable.clone(), ..Self::default() }
    }

    /// The disk as it would be found if the power went now, and how many writes chance lost of the cache.
    pub(super) fn cut(&self, rng: &mut Rng) -> (Self, usize) {
        let mut left = self.durable.clone();
        // All, nothing, the oldest writes, or each with the same chance.
        let (among, chance) = match rng.u8(0..8) {
            0 => (0, 1.0),
            1 => (self.cached.len(), 1.0),
            2..4 => (rng.usize(0..=self.cached.len()), 1.0),
            _ => (self.cached.len(), rng.f64()),
        };
        let mut lost = self.cached.len() - among;
        for (number, written) in &self.cached[..among] {
            if rng.f64() >= chance {
                lost += 1;
                continue;
            }
            let torn = chance < 1.0 && rng.u8(0..8) == 0;
            let block =
                if torn { Arc::new(torn_write(left.get(number), written, rng)) } else { Arc::clone(written) };
            left.insert(*number, block);
        }
        (Self { durable: left, ..Self::default() }, lost)
    }
}

/// Some sectors of the old block, the others of the new one.
fn torn_write(old: Option<&Block>, new: &Block, rng: &mut Rng) -> [u8; BLOCK] {
    let mut block = old.map_or([0; BLOCK], |old| **old);
    for (sector, bytes) in block.chunks_mut(SECTOR).zip(new.chunks(SECTOR)) {
        if rng.bool() {
            sector.copy_from_slice(bytes);
        }
    }
    block
}

/// Cuts a stretch of the disk at the blocks' edges: a block's number, where in the block, where in the stretch.
fn pieces(
    offset: usize,
    length: usize,
) -> impl Iterator<Item = (usize, std::ops::Range<usize>, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset + done;
        let size = (BLOCK - at % BLOCK).min(length - done);
        let piece = (at / BLOCK, at % BLOCK..at % BLOCK + size, done..done + size);
        done += size;
        (size > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(platter: &Platter, offset: usize, length: usize) -> Vec<u8> {
        let mut bytes = vec![9; length];
        platter.read(offset, &mut bytes);
        bytes
    }

    #[test]
    fn reads_what_was_written_over_the_edges_of_blocks() {
        let mut platter = Platter::default();
        platter.write(BLOCK - 2, &[1; BLOCK + 4]);
        platter.flush();
        platter.write(BLOCK, &[2; 3]);
        assert_eq!(read(&platter, BLOCK - 3, 7), [0, 1, 1, 2, 2, 2, 1]);
        assert_eq!(read(&platter, 2 * BLOCK, 4), [1, 1, 0, 0]);
    }

    #[test]
    fn a_cut_keeps_what_was_flushed_and_any_part_of_the_rest() {
        let mut platter = Platter::default();
        platter.write(0, &[1; 4 * BLOCK]);
        platter.flush();
        platter.write(BLOCK, &[2; BLOCK]);
        platter.write(BLOCK, &[3; BLOCK]);
        platter.write(2 * BLOCK, &[4; BLOCK]);
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..2000 {
            let (cut, lost) = platter.cut(&mut Rng::with_seed(seed));
            assert!(lost <= 3);
            let bytes = read(&cut, 0, 4 * BLOCK);
            assert!(bytes[..BLOCK].iter().chain(&bytes[3 * BLOCK..]).all(|byte| *byte == 1));
            for (sector, at) in bytes.chunks(SECTOR).zip(0..) {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "sector {at} is torn");
            }
            let torn = bytes.chunks(BLOCK).any(|block| block.iter().any(|byte| *byte != block[0]));
            seen.insert(if torn { None } else { Some((bytes[BLOCK], bytes[2 * BLOCK])) });
        }
        for first in [1, 2, 3] {
            for second in [1, 4] {
                assert!(seen.contains(&Some((first, second))), "{first} and {second}");
            }
        }
        assert!(seen.contains(&None), "no write was torn");
    }

    #[test]
    fn a_flushed_disk_loses_nothing() {
        let mut platter = Platter::default();
        platter.write(7, &[5; 3 * BLOCK]);
        platter.flush();
        for seed in 0..50 {
            let (cut, lost) = platter.cut(&mut Rng::with_seed(seed));
            assert_eq!((read(&cut, 7, 3 * BLOCK), lost), (vec![5; 3 * BLOCK], 0));
        }
    }
}
