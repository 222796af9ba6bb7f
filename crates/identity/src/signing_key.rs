//! The key that signs access tokens: 256 random bits, made on the first start and kept in the records, so that every
//! replica and every later start accepts the same tokens.

use hythe_store::Store;
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::{Digest as _, Sha256};

use crate::error::IdentityError;
use crate::random;

/// The name of the key among the secrets of the records.
const SECRET: &str = "access-token-key";

/// The key and its name in token headers.
pub(crate) struct SigningKey {
    bytes: SecretBox<[u8; 32]>,
}

impl SigningKey {
    /// Reads the key from the records; makes it if there is none.
    pub(crate) async fn load(store: &Store) -> Result<Self, IdentityError> {
        let kept = store.records.read(|reader| reader.secret(SECRET)).await?;
        let bytes = if let Some(bytes) = kept {
            bytes
        } else {
            let fresh: [u8; 32] = random::bytes()?;
            let now = store.clock.now();
            store.records.write(move |writer| writer.secret_or_insert(SECRET, &fresh, now)).await?
        };
        let bytes = bytes.try_into().map_err(|_| IdentityError::DamagedKey { secret: SECRET })?;
        Ok(Self::from_bytes(bytes))
    }

    /// The key with these bytes.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes: SecretBox::new(Box::new(bytes)) }
    }

    /// The bytes, for signing and checking only.
    pub(crate) fn expose(&self) -> &[u8] {
        self.bytes.expose_secret()
    }

    /// The name of the key (`kid` of RFC 7515): the start of a digest of it, which gives nothing of 256 random bits
    /// away.
    pub(crate) fn id(&self) -> String {
        let digest: [u8; 32] =
            Sha256::new().chain_update("kid").chain_update(self.bytes.expose_secret()).finalize().into();
        random::hex(&digest[..8])
    }
}
