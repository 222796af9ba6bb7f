//! Short-lived names for secrets: a digest under a key that only this process knows.
//!
//! Caches and the throttle must recognise "the same secret again" without keeping the secret. A
//! [`Fingerprint`] never leaves the process and means nothing in any other.

use sha2::{Digest as _, Sha256};

use crate::random::{self, RandomError};

/// The digest of some parts under this process's key. Equal fingerprints mean equal parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

/// The random key of this process. It has no `Debug`, so that no log line can show it.
pub(crate) struct FingerprintKey([u8; 32]);

impl FingerprintKey {
    /// A fresh random key.
    pub(crate) fn new() -> Result<Self, RandomError> {
        Ok(Self(random::bytes()?))
    }

    /// The fingerprint of `parts` for one `purpose`. Each part is hashed with its length, so that `("ab", "c")`
    /// and `("a", "bc")` differ. Without the key nobody can compute one, and none is ever published, so a
    /// plain keyed prefix is enough here.
    pub(crate) fn of(&self, purpose: &str, parts: &[&[u8]]) -> Fingerprint {
        let mut hasher = Sha256::new();
        hasher.update(self.0);
        for part in std::iter::once(purpose.as_bytes()).chain(parts.iter().copied()) {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Fingerprint(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boundaries_between_parts_count() {
        let key = FingerprintKey::new().unwrap();
        assert!(key.of("p", &[b"ab", b"c"]) == key.of("p", &[b"ab", b"c"]));
        assert!(key.of("p", &[b"ab", b"c"]) != key.of("p", &[b"a", b"bc"]));
        assert!(key.of("p", &[b"ab"]) != key.of("q", &[b"ab"]));
    }

    #[test]
    fn another_process_sees_other_fingerprints() {
        let (one, two) = (FingerprintKey::new().unwrap(), FingerprintKey::new().unwrap());
        assert!(one.of("p", &[b"same"]) != two.of("p", &[b"same"]));
    }
}
