//! An archive of an image is read to its end or refused: no path leads out of it, nothing hangs, memory is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(paths) = hythe_client::fuzzing::read_archive(bytes) else { return };
    for path in paths {
        assert!(!path.starts_with('/') && !path.split('/').any(|part| part == ".."), "{path}");
    }
});
