//! Random bytes from the operating system, and the short texts made of them.
//!
//! Every secret and identifier of this crate starts here, so that no weaker source can slip in.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("The operating system's source of random bytes failed, so no secret can be made: {0}.")]
pub struct RandomError(#[from] getrandom::Error);

/// `N` bytes from the operating system's generator.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// A random positive number below 2⁶³: an identifier that a deleted and re-created thing never gets again.
pub(crate) fn positive_id() -> Result<i64, RandomError> {
    let id = i64::from_le_bytes(bytes()?) & i64::MAX;
    // Zero is left out so that "no user" can never be mistaken for one.
    Ok(id.max(1))
}

/// `prefix` followed by 256 random bits in URL-safe base64 (43 characters).
pub(crate) fn secret_text(prefix: &str) -> Result<SecretString, RandomError> {
    let random: [u8; 32] = bytes()?;
    Ok(SecretString::from(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random))))
}

/// A password for a first administrator: 32 characters of URL-safe base64, 192 random bits.
///
/// # Errors
/// Fails when the operating system gives no random bytes.
pub fn generate_password() -> Result<SecretString, RandomError> {
    let random: [u8; 24] = bytes()?;
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(random)))
}

/// Lower-case hexadecimal of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn secrets_are_long_and_differ() {
        let (one, two) = (generate_password().unwrap(), generate_password().unwrap());
        assert_eq!(one.expose_secret().len(), 32);
        assert_ne!(one.expose_secret(), two.expose_secret());
        let token = secret_text("hyr_").unwrap();
        assert_eq!(token.expose_secret().len(), 4 + 43);
    }

    #[test]
    fn identifiers_are_positive() {
        for _ in 0..1000 {
            assert!(positive_id().unwrap() > 0);
        }
    }

    #[test]
    fn hexadecimal_is_lower_case_and_padded() {
        assert_eq!(hex(&[0, 10, 255]), "000aff");
    }
}
