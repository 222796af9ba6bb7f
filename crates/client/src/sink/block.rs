//! Memory that a disk takes bytes out of by itself.

/// Where blocks end in a file: at a multiple of so many bytes. A thread that is woken for less costs as much.
pub(crate) const BLOCK_BYTES: usize = 1024 * 1024;

/// Where in memory and in a file bytes must begin and end that go to the disk past the page cache: enough for every disk.
pub(super) const ALIGNMENT: usize = 4096;

/// A stretch of a file, up to the next multiple of [`BLOCK_BYTES`], or less at the end.
pub(crate) struct Block {
    memory: Vec<u8>,
    /// Where in the memory it begins, so that the disk can be handed it as it is.
    start: usize,
    filled: usize,
    /// Where in the file it begins.
    offset: u64,
}

impl Block {
    /// An empty one.
    pub(crate) fn new(offset: u64) -> Self {
        let memory = vec![0; BLOCK_BYTES + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, filled: 0, offset }
    }

    /// The memory of this one for another.
    pub(crate) fn reused(self, offset: u64) -> Self {
        Self { filled: 0, offset, ..self }
    }

    /// Takes as much as there is room for and gives back the rest.
    pub(crate) fn take<'a>(&mut self, piece: &'a [u8]) -> &'a [u8] {
        let (now, later) = piece.split_at(piece.len().min(self.room()));
        let begin = self.start + self.filled;
        if let Some(place) = self.memory.get_mut(begin..begin + now.len()) {
            place.copy_from_slice(now);
        }
        self.filled += now.len();
        later
    }

    /// Whether it reaches as far as it may.
    pub(crate) fn is_full(&self) -> bool {
        self.room() == 0
    }

    /// Where in the file it begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Where in the file it ends.
    pub(crate) fn end(&self) -> u64 {
        self.offset + self.filled as u64
    }

    /// What was taken.
    pub(super) fn bytes(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.filled).unwrap_or_default()
    }

    /// Whether the disk can be handed it as it is.
    pub(super) fn is_aligned(&self) -> bool {
        let multiple = |n: u64| n.is_multiple_of(ALIGNMENT as u64);
        multiple(self.offset) && multiple(self.filled as u64) && multiple(self.bytes().as_ptr().addr() as u64)
    }

    fn room(&self) -> usize {
        let in_all = BLOCK_BYTES as u64 - self.offset % BLOCK_BYTES as u64;
        usize::try_from(in_all).unwrap_or(BLOCK_BYTES) - self.filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_ends_at_a_multiple_wherever_it_begins() {
        for (offset, room) in [(0, BLOCK_BYTES), (4096, BLOCK_BYTES - 4096), ((7 << 20) + 1, BLOCK_BYTES - 1)]
        {
            let mut block = Block::new(offset);
            let bytes = vec![7; BLOCK_BYTES + 10];
            assert_eq!(block.take(&bytes).len(), bytes.len() - room, "{offset}");
            assert!(block.is_full() && block.bytes() == &bytes[..room], "{offset}");
            assert_eq!(block.end(), offset + room as u64);
            assert_eq!(block.is_aligned(), offset.is_multiple_of(4096), "{offset}");
            assert!(block.take(&bytes).len() == bytes.len(), "a full one takes no more");
            let mut again = block.reused(5 << 20);
            assert!(again.bytes().is_empty() && again.take(b"abc").is_empty() && again.bytes() == b"abc");
            assert!(!again.is_full() && !again.is_aligned());
        }
    }
}
