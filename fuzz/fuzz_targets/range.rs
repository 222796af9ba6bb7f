//! Every part answered to a `Range` header lies within the content, and all together are no more
//! than the content.
#![no_main]

use hythe_oci::limits::RANGE_PARTS;
use hythe_oci::{ByteRanges, RangeAnswer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &str)| {
    let (size, value) = input;
    if let Some(ranges) = ByteRanges::read(value) {
        assert_eq!(ByteRanges::read(&ranges.to_string()), Some(ranges));
    }
    if let RangeAnswer::Parts(parts) = ByteRanges::parse(value, size) {
        assert!((1..=RANGE_PARTS).contains(&parts.len()));
        let mut total = 0_u64;
        for part in parts {
            assert!(part.start < part.end && part.end <= size);
            total = total.checked_add(part.end - part.start).expect("parts add up to no more than the size");
        }
        assert!(total <= size);
    }
});
