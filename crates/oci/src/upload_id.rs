//! Names of upload sessions: unguessable, and safe in a path.

use std::fmt;

use crate::digest::bytes_of_hex;
use crate::quote::quoted;
use crate::text::text_form;

/// The name of an upload session: 16 bytes, written as 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UploadId([u8; 16]);

impl UploadId {
    /// The session named by these bytes, which the caller draws from the system's randomness.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the name.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads a session's name.
    ///
    /// # Errors
    /// [`UploadIdError`] when `text` is not 32 lower-case hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, UploadIdError> {
        bytes_of_hex(text).map(Self).ok_or_else(|| UploadIdError { shown: quoted(text) })
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

text_form!(UploadId, UploadIdError);

/// The text names no upload session that this registry could have begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown} names no upload session of this registry; begin a new upload and follow its Location.")]
pub struct UploadIdError {
    shown: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    #[test]
    fn only_thirty_two_lower_case_digits_name_a_session() {
        let name = "00ff00ff00ff00ff00ff00ff00ff00ff";
        assert_eq!(UploadId::parse(name).unwrap().to_string(), name);
        for bad in ["", "uploads", "00FF00FF00FF00FF00FF00FF00FF00FF", "../../../../../../../../../../aa"] {
            assert!(UploadId::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(UploadId::parse(&name[1..]).is_err());
        assert!(UploadId::parse(&format!("{name}0")).is_err());
    }

    proptest! {
        #[test]
        fn a_name_reads_back(id in arbitrary::upload_id()) {
            prop_assert_eq!(id.to_string().len(), 32);
            prop_assert_eq!(UploadId::parse(&id.to_string()).unwrap(), id);
            prop_assert_eq!(UploadId::from_bytes(*id.as_bytes()), id);
        }
    }
}
