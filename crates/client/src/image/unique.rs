//! Unique tags: a tag that says which image it was given to.

use hythe_oci::limits::TAG_BYTES;
use hythe_oci::{Digest, Tag};

use super::error::ImageNameError;

/// How many digits of the image's digest a unique tag has unless another number is asked for.
pub const UNIQUE_DIGITS: usize = 10;

/// `tag`, `-` and the first `digits` hexadecimal digits of the image's ID (the digest of its
/// configuration), such as `v1-0123456789`; the form of Rescale's SDK with [`UNIQUE_DIGITS`].
///
/// Ten digits tell images of one name apart; whoever must not be deceived by a made-up image asks for
/// all 64. A tag that would become longer than 128 bytes is cut in front of the `-`.
///
/// # Errors
/// [`ImageNameError::UniqueDigits`] for no digits, more than the digest has, or more than leave room for one
/// character of the tag.
pub fn unique_tag(tag: &Tag, image_id: &Digest, digits: usize) -> Result<Tag, ImageNameError> {
    let hex = image_id.hex();
    let most = hex.len().min(TAG_BYTES - 2);
    let refused = ImageNameError::UniqueDigits { asked: digits, most };
    let Some(digits) = hex.get(..digits).filter(|_| (1..=most).contains(&digits)) else {
        return Err(refused);
    };
    // Tags are ASCII, and whatever a tag begins with begins a tag.
    let room = TAG_BYTES - 1 - digits.len();
    let kept = tag.as_str().get(..room).unwrap_or_else(|| tag.as_str());
    Ok(Tag::parse(&format!("{kept}-{digits}"))?)
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    #[test]
    fn the_tag_names_the_image() {
        let id = Digest::parse(&format!("sha256:0123456789abcdef{}", "0".repeat(48))).unwrap();
        let v1 = Tag::parse("v1").unwrap();
        assert_eq!(unique_tag(&v1, &id, UNIQUE_DIGITS).unwrap().as_str(), "v1-0123456789");
        assert_eq!(unique_tag(&v1, &id, 16).unwrap().as_str(), "v1-0123456789abcdef");
        assert!(unique_tag(&v1, &id, 0).is_err());
        let error = unique_tag(&v1, &id, 65).unwrap_err().to_string();
        assert_eq!(error, "A unique tag has 1 to 64 digits of the image's digest, not 65.");
        assert!(unique_tag(&v1, &Digest::of(Algorithm::Sha512, b""), 127).is_err());
    }

    #[test]
    fn a_long_tag_makes_room_for_the_digits() {
        let id = Digest::of(Algorithm::Sha256, b"x");
        let longest = Tag::parse(&"t".repeat(TAG_BYTES)).unwrap();
        let unique = unique_tag(&longest, &id, UNIQUE_DIGITS).unwrap();
        assert_eq!(unique.as_str(), format!("{}-{}", "t".repeat(117), &id.hex()[..10]));
    }

    proptest! {
        #[test]
        fn every_allowed_number_of_digits_makes_a_tag(
            tag in arbitrary::tag(), id in arbitrary::digest(), digits in 0_usize..200,
        ) {
            let most = id.hex().len().min(126);
            let unique = unique_tag(&tag, &id, digits);
            prop_assert_eq!(unique.is_ok(), (1..=most).contains(&digits));
            if let Ok(unique) = unique {
                let end = format!("-{}", &id.hex()[..digits]);
                prop_assert!(unique.as_str().ends_with(&end), "{}", unique);
            }
        }
    }
}
