//! Digests: the content addresses of blobs and manifests.
//!
//! A digest names its algorithm and holds exactly as many bytes as that algorithm makes, so two
//! digests are equal when and only when their texts are.

use std::fmt;

use crate::hasher::Hasher;
use crate::quote::quoted;
use crate::tag::Tag;
use crate::text::text_form;

/// A digest algorithm that the registry computes and checks (image specification, "Digests").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256, which every client knows.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Algorithm {
    /// Every algorithm, in the order of their names.
    pub const ALL: [Self; 2] = [Self::Sha256, Self::Sha512];

    /// Reads an algorithm's name as it stands before the colon of a digest.
    ///
    /// # Errors
    /// [`DigestError::UnsupportedAlgorithm`] for any other name.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
            .ok_or_else(|| DigestError::UnsupportedAlgorithm { shown: quoted(text) })
    }

    /// The name before the colon: `sha256` or `sha512`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hexadecimal digits a digest has after the colon.
    pub const fn hex_len(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

text_form!(Algorithm, DigestError);

/// A digest such as `sha256:44136fa3…`: algorithm, colon, lower-case hexadecimal digits.
///
/// Ordered as its text is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(Value);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Value {
    Sha256([u8; 32]),
    Sha512([u8; 64]),
}

impl Digest {
    /// Reads a digest.
    ///
    /// # Errors
    /// [`DigestError`] when there is no colon, the algorithm is not supported, or what follows is not
    /// exactly as many lower-case hexadecimal digits as the algorithm makes.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let Some((algorithm, hex)) = text.split_once(':') else {
            return Err(DigestError::NoAlgorithm { shown: quoted(text) });
        };
        let value = match Algorithm::parse(algorithm)? {
            Algorithm::Sha256 => bytes_of_hex(hex).map(Value::Sha256),
            Algorithm::Sha512 => bytes_of_hex(hex).map(Value::Sha512),
        };
        value.map(Self).ok_or_else(|| DigestError::NotHex { shown: quoted(text) })
    }

    /// The digest of `content`, which is wholly in memory; see [`Hasher`] for streams.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(content);
        hasher.finish()
    }

    /// The digest with these raw bytes, as a record keeps them.
    ///
    /// `None` unless `bytes` are as many as the algorithm makes: 32 or 64.
    pub fn from_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let value = match algorithm {
            Algorithm::Sha256 => bytes.try_into().map(Value::Sha256),
            Algorithm::Sha512 => bytes.try_into().map(Value::Sha512),
        };
        value.ok().map(Self)
    }

    pub(crate) const fn from_sha256(bytes: [u8; 32]) -> Self {
        Self(Value::Sha256(bytes))
    }

    pub(crate) const fn from_sha512(bytes: [u8; 64]) -> Self {
        Self(Value::Sha512(bytes))
    }

    /// The algorithm that made it.
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Value::Sha256(_) => Algorithm::Sha256,
            Value::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The raw bytes that the hexadecimal digits stand for: 32 or 64 of them.
    pub const fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Value::Sha256(bytes) => bytes,
            Value::Sha512(bytes) => bytes,
        }
    }

    /// The lower-case hexadecimal digits after the colon.
    pub fn hex(&self) -> String {
        self.with_hex(str::to_owned)
    }

    /// Written into a buffer on the stack: every answer holds a few digests.
    fn with_hex<T>(&self, then: impl FnOnce(&str) -> T) -> T {
        const fn digit(value: u8) -> u8 {
            if value < 10 { b'0' + value } else { b'a' + value - 10 }
        }
        let mut buffer = [0; 128];
        let bytes = self.as_bytes();
        for (pair, byte) in buffer.chunks_exact_mut(2).zip(bytes) {
            pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
        }
        let hex = buffer.get(..bytes.len() * 2).unwrap_or_default();
        then(str::from_utf8(hex).unwrap_or_default())
    }

    /// The tag under which clients keep this subject's referrers where the referrers API is missing
    /// (distribution specification, "Referrers tag schema"): `sha256-…`, the digits cut at 64.
    pub fn fallback_tag(&self) -> Tag {
        Tag::of_referrers(self)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.algorithm().as_str())?;
        formatter.write_str(":")?;
        self.with_hex(|hex| formatter.write_str(hex))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

text_form!(Digest, DigestError);

/// Exactly `N` bytes out of `2 N` lower-case hexadecimal digits.
pub(crate) fn bytes_of_hex<const N: usize>(hex: &str) -> Option<[u8; N]> {
    if hex.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Some(bytes)
}

const fn hex_digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// Why a digest was refused; its text is a sentence for the person who sent it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error(
        "The digest {shown} names no algorithm; write `sha256:` or `sha512:` and the hexadecimal digits."
    )]
    NoAlgorithm {
        /// The text, quoted and clipped.
        shown: String,
    },
    /// The algorithm is none that the registry computes.
    #[error("The digest algorithm {shown} is not supported; use `sha256` or `sha512`.")]
    UnsupportedAlgorithm {
        /// The algorithm's name, quoted and clipped.
        shown: String,
    },
    /// The wrong number of digits, or something that is not a lower-case hexadecimal digit.
    #[error(
        "The digest {shown} is malformed; after the colon, sha256 has 64 and sha512 has 128 lower-case hexadecimal digits."
    )]
    NotHex {
        /// The text, quoted and clipped.
        shown: String,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    const EMPTY_OBJECT: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn content_has_the_digests_of_other_implementations() {
        assert_eq!(Digest::of(Algorithm::Sha256, b"{}").to_string(), EMPTY_OBJECT);
        assert_eq!(
            Digest::of(Algorithm::Sha512, b"").to_string(),
            "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
             47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"
        );
    }

    #[test]
    fn digests_follow_the_grammar() {
        let hex = &EMPTY_OBJECT[7..];
        for bad in [
            String::new(),
            hex.to_owned(),
            "latest".to_owned(),
            ":".to_owned(),
            "sha256:".to_owned(),
            "sha256:baddigeststring".to_owned(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{hex}0"),
            format!("sha256:{}", &hex[1..]),
            format!("sha512:{hex}"),
            format!("SHA256:{hex}"),
            format!("blake3:{hex}"),
            format!("sha256:{hex}:"),
            format!("sha256+b64:{hex}"),
            format!(" sha256:{hex}"),
            // Two bytes a character: the right number of bytes, none of them a digit.
            format!("sha256:{}", "é".repeat(32)),
        ] {
            assert!(Digest::parse(&bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_error_says_what_to_write() {
        for (text, part) in [
            ("latest", "The digest `latest` names no algorithm; write `sha256:`"),
            ("md5:00", "The digest algorithm `md5` is not supported; use `sha256` or `sha512`."),
            ("sha256:00", "The digest `sha256:00` is malformed; after the colon, sha256 has 64"),
        ] {
            let error = Digest::parse(text).unwrap_err().to_string();
            assert!(error.starts_with(part), "{error}");
        }
    }

    #[test]
    fn the_fallback_tag_is_cut() {
        let short = Digest::parse(EMPTY_OBJECT).unwrap();
        assert_eq!(short.fallback_tag().as_str(), EMPTY_OBJECT.replace(':', "-"));
        let long = Digest::of(Algorithm::Sha512, b"{}");
        assert_eq!(long.fallback_tag().as_str(), format!("sha512-{}", &long.hex()[..64]));
    }

    #[test]
    fn raw_bytes_must_fit_the_algorithm() {
        assert_eq!(Digest::from_bytes(Algorithm::Sha256, &[0; 64]), None);
        assert_eq!(Digest::from_bytes(Algorithm::Sha512, &[0; 32]), None);
        assert_eq!(Digest::from_bytes(Algorithm::Sha256, &[]), None);
    }

    proptest! {
        #[test]
        fn a_digest_reads_back(digest in arbitrary::digest()) {
            let text = digest.to_string();
            prop_assert_eq!(Digest::parse(&text).unwrap(), digest);
            prop_assert_eq!(Digest::from_bytes(digest.algorithm(), digest.as_bytes()), Some(digest));
            prop_assert_eq!(digest.hex().len(), digest.algorithm().hex_len());
            prop_assert!(digest.fallback_tag().as_str().len() <= 97);
        }

        #[test]
        fn digests_are_ordered_as_their_texts(one in arbitrary::digest(), other in arbitrary::digest()) {
            prop_assert_eq!(one.cmp(&other), one.to_string().cmp(&other.to_string()));
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text in "(sha256|sha512|x)?:?[0-9a-fA-F]{60,66}|.*") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }
}
