//! Hashing of streams, with a state that can be written down and taken up again.
//!
//! A hasher restored from its exported state goes on exactly as the original would have: that is what
//! lets an upload resume after a restart without reading back what it already received.

use sha2::digest::common::hazmat::{SerializableState, SerializedState};
use sha2::{Digest as _, Sha256, Sha512};

use crate::digest::{Algorithm, Digest};

/// The first byte of every exported state. It changes with the layout of what follows (the layout is
/// that of `sha2` 0.11), so that a state of another release is refused instead of misread.
const LAYOUT: u8 = 1;

/// Computes the [`Digest`] of content that arrives in pieces.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The algorithm it computes.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// Takes in the next piece of the content.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(piece),
            State::Sha512(hash) => hash.update(piece),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hash) => Digest::from_sha256(hash.finalize().into()),
            State::Sha512(hash) => Digest::from_sha512(hash.finalize().into()),
        }
    }

    /// The state after what was taken in so far, for [`Hasher::restore`]: some 200 bytes at most.
    ///
    /// It holds up to one block of the content in clear, so it deserves the same protection.
    pub fn export(&self) -> Vec<u8> {
        let mut state = vec![LAYOUT];
        match &self.0 {
            State::Sha256(hash) => state.extend_from_slice(&hash.serialize()),
            State::Sha512(hash) => state.extend_from_slice(&hash.serialize()),
        }
        state
    }

    /// Takes up an exported state again.
    ///
    /// # Errors
    /// [`HashStateError`] when `state` was not exported by a hasher of this algorithm and layout.
    pub fn restore(algorithm: Algorithm, state: &[u8]) -> Result<Self, HashStateError> {
        let Some((&LAYOUT, state)) = state.split_first() else {
            return Err(HashStateError);
        };
        Ok(Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(from_state(state)?),
            Algorithm::Sha512 => State::Sha512(from_state(state)?),
        }))
    }
}

fn from_state<H: SerializableState>(state: &[u8]) -> Result<H, HashStateError> {
    let state = SerializedState::<H>::try_from(state).map_err(|_| HashStateError)?;
    H::deserialize(&state).map_err(|_| HashStateError)
}

impl std::fmt::Debug for Hasher {
    // The state is part of the content, which does not belong into logs.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Hasher").field(&self.algorithm()).finish()
    }
}

/// The bytes given to [`Hasher::restore`] are no hash state of that algorithm and this release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The saved hash state is damaged or comes from another release; the content must be hashed again from its start."
)]
pub struct HashStateError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    #[test]
    fn a_foreign_state_is_refused() {
        for algorithm in Algorithm::ALL {
            let state = Hasher::new(algorithm).export();
            let mut other_layout = state.clone();
            other_layout[0] = LAYOUT + 1;
            let cut = state[..state.len() - 1].to_vec();
            // The last byte tells how much of a block is pending; no block is that long.
            let mut overfull = state.clone();
            *overfull.last_mut().unwrap() = u8::MAX;
            for damaged in [Vec::new(), vec![LAYOUT], other_layout, cut, overfull] {
                assert!(Hasher::restore(algorithm, &damaged).is_err(), "{algorithm} {damaged:?}");
            }
        }
        let sha256 = Hasher::new(Algorithm::Sha256).export();
        assert_eq!(Hasher::restore(Algorithm::Sha512, &sha256).unwrap_err(), HashStateError);
    }

    #[test]
    fn a_hasher_does_not_show_content() {
        let mut hasher = Hasher::new(Algorithm::Sha256);
        hasher.update(b"secret");
        assert_eq!(format!("{hasher:?}"), "Hasher(Sha256)");
    }

    proptest! {
        #[test]
        fn a_restored_hasher_goes_on_as_the_original(
            algorithm in arbitrary::algorithm(),
            content in prop::collection::vec(any::<u8>(), 0..600),
            cut in any::<prop::sample::Index>(),
        ) {
            let (before, after) = content.split_at(cut.index(content.len() + 1));
            let mut hasher = Hasher::new(algorithm);
            hasher.update(before);
            let mut restored = Hasher::restore(algorithm, &hasher.export()).unwrap();
            prop_assert_eq!(restored.algorithm(), algorithm);
            restored.update(after);
            prop_assert_eq!(restored.finish(), Digest::of(algorithm, &content));
        }

        #[test]
        fn any_state_is_taken_or_refused(
            algorithm in arbitrary::algorithm(),
            state in prop::collection::vec(any::<u8>(), 0..220),
        ) {
            if let Ok(mut hasher) = Hasher::restore(algorithm, &state) {
                hasher.update(b"more");
                prop_assert_eq!(hasher.finish().algorithm(), algorithm);
            }
        }
    }
}
