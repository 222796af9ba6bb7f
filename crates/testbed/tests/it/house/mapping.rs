//! The table of `docs/sdk.md` that maps the functions of two platforms' SDKs to ours: it lacks none of them, and each row
//! names a black-box test that is there.

use std::collections::{BTreeMap, BTreeSet};

const BEGIN: &str = "<!-- the functions of two platforms' SDKs; a test reads this table -->";
const END: &str = "<!-- end of the functions -->";

/// What the first SDK offers for the container registry of a project.
const RESCALE: &[&str] = &[
    "get_container_registry",
    "get_images",
    "get_image",
    "is_image_ready",
    "delete_image",
    "get_repos",
    "create_repo",
    "get_token",
    "push_docker_image",
    "ContainerRegistry",
];

/// What the second one offers for images.
const APOLO: &[&str] = &[
    "Images.push",
    "Images.pull",
    "Images.digest",
    "Images.rm",
    "Images.list",
    "Images.tags",
    "Images.size",
    "Images.tag_info",
    "Jobs.save",
    "LocalImage",
    "RemoteImage",
    "RemoteImage.new_platform_image",
    "RemoteImage.new_external_image",
    "RemoteImage.as_docker_url",
    "RemoteImage.with_tag",
    "Tag",
    "Parser.local_image",
    "Parser.remote_image",
    "Parser.normalize_uri",
    "AbstractDockerImageProgress.pull",
    "AbstractDockerImageProgress.push",
    "AbstractDockerImageProgress.step",
    "AbstractDockerImageProgress.save",
    "AbstractDockerImageProgress.commit_started",
    "AbstractDockerImageProgress.commit_finished",
];

/// The words in backquotes of a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The first and last cell of each row.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let (_, rest) = page.split_once(BEGIN).expect("the table has its beginning");
    let (table, _) = rest.split_once(END).expect("the table has its end");
    let lines = table.lines().filter(|line| line.starts_with("| `"));
    lines
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
            assert_eq!(cells.len(), 3, "a row has three cells: {line}");
            (cells[0], cells[2])
        })
        .collect()
}

/// The tests of the black-box program's module `sdk`, as `sdk::module::name`; those in files of one module's own folder are
/// named by no row.
fn tests() -> BTreeSet<String> {
    let folder = super::root().join("crates/testbed/tests/it/sdk");
    let mut tests = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut is_test = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            match line.strip_prefix("fn ").and_then(|rest| rest.split('(').next()) {
                Some(name) if is_test => {
                    tests.insert(format!("sdk::{module}::{name}"));
                    is_test = false;
                }
                _ => is_test = line == "#[test]" || (is_test && line.starts_with('#')),
            }
        }
    }
    tests
}

#[test]
fn every_function_of_the_platforms_is_mapped_to_ours_and_to_a_test() {
    let page = std::fs::read_to_string(super::root().join("docs/sdk.md")).unwrap();
    let tests = tests();
    assert!(tests.len() > 20, "{tests:?}");
    let mut mapped = BTreeMap::new();
    for (theirs, test) in rows(&page) {
        let names = quoted(test);
        assert!(!names.is_empty(), "the row of {theirs} names no test");
        for name in names {
            assert!(tests.contains(name), "the row of {theirs} names {name}, which is no test");
        }
        for function in quoted(theirs) {
            mapped.insert(function.split('(').next().unwrap(), test);
        }
    }
    for function in RESCALE.iter().chain(APOLO) {
        assert!(mapped.contains_key(function), "docs/sdk.md does not say what stands for {function}");
    }
}
