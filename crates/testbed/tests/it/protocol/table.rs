//! `docs/conformance.md` and the tests here say the same.

use std::collections::BTreeMap;
use std::path::Path;

/// The letters of the row numbering and the last number of each.
const NUMBERING: &[(char, u32)] = &[
    ('A', 24),
    ('B', 12),
    ('D', 7),
    ('F', 13),
    ('L', 16),
    ('M', 7),
    ('N', 3),
    ('P', 16),
    ('T', 11),
    ('U', 26),
    ('W', 29),
];

const LEVELS: &[&str] = &["MUST", "SHOULD", "MAY", "DEV", "QUIRK", "AUTH"];

const BEGIN: &str = "<!-- rows: written from the tests, HYTHE_BLESS=1 rewrites them -->";
const END: &str = "<!-- end of rows -->";

struct Row {
    level: String,
    requirement: String,
    test: String,
}

/// The rows that the test functions beside this file declare, by id.
fn declared() -> BTreeMap<String, Row> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/protocol");
    let mut rows = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let (mut comment, mut is_test) = (Vec::new(), false);
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            if let Some(text) = line.strip_prefix("/// ") {
                comment.push(text.to_owned());
            } else if line == "#[test]" {
                is_test = true;
            } else {
                if let Some(name) = line.strip_prefix("fn ").and_then(|rest| rest.split('(').next())
                    && is_test
                    && let Some((id, _)) = name.split_once('_')
                    && id.len() == 3
                {
                    let id = id.to_uppercase();
                    let told = comment.join(" ");
                    let (level, requirement) = told.split_once(". ").unwrap_or_default();
                    assert!(LEVELS.contains(&level), "the comment of {name} begins with no level");
                    let row = Row {
                        level: level.to_owned(),
                        requirement: requirement.to_owned(),
                        test: format!("{module}::{name}"),
                    };
                    assert!(rows.insert(id.clone(), row).is_none(), "two tests for row {id}");
                }
                (comment, is_test) = (Vec::new(), false);
            }
        }
    }
    rows
}

#[test]
fn every_row_has_its_test_and_the_table_tells_it() {
    let rows = declared();
    let ids: Vec<String> = NUMBERING
        .iter()
        .flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number:02}")))
        .collect();
    assert_eq!(rows.keys().cloned().collect::<Vec<_>>(), ids, "rows and tests do not match");

    let mut table = String::from("| row | level | requirement | test |\n|---|---|---|---|\n");
    for (id, row) in &rows {
        let requirement = row.requirement.replace('|', "\\|");
        table += &format!("| {id} | {} | {requirement} | `{}` |\n", row.level, row.test);
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/conformance.md");
    let document = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = document.split_once(BEGIN).expect("the document marks where the rows begin");
    let (_, after) = rest.split_once(END).expect("the document marks where the rows end");
    let wanted = format!("{before}{BEGIN}\n\n{table}\n{END}{after}");
    if std::env::var_os("HYTHE_BLESS").is_some() {
        std::fs::write(&path, wanted).unwrap();
        return;
    }
    assert!(
        document == wanted,
        "docs/conformance.md differs from the tests: run this test with HYTHE_BLESS=1"
    );
}
