//! What is in the build: banned crates, licences and duplicates, against `deny.toml`.

use std::collections::{BTreeMap, BTreeSet};

use super::licence::satisfied;

struct Crate {
    name: String,
    version: String,
    licence: String,
}

/// Every crate of the build, its tests and build scripts, on this machine's platform.
fn crates() -> Vec<Crate> {
    let rustc = std::process::Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(rustc.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    // `cargo tree` follows enabled features alone; `cargo metadata` would list crates that are never built.
    let tree = super::cargo(&[
        "tree",
        "--workspace",
        "--target",
        host,
        "--features",
        "hythe/failpoints",
        "--edges",
        "normal,build,dev",
        "--prefix",
        "none",
        "--no-dedupe",
        "--format",
        "{p}|{l}",
    ]);
    let lines: BTreeSet<&str> = tree.lines().filter(|line| !line.is_empty()).collect();
    lines
        .into_iter()
        .map(|line| {
            let (package, licence) = line.split_once('|').unwrap();
            let mut words = package.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap().trim_start_matches('v'));
            Crate { name: name.to_owned(), version: version.to_owned(), licence: licence.to_owned() }
        })
        .collect()
}

fn deny() -> toml::Table {
    std::fs::read_to_string(super::root().join("deny.toml")).unwrap().parse().unwrap()
}

/// The `crate` fields of a list of tables that each give a reason.
fn named(list: &toml::Value) -> Vec<String> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            assert!(
                entry.get("reason").is_some_and(|reason| !reason.as_str().unwrap().is_empty()),
                "{entry}"
            );
            entry["crate"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[test]
fn banned_crates_stay_out() {
    let banned = named(&deny()["bans"]["deny"]);
    assert!(!banned.is_empty());
    for krate in crates() {
        assert!(!banned.contains(&krate.name), "{} is banned in deny.toml", krate.name);
    }
}

#[test]
fn licences_are_on_the_list() {
    let deny = deny();
    let allowed: Vec<String> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| id.as_str().unwrap().to_owned())
        .collect();
    for krate in crates() {
        assert!(
            satisfied(&krate.licence, &allowed),
            "the licence of {} {} is not allowed in deny.toml: {}",
            krate.name,
            krate.version,
            krate.licence
        );
    }
}

#[test]
fn duplicates_are_on_the_list() {
    let skipped = named(&deny()["bans"]["skip"]);
    let mut used = BTreeSet::new();
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for krate in crates() {
        versions.entry(krate.name).or_default().insert(krate.version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let mut open = 0;
        for version in versions {
            let entry = skipped.iter().find(|entry| {
                entry.split_once('@').is_some_and(|(skipped, wanted)| {
                    skipped == name && (version == wanted || version.starts_with(&format!("{wanted}.")))
                })
            });
            match entry {
                Some(entry) => drop(used.insert(entry.clone())),
                None => open += 1,
            }
        }
        assert!(
            open <= 1,
            "{name} is built in versions {versions:?}: one must go, or be argued in deny.toml"
        );
    }
    let stale: Vec<_> = skipped.iter().filter(|entry| !used.contains(*entry)).collect();
    assert!(stale.is_empty(), "no longer duplicates, to be removed from deny.toml: {stale:?}");
}
