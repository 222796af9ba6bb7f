//! A challenge of a registry is read without a failure, and what is made of it is fit for use: a token service is
//! named, and a preferred challenge is one of those that were read.
#![no_main]

use hythe_remote::challenge::{Challenge, choose, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|header: &str| {
    let found = parse(header);
    assert!(found.iter().all(|found| !matches!(found, Challenge::Bearer(bearer) if bearer.realm.is_empty())));
    let chosen = choose([header]);
    assert_eq!(chosen.is_some(), !found.is_empty());
    assert!(chosen.is_none_or(|chosen| found.contains(&chosen)));
    // Written out plainly, a challenge is read as the same one.
    for challenge in found {
        let Challenge::Bearer(bearer) = &challenge else { continue };
        let quoted = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
        let parameters = [("service", &bearer.service), ("scope", &bearer.scope), ("error", &bearer.error)];
        let mut plain = format!("Bearer realm={}", quoted(&bearer.realm));
        for (name, value) in parameters {
            plain.extend(value.iter().map(|value| format!(",{name}={}", quoted(value))));
        }
        assert_eq!(parse(&plain), [challenge]);
    }
});
