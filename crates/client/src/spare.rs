//! Memory that is used again for the next piece of a layer.
//!
//! It would else go to and fro between threads, be made ready by the kernel each time, and leave holes behind in the memory of
//! each thread, more than what is in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// The output is handed on in pieces of so many bytes.
const PIECE: usize = 64 * 1024;

/// What is not in use just now.
pub(crate) struct Spare<T>(Arc<Mutex<Vec<T>>>);

impl<T> Spare<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.all().pop()
    }

    pub(crate) fn put(&self, done: T) {
        self.all().push(done);
    }

    fn all(&self) -> MutexGuard<'_, Vec<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Clone for Spare<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// Bytes whose memory becomes spare with the last who has them.
pub(crate) struct Kept {
    pub(crate) content: Vec<u8>,
    spare: Spare<Vec<u8>>,
}

impl Kept {
    pub(crate) fn new(content: Vec<u8>, spare: &Spare<Vec<u8>>) -> Self {
        Self { content, spare: spare.clone() }
    }
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.content
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut content = std::mem::take(&mut self.content);
        content.clear();
        self.spare.put(content);
    }
}

/// The content, whose memory is to become spare.
pub(crate) fn kept(content: Vec<u8>, spare: &Spare<Vec<u8>>) -> Bytes {
    Bytes::from_owner(Kept::new(content, spare))
}

/// Output as pieces in spare memory.
pub(crate) fn pieces(output: &[u8], spare: &Spare<Vec<u8>>) -> Vec<Bytes> {
    let copy = |piece: &[u8]| {
        let mut content = spare.take().unwrap_or_else(|| Vec::with_capacity(PIECE));
        content.extend_from_slice(piece);
        kept(content, spare)
    };
    output.chunks(PIECE).map(copy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_used_again_when_nobody_has_it_any_more() {
        let spare = Spare::new();
        let output: Vec<u8> = (0..PIECE + 7).map(|at| u8::try_from(at % 251).unwrap_or_default()).collect();
        let first = pieces(&output, &spare);
        assert_eq!(first.concat(), output);
        let held = first[0].slice(3..9);
        drop(first);
        assert_eq!(spare.all().len(), 1, "a part of one is still held");
        assert_eq!(held, output[3..9]);
        drop(held);
        let memory: Vec<_> = spare.all().iter().map(Vec::as_ptr).collect();
        let again = pieces(&output, &spare);
        assert!(again.iter().all(|piece| memory.contains(&piece.as_ptr())));
    }
}
