//! Whatever stands in `Authorization`, a request is answered, and nobody becomes an administrator by it.
#![no_main]

use hythe_fuzz::{ADMIN, FrontDoor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &[u8]| {
    let Some(answer) = FrontDoor::get().ask("GET", "/api/v1/users", header, b"") else { return };
    // The right password may be found: it is a seed.
    let scheme = header.len().min("basic".len());
    let password = header.strip_prefix(&ADMIN.as_bytes()[.."Basic".len()]).unwrap_or(&header[scheme..]);
    let right = password.trim_ascii() == ADMIN.as_bytes()["Basic ".len()..].as_ref();
    assert!(right || answer.status() != 200, "{}", String::from_utf8_lossy(header));
});
