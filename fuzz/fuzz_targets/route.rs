//! Paths are refused with a sentence, or read as a route whose own path reads back.
#![no_main]

use hythe_oci::{Endpoint, Route};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| match Route::parse(path) {
    Ok(route) => {
        assert_eq!(Route::parse(&route.path()).as_ref(), Ok(&route));
        for method in Endpoint::allowed_methods(&route).split(", ") {
            assert!(Endpoint::of(&route, method).is_some());
        }
    }
    Err(error) => {
        let sentence = error.to_string();
        assert!(sentence.ends_with('.') && sentence.chars().count() < 1000);
        assert!((400..500).contains(&error.status("GET")));
    }
});
