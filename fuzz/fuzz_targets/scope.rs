//! Scopes never fail to be read, and what was understood reads back the same.
#![no_main]

use hythe_oci::ScopeSet;
use hythe_oci::limits::SCOPE_REPOSITORIES;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parameters: Vec<&str>| {
    let scopes = ScopeSet::parse(parameters);
    assert!(scopes.len() <= SCOPE_REPOSITORIES);
    assert!(scopes.repositories().all(|(_, actions)| !actions.is_empty()));
    let text = scopes.to_string();
    assert_eq!(ScopeSet::parse([text.as_str()]), scopes);
});
