//! What docker keeps of a layer's archive is read or refused, and is never more than what it was read from.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|lines: &[u8]| {
    let Ok((bytes, files)) = hythe_client::fuzzing::read_tar_split(lines) else { return };
    assert!(bytes + files.len() <= lines.len());
});
