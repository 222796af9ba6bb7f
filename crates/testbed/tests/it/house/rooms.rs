//! Which room may use which, and which one is the door of a heavy library.

use std::collections::BTreeMap;

use serde_json::Value;

/// The allowed arrows: a room and the rooms it may use. `hythe`, the binary, may use all.
const ARROWS: &[(&str, &[&str])] = &[
    ("api", &["tags", "oci"]),
    ("bench", &[]),
    ("client", &["remote", "outbound", "api", "oci"]),
    ("delivery", &["client", "remote", "outbound", "store", "api", "tags", "oci"]),
    ("identity", &["outbound", "store", "oci"]),
    ("oci", &[]),
    ("outbound", &["sendfile"]),
    ("registry", &["identity", "remote", "outbound", "store", "tags", "oci"]),
    ("remote", &["outbound", "oci"]),
    ("sendfile", &[]),
    ("server", &["registry", "delivery", "identity", "sendfile", "api", "tags", "oci"]),
    ("store", &["oci"]),
    ("tags", &[]),
    ("testbed", &[]),
];

/// The heavy libraries and their only doors.
const DOORS: &[(&str, &[&str])] = &[
    ("argon2", &["identity"]),
    ("axum", &["server"]),
    ("bollard", &["client"]),
    ("clap", &["hythe"]),
    // Underneath reqwest, where a body comes out of a file.
    ("hyper", &["server", "outbound"]),
    ("indicatif", &["hythe"]),
    ("jsonwebtoken", &["identity"]),
    ("kube", &["delivery"]),
    ("ldap3", &["identity"]),
    ("maud", &["server"]),
    ("object_store", &["store"]),
    ("openidconnect", &["identity"]),
    ("reqwest", &["outbound"]),
    ("rusqlite", &["store"]),
    ("tar", &["client"]),
    ("tokio-postgres", &["store"]),
    ("tokio-rustls", &["server"]),
    // The derives of the wire types in `api`, the document put together in `server`.
    ("utoipa", &["api", "server"]),
    ("zstd", &["client"]),
];

/// Starts daemons and writes images for the tests; nothing that ships depends on it, so it is no door.
const TEST_ROOM: &str = "testbed";

/// The normal and build dependencies of each crate of the workspace, by room.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let metadata: Value =
        serde_json::from_str(&super::cargo(&["metadata", "--no-deps", "--format-version", "1"])).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| {
            let names = package["dependencies"].as_array().unwrap().iter();
            let names = names.filter(|dependency| dependency["kind"] != "dev");
            let names = names.map(|dependency| dependency["name"].as_str().unwrap().to_owned());
            (room(package["name"].as_str().unwrap()).to_owned(), names.collect())
        })
        .collect()
}

fn room(package: &str) -> &str {
    package.strip_prefix("hythe-").unwrap_or(package)
}

#[test]
fn rooms_use_only_what_the_table_allows() {
    for (room_name, used) in dependencies() {
        if room_name == "hythe" {
            assert!(!used.contains(&format!("hythe-{TEST_ROOM}")), "the binary ships without the test bed");
            continue;
        }
        let allowed = ARROWS.iter().find(|(name, _)| *name == room_name).map(|(_, allowed)| *allowed);
        let allowed =
            allowed.unwrap_or_else(|| panic!("the crate {room_name} is in no table: what is its job?"));
        for other in used.iter().filter(|name| name.starts_with("hythe-")) {
            assert!(allowed.contains(&room(other)), "{room_name} must not use {other}");
        }
    }
}

#[test]
fn heavy_libraries_have_one_door() {
    for (room_name, used) in dependencies().iter().filter(|(name, _)| *name != TEST_ROOM) {
        for (library, doors) in DOORS {
            if used.iter().any(|name| name == library) {
                assert!(
                    doors.contains(&room_name.as_str()),
                    "{library} enters by {doors:?}, not by {room_name}"
                );
            }
        }
    }
}
