//! Tags are refused, or taken and written exactly as they came.
#![no_main]

use hythe_oci::Tag;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(value) = Tag::parse(text) {
        assert_eq!(value.to_string(), text);
    }
});
