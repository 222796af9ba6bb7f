//! A configuration file is refused in words, or taken; nothing in it ends the process.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the modules are the binary's, which uses more of them")]

use std::path::PathBuf;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/hythe/src/configuration/mod.rs"]
mod configuration;
#[path = "../../crates/hythe/src/failure.rs"]
mod failure;

fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        folder.keep().join("hythe.toml")
    })
}

fuzz_target!(|text: &str| {
    std::fs::write(file(), text).expect("the file can be written");
    if let Err(refused) = configuration::check_file(file()) {
        assert!(refused.to_string().contains(' '), "{refused}");
    }
});
