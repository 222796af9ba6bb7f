//! Argon2 in memory that goes back to the system when a hash is done.
//!
//! The C library's allocator maps large blocks on their own, but what it has once unmapped it takes for usual
//! from then on, up to [`ALWAYS_MAPPED`]: a second hash of 19 MiB would stay resident, once for each thread that
//! ever computed one.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::password_hash::{CustomizedPasswordHasher, Error, PasswordHasher, Result};
use argon2::{Algorithm, Argon2, Block, Params, Version};

/// A block larger than this is always a mapping of its own; in bytes.
const ALWAYS_MAPPED: usize = 32 << 20;

/// Hashes passwords at one cost.
#[derive(Clone)]
pub(crate) struct Hasher {
    version: Version,
    algorithm: Algorithm,
    params: Params,
}

impl Hasher {
    /// Argon2id (RFC 9106) at this cost.
    pub(crate) fn new(params: Params) -> Self {
        Self { version: Version::V0x13, algorithm: Algorithm::Argon2id, params }
    }

    /// What is not written to is not resident, so the surplus costs addresses alone.
    fn memory(&self) -> Vec<Block> {
        let needed = self.params.block_count();
        let mut blocks = Vec::with_capacity(needed.max(ALWAYS_MAPPED / Block::SIZE + 1));
        blocks.resize(needed, Block::default());
        blocks
    }
}

impl PasswordHasher<PasswordHash> for Hasher {
    fn hash_password_with_salt(&self, password: &[u8], salt: &[u8]) -> Result<PasswordHash> {
        let length = self.params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
        let argon2 = Argon2::new(self.algorithm, self.version, self.params.clone());
        let mut output = vec![0; length];
        argon2.hash_password_into_with_memory(password, salt, &mut output, self.memory())?;
        Ok(PasswordHash {
            algorithm: self.algorithm.ident(),
            version: Some(self.version.into()),
            params: ParamsString::try_from(&self.params)?,
            salt: Some(Salt::new(salt)?),
            hash: Some(Output::new(&output)?),
        })
    }
}

/// Verification hashes again by what the stored hash says.
impl CustomizedPasswordHasher<PasswordHash> for Hasher {
    type Params = Params;

    fn hash_password_customized(
        &self,
        password: &[u8],
        salt: &[u8],
        algorithm: Option<&str>,
        version: Option<u32>,
        params: Params,
    ) -> Result<PasswordHash> {
        let algorithm = algorithm.map_or(Ok(self.algorithm), Algorithm::try_from)?;
        let version =
            version.map_or(Ok(self.version), |version| Version::try_from(version).map_err(Error::from))?;
        Self { version, algorithm, params }.hash_password_with_salt(password, salt)
    }
}

#[cfg(test)]
mod tests {
    use argon2::PasswordVerifier as _;

    use super::*;

    #[test]
    fn hashes_are_argon2s_own() {
        let params = Params::new(64, 1, 1, None).unwrap();
        let (ours, theirs) = (Hasher::new(params.clone()), Argon2::from(params));
        let salt = b"sixteen bytes !!";
        let hash = ours.hash_password_with_salt(b"correct horse", salt).unwrap();
        assert_eq!(
            hash.to_string(),
            theirs.hash_password_with_salt(b"correct horse", salt).unwrap().to_string()
        );
        assert!(ours.verify_password(b"correct horse", &hash).is_ok());
        assert!(ours.verify_password(b"battery staple", &hash).is_err());
        // A hash of another cost says so itself.
        let dearer = Argon2::from(Params::new(128, 2, 1, None).unwrap());
        let hash = dearer.hash_password_with_salt(b"correct horse", salt).unwrap();
        assert!(ours.verify_password(b"correct horse", &hash).is_ok());
    }
}
