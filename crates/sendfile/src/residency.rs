//! Whether a part of a file is in the page cache, and getting it there without holding up the runtime.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::num::NonZeroU64;
use std::ops::Range;

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

/// How far apart the looks are: what a kernel reads ahead in one go by default.
const CLOSE: u64 = 128 << 10;

/// How far apart they are behind a part that was hot, whose last byte was seen: what was used together is mostly there
/// together, and each look is a system call.
const FAR: u64 = 2 << 20;

/// How much behind a cold part the kernel is asked to read meanwhile.
const AHEAD: u64 = 4 << 20;

/// What a look at the page cache showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Residency {
    /// All looks met a page: sending does not wait for the disk, as far as can be known.
    Hot,
    /// Some page is missing, or the file system cannot tell.
    Cold,
}

/// Looks at a byte here and there and at the last one, without waiting for the disk; `before` is what the part before it was.
/// A file that ends before the part does is an error.
pub(crate) fn look(file: &File, part: &Range<u64>, before: Residency) -> io::Result<Residency> {
    let last = part.end - 1;
    let (mut at, step) = match before {
        Residency::Hot => ((part.start + FAR).min(last), FAR),
        Residency::Cold => (part.start, CLOSE),
    };
    loop {
        let mut byte = [0];
        match rustix::io::preadv2(file, &mut [IoSliceMut::new(&mut byte)], at, ReadWriteFlags::NOWAIT) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) if at == last => return Ok(Residency::Hot),
            Ok(_) => at = (at + step).min(last),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN | Errno::OPNOTSUPP) => return Ok(Residency::Cold),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Reads a part into the page cache, waiting for the disk, and asks for what follows it up to `end`.
pub(crate) fn warm(file: &File, part: &Range<u64>, end: u64) -> io::Result<()> {
    let ahead = part.end.saturating_add(AHEAD).min(end);
    if let Some(length) = NonZeroU64::new(ahead - part.start) {
        // Only a hint: without it the reads below take longer.
        let _ = rustix::fs::fadvise(file, part.start, Some(length), Advice::WillNeed);
    }
    let mut scratch = vec![0; 64 << 10];
    let mut at = part.start;
    while at < part.end {
        let wanted = usize::try_from(part.end - at).unwrap_or(usize::MAX).min(scratch.len());
        match rustix::io::pread(file, &mut scratch[..wanted], at) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => at += read as u64,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_was_just_written_is_hot_and_warm_reads_to_the_end() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(&vec![7; 3 << 20]).unwrap();
        for before in [Residency::Cold, Residency::Hot] {
            assert_eq!(look(&file, &(0..3 << 20), before).unwrap(), Residency::Hot);
        }
        warm(&file, &(1..3 << 20), 3 << 20).unwrap();
    }

    #[test]
    fn a_part_behind_the_end_is_an_error_in_both() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        file.write_all(b"short").unwrap();
        assert_eq!(look(&file, &(0..100), Residency::Hot).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(warm(&file, &(0..100), 100).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_was_dropped_from_the_cache_is_cold_until_warmed() {
        let mut file = tempfile::tempfile_in(".").unwrap();
        let length = 8 << 20;
        file.write_all(&vec![7; length]).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        let part = 1 << 20..2 << 20;
        // A file system in memory keeps its pages whatever it is told.
        if look(&file, &part, Residency::Hot).unwrap() == Residency::Cold {
            warm(&file, &part, length as u64).unwrap();
            assert_eq!(look(&file, &part, Residency::Cold).unwrap(), Residency::Hot);
        }
    }
}
