//! The tests are tested: with a check or a step left out of the server on purpose, the test that guards it fails,
//! and says what was lost.
//!
//! A defect exists in builds with `failpoints` alone, where `HYTHE_FAILPOINTS="NAME=return"` switches it on; this
//! module runs the guarding test again as a process of its own with that set. `./test` prints the table.

use std::process::Command;

use hythe_testbed::durability::FileSystem;
use hythe_testbed::run_folder::{self, Source};

/// What is left out of the server, who must notice, and one of the phrases by which it does.
struct Defect {
    name: &'static str,
    what: &'static str,
    test: &'static str,
    said: &'static [&'static str],
}

const DEFECTS: &[Defect] = &[
    Defect {
        name: "defect-no-sync",
        what: "no file, directory or commit is synced",
        test: "durability::power::nothing_acknowledged_is_lost_on_ext4",
        said: LOST,
    },
    Defect {
        name: "defect-no-sync",
        what: "no file, directory or commit is synced",
        test: "durability::power::nothing_acknowledged_is_lost_on_xfs",
        said: LOST,
    },
    Defect {
        name: "defect-no-data-sync",
        what: "a blob's data is not synced",
        test: "durability::power::nothing_acknowledged_is_lost_on_ext4",
        said: &["error: 0 blobs are missing"],
    },
    Defect {
        name: "defect-no-data-sync",
        what: "a blob's data is not synced",
        test: "durability::power::nothing_acknowledged_is_lost_on_xfs",
        said: &["error: 0 blobs are missing"],
    },
    Defect {
        name: "defect-record-before-rename",
        what: "a blob's record comes before its file",
        test: "durability::kills::nothing_acknowledged_is_lost",
        said: &["0 corrupt and 0 unreadable"],
    },
    Defect {
        name: "defect-no-lease",
        what: "a HEAD that says \"exists\" takes no lease",
        test: "durability::race::no_image_is_broken_and_no_push_refused",
        said: &["MANIFEST_BLOB_UNKNOWN"],
    },
    Defect {
        name: "defect-backup-unheld",
        what: "a backup does not keep the collector out",
        test: "durability::backups::a_restored_registry_lacks_nothing",
        said: &["blobs are damaged or missing"],
    },
    Defect {
        name: "defect-last-block-sent",
        what: "the last block is sent before the digest is compared",
        test: "bit_rot::silent_rot_of_a_blob_not_verified_for_long",
        said: &["was not noticed"],
    },
    Defect {
        name: "defect-rights",
        what: "authorize grants everything",
        test: "attacks::second_paths::neither_probe_nor_list_nor_referrers_tell_of_a_private_project",
        said: &["answered "],
    },
    Defect {
        name: "defect-rights",
        what: "authorize grants everything",
        test: "attacks::advisories::cve_2019_19030_private_looks_like_missing",
        said: &["stranger: GET"],
    },
    Defect {
        name: "defect-upload-owner",
        what: "an upload is anybody's",
        test: "attacks::second_paths::an_upload_session_is_its_openers_alone",
        said: &["answered "],
    },
    Defect {
        name: "defect-upload-limit",
        what: "uploads per user are not counted",
        test: "attacks::limits::uploads_per_user",
        said: &["right: 3"],
    },
];

/// The audit's words, and those of a server that finds nothing it could start on.
const LOST: &[&str] = &[
    "was acknowledged and is lost",
    "can be neither read nor missed",
    "blobs are missing",
    "before it listened",
];

/// Why the test cannot run here, if it cannot.
fn missing(test: &str) -> Option<String> {
    let system = match test {
        _ if test.ends_with("ext4") => FileSystem::Ext4,
        _ if test.ends_with("xfs") => FileSystem::Xfs,
        _ => return None,
    };
    system.missing()
}

/// Runs one test of this program, briefly, against a server with this defect: its words if it fails.
fn fails(test: &str, defect: &str) -> Option<String> {
    let outcome = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact"])
        .env_remove("HYTHE_TESTBED_DEEP")
        // Backups take their time, so that the collector comes by.
        .env("HYTHE_FAILPOINTS", format!("{defect}=return;backup-records-copied=sleep(100)"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&outcome.stdout).into_owned();
    let verdicts = (said.contains("1 passed; 0 failed"), said.contains("0 passed; 1 failed"));
    assert!(verdicts.0 != verdicts.1, "{test} was not run: {said}");
    verdicts.1.then_some(said)
}

#[test]
fn each_is_noticed() {
    let mut unnoticed = Vec::new();
    for Defect { name, what, test, said } in DEFECTS {
        if let Some(why) = missing(test) {
            run_folder::not_run(&format!("{name} for {test}"), Source::Machine, &why);
            continue;
        }
        let told = fails(test, name);
        let caught = told.as_ref().is_some_and(|told| said.iter().any(|phrase| told.contains(phrase)));
        let verdict = if caught { "caught" } else { "NOT CAUGHT" };
        run_folder::report("defects", &format!("{name:<28} {what:<54} {verdict:<10} {test}"));
        if !caught {
            let told = told.unwrap_or_else(|| "the test passes".to_owned());
            unnoticed.push(format!("{test} does not notice {name} ({what}) by {said:?}: {told}"));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
