//! The shape of the workspace: rooms, doors, licences, duplicates, long files, lints.
//!
//! Works offline, from cargo's own answers and the files of the checkout, so that it holds on every machine;
//! `cargo deny` reads the same `deny.toml` where it is installed.

mod crates;
mod files;
mod licence;
mod mapping;
mod rooms;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the checkout.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// What cargo prints for these arguments, without asking the network.
fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--offline", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
