//! Counting and hashing what arrives, against what was asked for.

use bytes::Bytes;
use hythe_oci::{Digest, Hasher};

use crate::RemoteError;

/// Checks a blob while it streams by: never more bytes than announced, the right digest at the end.
pub(crate) struct Verifier {
    registry: String,
    expected: Digest,
    size: Option<u64>,
    hasher: Hasher,
    received: u64,
}

impl Verifier {
    /// `size` is what the blob should measure in bytes, if that is known.
    pub(crate) fn new(registry: String, expected: Digest, size: Option<u64>) -> Self {
        Self { registry, expected, size, hasher: Hasher::new(expected.algorithm()), received: 0 }
    }

    /// Takes the next piece; one byte too many is an error at once.
    pub(crate) fn update(&mut self, chunk: &Bytes) -> Result<(), RemoteError> {
        self.received = self.received.saturating_add(chunk.len() as u64);
        if self.size.is_some_and(|size| self.received > size) {
            return Err(self.wrong_size());
        }
        self.hasher.update(chunk);
        Ok(())
    }

    /// The verdict once the body has ended.
    pub(crate) fn finish(self) -> Result<(), RemoteError> {
        if self.size.is_some_and(|size| self.received != size) {
            return Err(self.wrong_size());
        }
        let received = self.hasher.finish();
        if received == self.expected {
            return Ok(());
        }
        Err(RemoteError::WrongDigest { registry: self.registry, expected: self.expected, received })
    }

    fn wrong_size(&self) -> RemoteError {
        RemoteError::WrongSize {
            registry: self.registry.clone(),
            digest: self.expected,
            expected: self.size.unwrap_or_default(),
            received: self.received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hythe_oci::Algorithm;

    fn verdict(size: Option<u64>, chunks: &[&'static [u8]]) -> Result<(), RemoteError> {
        let digest = Digest::of(Algorithm::Sha256, b"hello");
        let mut verifier = Verifier::new("http://r".to_owned(), digest, size);
        for chunk in chunks {
            verifier.update(&Bytes::from_static(chunk))?;
        }
        verifier.finish()
    }

    #[test]
    fn the_right_bytes_pass_in_any_pieces() {
        verdict(Some(5), &[b"hello"]).unwrap();
        verdict(Some(5), &[b"he", b"", b"llo"]).unwrap();
        verdict(None, &[b"hello"]).unwrap();
    }

    #[test]
    fn short_long_and_changed_bodies_are_told_apart() {
        assert!(matches!(verdict(Some(5), &[b"hell"]), Err(RemoteError::WrongSize { received: 4, .. })));
        assert!(matches!(
            verdict(Some(5), &[b"hello", b"!"]),
            Err(RemoteError::WrongSize { received: 6, .. })
        ));
        assert!(matches!(verdict(Some(5), &[b"hallo"]), Err(RemoteError::WrongDigest { .. })));
        assert!(matches!(verdict(None, &[b"hell"]), Err(RemoteError::WrongDigest { .. })));
    }
}
