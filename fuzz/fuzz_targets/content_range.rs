//! A chunk's range is refused, or holds at least one byte and reads back in its plain form.
#![no_main]

use hythe_oci::ContentRange;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|value: &str| {
    if let Ok(range) = ContentRange::parse(value) {
        assert!(range.len() >= 1);
        assert!(range.first() <= range.last());
        assert_eq!(ContentRange::parse(&range.to_string()), Ok(range));
    }
});
