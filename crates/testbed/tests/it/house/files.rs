//! Source files: their length, the lints they stand under, and that their tests are run.

use std::path::{Path, PathBuf};

/// The longest a file may be without a reason on the list below.
const LIMIT: usize = 500;

/// Longer files and why.
const LONG: &[(&str, &str)] = &[];

/// Every Rust file below `folder`.
fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_rust_files() -> Vec<(String, String)> {
    let root = super::root();
    let mut found = Vec::new();
    rust_files(&root.join("crates"), &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), text)
        })
        .collect()
}

#[test]
fn long_files_have_a_reason() {
    for (path, text) in all_rust_files() {
        let lines = text.lines().count();
        let reason = LONG.iter().any(|(long, _)| *long == path);
        assert!(lines <= LIMIT || reason, "{path} has {lines} lines: split it by job, or give a reason here");
        assert!(lines > LIMIT || !reason, "{path} is short again: take it off the list");
    }
}

#[test]
fn files_say_what_they_are_for() {
    for (path, text) in all_rust_files() {
        assert!(text.starts_with("//!"), "{path} does not begin with what it is for");
    }
}

/// What a test is marked with that another one starts in a process of its own.
const CHILD: &str = "a process that another test starts";

/// A test that nothing runs shows nothing.
#[test]
fn no_test_is_left_out() {
    let marked = ["#[", "ignore"].concat();
    for (path, text) in all_rust_files() {
        for line in text.lines().filter(|line| line.trim_start().starts_with(&marked)) {
            assert!(line.contains(CHILD), "{path} leaves a test out: {line}");
        }
    }
}

#[test]
fn every_crate_stands_under_the_workspace_lints() {
    let root = super::root();
    let workspace: toml::Table = std::fs::read_to_string(root.join("Cargo.toml")).unwrap().parse().unwrap();
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let path = entry.unwrap().path().join("Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        let inherits = manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(inherits.and_then(toml::Value::as_bool), Some(true), "{}", path.display());
    }
}

#[test]
fn every_black_box_module_is_a_step_of_the_front_door() {
    let main = std::fs::read_to_string(super::root().join("crates/testbed/tests/it/main.rs")).unwrap();
    let front_door = std::fs::read_to_string(super::root().join("test")).unwrap();
    let modules = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
    for module in modules.filter(|module| *module != "bench") {
        assert!(front_door.contains(&format!("black_box {module}::")), "./test does not run {module}");
    }
}
