//! A file of profiles is read or refused; what was read takes another profile and keeps the others.
#![no_main]

use std::path::PathBuf;
use std::sync::OnceLock;

use hythe_client::image::ClusterName;
use hythe_client::profiles::{Profiles, StoredProfile};
use libfuzzer_sys::fuzz_target;

fn file() -> &'static PathBuf {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder can be made");
        folder.keep().join("profiles.toml")
    })
}

fuzz_target!(|text: &str| {
    let Ok(mut profiles) = Profiles::parsed(file(), text) else { return };
    profiles.profile().expect("what was read means something");
    let before = profiles.entries().to_vec();
    let name = ClusterName::parse("added").expect("a name");
    let added = StoredProfile::new(name, "https://added.example".parse().expect("an address"));
    if profiles.set(&added).is_ok() {
        let read = Profiles::load_from(file()).expect("what was written can be read");
        for entry in before.iter().filter(|entry| entry.name != added.name).chain([&added]) {
            assert!(read.entries().contains(entry), "{entry:?}");
        }
    }
});
