//! A data folder that an earlier version wrote is opened: every schema before the present one has one in
//! `fixtures/`, written by a binary of its time.

use std::fs;
use std::path::Path;

use hythe_testbed::{Hythe, Options, heirloom, run_folder};

use crate::backup::{backing_up, ran};
use crate::crash::fsck;

/// Every schema but the present one.
fn earlier_schemas() -> Vec<String> {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/src/records/migrations");
    let names = fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<u32> = names
        .map(|name| {
            let name = name.to_str().unwrap();
            name.strip_prefix('V').and_then(|rest| rest.split_once("__")).unwrap().0.parse().unwrap()
        })
        .collect();
    numbers.sort_unstable();
    numbers.pop();
    assert!(!numbers.is_empty());
    numbers.into_iter().map(|number| format!("V{number}")).collect()
}

#[test]
fn a_data_folder_of_each_earlier_schema_opens() {
    for schema in earlier_schemas() {
        assert!(heirloom::fixture(&schema).exists(), "{schema} has no fixture: see examples/heirloom.rs");
        let data = heirloom::unpack(&schema);
        // What only looks changes nothing; and a copy that is taken before an upgrade must be one.
        let to = run_folder::fresh("backup");
        assert!(!ran(backing_up(&data, &to, &[])).status.success());
        let said = fsck(&data).unwrap_err();
        assert!(said.contains("an earlier version of hythe wrote the records"), "{said}");
        let options = Options { data: Some(data.clone()), ..Options::default() };
        let mut server = Hythe::start(options);
        heirloom::found(&server);
        heirloom::finish_upload(&server);
        fsck(&data).unwrap_or_else(|said| panic!("{schema}: {said}"));
        assert_eq!(server.stop(), 0);
        server.restart();
        heirloom::found(&server);
        server.stop();
        fsck(&data).unwrap_or_else(|said| panic!("{schema}: {said}"));
    }
}

#[test]
fn what_this_version_writes_it_opens() {
    let mut server = Hythe::start(Options::default());
    heirloom::fill(&mut server);
    server.restart();
    heirloom::found(&server);
    heirloom::finish_upload(&server);
}
