//! What the placeholders of one connection stand for, in the order in which they will be written.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::body::FileBody;

/// The most bytes one placeholder stands for: the more, the seldomer a body is asked for its next one.
pub(crate) const WINDOW: usize = 8 << 20;

/// Never read: only addresses within it matter, so its pages are never made. Made when it is first needed, for in the
/// program's file it would be as long as it is.
static BLANK: LazyLock<&'static [u8]> = LazyLock::new(|| vec![0; 4 * WINDOW].leak());

/// A connection's lane to its socket; a clone is another handle on the same one.
///
/// Bodies made through it must be written to that connection, one after the other, as HTTP/1.1 does.
#[derive(Clone, Debug, Default)]
pub struct Lane(Arc<Mutex<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    waiting: VecDeque<Part>,
    /// Where in [`BLANK`] the next placeholder begins. Moving on makes neighbours differ.
    next: usize,
}

/// A part of a file and where its placeholder begins.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    placeholder: usize,
    left: usize,
}

impl Lane {
    /// A body of the bytes of `range`. Nothing is looked at before it is polled.
    pub fn body(&self, file: Arc<File>, range: Range<u64>) -> FileBody {
        FileBody::new(self.clone(), file, range)
    }

    /// Forgets what was handed out for bodies before and never written: whoever cut them short is done with them.
    ///
    /// To be called while no body of this lane is being written.
    pub fn forget(&self) {
        self.parts().waiting.clear();
    }

    /// Queues a part of at most [`WINDOW`] bytes and answers its placeholder.
    pub(crate) fn enqueue(&self, file: Arc<File>, offset: u64, length: usize) -> Bytes {
        debug_assert!(0 < length && length <= WINDOW);
        let blank: &'static [u8] = *BLANK;
        let mut parts = self.parts();
        let start = if parts.next + length <= blank.len() { parts.next } else { 0 };
        parts.next = start + length;
        parts.waiting.push_back(Part { file, offset, placeholder: start, left: length });
        Bytes::from_static(&blank[start..start + length])
    }

    /// The part that must go out for this slice; `None` if the slice is no placeholder.
    pub(crate) fn part_of(&self, slice: &[u8]) -> Option<io::Result<(Arc<File>, u64)>> {
        let placeholder = position(slice)?;
        let parts = self.parts();
        Some(match parts.waiting.front() {
            Some(part) if part.placeholder == placeholder && slice.len() <= part.left => {
                Ok((Arc::clone(&part.file), part.offset))
            }
            _ => Err(io::Error::other("a placeholder does not stand for the next part of this connection")),
        })
    }

    /// Notes that so many bytes of the first part are on their way.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut parts = self.parts();
        if let Some(part) = parts.waiting.front_mut() {
            part.offset += bytes as u64;
            part.placeholder += bytes;
            part.left = part.left.saturating_sub(bytes);
            if part.left == 0 {
                parts.waiting.pop_front();
            }
        }
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        // Every critical section leaves the queue whole, so a panic elsewhere cannot have spoilt it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether this slice is a placeholder, of whichever connection.
pub(crate) fn is_placeholder(slice: &[u8]) -> bool {
    position(slice).is_some()
}

/// Where in [`BLANK`] a slice begins, if it lies there.
fn position(slice: &[u8]) -> Option<usize> {
    let position = slice.as_ptr().addr().checked_sub(BLANK.as_ptr().addr())?;
    (!slice.is_empty() && position < BLANK.len()).then_some(position)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<File> {
        Arc::new(tempfile::tempfile().unwrap())
    }

    #[test]
    fn a_placeholder_stands_for_its_part_until_all_of_it_went() {
        let lane = Lane::default();
        let one = lane.enqueue(file(), 100, 10);
        let two = lane.enqueue(file(), 7, 5);
        assert_eq!(lane.part_of(&one).unwrap().unwrap().1, 100);
        assert!(lane.part_of(&two).unwrap().is_err(), "it is not its turn");
        lane.sent(4);
        assert!(lane.part_of(&one).unwrap().is_err(), "these bytes went already");
        assert_eq!(lane.part_of(&one[4..]).unwrap().unwrap().1, 104);
        lane.sent(6);
        assert_eq!(lane.part_of(&two).unwrap().unwrap().1, 7);
    }

    #[test]
    fn what_was_cut_short_is_in_nobodys_way_once_it_is_forgotten() {
        let lane = Lane::default();
        let cut = lane.enqueue(file(), 0, 10);
        lane.sent(4);
        lane.forget();
        let next = lane.enqueue(file(), 7, 5);
        assert!(lane.part_of(&cut[4..]).unwrap().is_err());
        assert_eq!(lane.part_of(&next).unwrap().unwrap().1, 7);
    }

    #[test]
    fn ordinary_bytes_are_no_placeholder() {
        assert!(!is_placeholder(b"HTTP/1.1 200 OK"));
        assert!(!is_placeholder(&[]));
        assert!(!is_placeholder(&vec![0; WINDOW]));
    }

    #[test]
    fn another_connections_placeholder_is_refused() {
        let (ours, theirs) = (Lane::default(), Lane::default());
        let stray = theirs.enqueue(file(), 0, 10);
        assert!(ours.part_of(&stray).unwrap().is_err());
    }

    #[test]
    fn the_ring_of_placeholders_goes_round() {
        let lane = Lane::default();
        for round in 0..100 {
            let bytes = lane.enqueue(file(), round, WINDOW - 1);
            assert_eq!(lane.part_of(&bytes).unwrap().unwrap().1, round);
            lane.sent(bytes.len());
        }
        assert!(lane.parts().waiting.is_empty());
    }
}
