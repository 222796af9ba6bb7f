//! The tests are tested: with a check left out of the server on purpose, the test that guards it fails.

use std::process::Command;

/// A defect, and the test that must notice it.
const DEFECTS: &[(&str, &str)] = &[
    ("defect-rights", "second_paths::neither_probe_nor_list_nor_referrers_tell_of_a_private_project"),
    ("defect-rights", "advisories::cve_2019_19030_private_looks_like_missing"),
    ("defect-upload-owner", "second_paths::an_upload_session_is_its_openers_alone"),
    ("defect-upload-limit", "limits::uploads_per_user"),
];

/// Runs one test of this program against a server with this defect; whether it passed.
fn passes(test: &str, defect: Option<&str>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("attacks::{test}"), "--exact"]).env_remove("HYTHE_FAILPOINTS");
    if let Some(defect) = defect {
        command.env("HYTHE_FAILPOINTS", format!("{defect}=return"));
    }
    let outcome = command.output().unwrap();
    let said = String::from_utf8_lossy(&outcome.stdout);
    let verdicts = (said.contains("1 passed; 0 failed"), said.contains("0 passed; 1 failed"));
    assert!(verdicts.0 != verdicts.1, "{test} was not run: {said}");
    verdicts.0
}

#[test]
fn each_seeded_defect_is_noticed() {
    for (defect, test) in DEFECTS {
        assert!(passes(test, None), "{test} fails without a defect");
        assert!(!passes(test, Some(defect)), "{test} does not notice {defect}");
    }
}
