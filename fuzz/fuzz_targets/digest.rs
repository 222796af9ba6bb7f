//! Digests are refused, or taken and written exactly as they came, as text and as raw bytes.
#![no_main]

use hythe_oci::Digest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
        assert_eq!(Digest::from_bytes(digest.algorithm(), digest.as_bytes()), Some(digest));
        assert!(digest.fallback_tag().as_str().len() <= 97);
    }
});
