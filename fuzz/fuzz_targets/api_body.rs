//! Any body sent to `/api/v1` and to the token service is answered: done, or refused by a problem with a request id.
#![no_main]

use hythe_fuzz::{ADMIN, FrontDoor};
use libfuzzer_sys::fuzz_target;

const ORDERS: &[(&str, &str)] = &[
    ("POST", "/api/v1/projects"),
    ("PATCH", "/api/v1/projects/lab"),
    ("PUT", "/api/v1/projects/lab/members/admin"),
    ("POST", "/api/v1/users"),
    ("PUT", "/api/v1/users/nobody/password"),
    ("POST", "/token"),
];

fuzz_target!(|asked: (u8, &[u8])| {
    let (order, body) = asked;
    let (method, path) = ORDERS[usize::from(order) % ORDERS.len()];
    let Some(answer) = FrontDoor::get().ask(method, path, ADMIN.as_bytes(), body) else { return };
    if answer.status().as_u16() >= 400 {
        let said: serde_json::Value = serde_json::from_slice(answer.body()).expect("a refusal is JSON");
        let id = if path == "/token" { &said["errors"][0]["detail"]["request_id"] } else { &said["request_id"] };
        assert!(id.is_string(), "{said}");
    }
});
