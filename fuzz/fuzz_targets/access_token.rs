//! A token made of any header, claims and signature is refused: it may be malformed in every way, and it is never
//! believed.
#![no_main]

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hythe_fuzz::FrontDoor;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&str, &str, &[u8], bool)| {
    let (header, claims, signature, encoded) = parts;
    let token = if encoded {
        format!("{}.{}.{}", BASE64.encode(header), BASE64.encode(claims), BASE64.encode(signature))
    } else {
        format!("{header}.{claims}.{}", String::from_utf8_lossy(signature))
    };
    let bearer = format!("Bearer {token}");
    let Some(answer) = FrontDoor::get().ask("GET", "/v2/", bearer.as_bytes(), b"") else { return };
    assert!(matches!(answer.status().as_u16(), 401 | 431), "{}: {bearer}", answer.status());
});
