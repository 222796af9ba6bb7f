//! `hythe fsck`: beside a running server, and in a folder no server holds; what it finds and mends.

use std::fs;
use std::path::{Path, PathBuf};

use hythe_testbed::{Family, Hythe, Image, Options, Packing, Visibility, image};
use serde_json::Value;

use crate::{exits, hythe, json, text};

struct Bench {
    server: Hythe,
    image: Image,
    data: PathBuf,
}

impl Bench {
    fn new(seed: &str) -> Self {
        let environment = vec![("HYTHE_SCRUB_ENABLED".to_owned(), "false".to_owned())];
        let server = Hythe::start(Options { environment, ..Options::default() });
        server.create_project("lab", Visibility::Public);
        let image = image(Family::Oci, Packing::Gzip, seed, "amd64");
        server.admin().push_image("lab/app", "1", &image);
        let data = server.data_folder();
        Self { server, image, data }
    }

    fn file(&self, blob: usize) -> PathBuf {
        file_of(&self.data, &self.image.blobs[blob].digest())
    }

    fn fsck(&self, arguments: &[&str], code: i32) -> Value {
        let mut all = vec!["fsck", "--output", "json", "--data-dir", text(&self.data)];
        all.extend_from_slice(arguments);
        json(&exits(hythe().run(&all), code))
    }
}

fn file_of(data: &Path, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").expect("the sample's digests are sha256");
    data.join("blobs/sha256").join(&hex[..2]).join(hex)
}

/// Writes other bytes of the same length to where a file lies.
fn corrupt(path: &Path) {
    let mut bytes = fs::read(path).expect("the blob is there");
    bytes[0] ^= 1;
    fs::remove_file(path).expect("the folder is ours");
    fs::write(path, bytes).expect("the folder is ours");
}

#[test]
fn what_was_lost_is_found_and_has_its_own_exit_code() {
    let mut bench = Bench::new("fsck");
    let fsck = ["fsck", "--data-dir", text(&bench.data)];
    hythe().run(&fsck).ok().says("0 missing, 0 corrupt");
    let blob = bench.file(1);
    let bytes = fs::read(&blob).unwrap();
    fs::remove_file(&blob).unwrap();
    exits(hythe().run(&fsck), 8).says("missing");
    assert_eq!(bench.server.stop(), 0);
    exits(hythe().run(&fsck), 8).says("missing");

    fs::write(&blob, &bytes).unwrap();
    corrupt(&blob);
    hythe().run(&["fsck", "--quick", "--data-dir", text(&bench.data)]).ok();
    assert_eq!(bench.fsck(&[], 8)["corrupt"]["count"], 1);
    fs::write(&blob, &bytes).unwrap();
    hythe().run(&fsck).ok();
}

#[test]
fn a_repair_says_what_it_did_and_a_push_heals() {
    for running in [true, false] {
        let mut bench = Bench::new(if running { "repaired beside" } else { "repaired alone" });
        let (lost, rotten) = (bench.file(0), bench.file(1));
        fs::remove_file(&lost).unwrap();
        corrupt(&rotten);
        let orphan = file_of(&bench.data, &hythe_testbed::digest(b"no record"));
        fs::create_dir_all(orphan.parent().unwrap()).unwrap();
        fs::write(&orphan, b"no record").unwrap();
        let leak = bench.data.join("uploads").join("00112233445566778899aabbccddeeff");
        let known = fs::read_dir(bench.data.join("uploads")).unwrap().count();
        fs::write(&leak, b"leaked").unwrap();
        if !running {
            assert_eq!(bench.server.stop(), 0);
        }

        let found = bench.fsck(&[], 8);
        assert_eq!(found["repairs"], Value::Null);
        assert_eq!(found["missing"]["digests"][0], bench.image.blobs[0].digest());
        assert_eq!(found["corrupt"]["digests"][0], bench.image.blobs[1].digest());
        assert_eq!(found["orphaned"]["count"], 1);
        assert_eq!(found["leaked_uploads"]["bytes"], b"leaked".len(), "{known} were there: {found}");

        let done = |report: &Value| {
            let repairs = report["repairs"].clone();
            let keys = ["quarantined", "marked", "healed", "orphans_removed"];
            (keys.map(|key| repairs[key].as_u64().unwrap()), repairs["uploads_removed"]["count"].as_u64())
        };
        let would = bench.fsck(&["--repair", "--dry-run"], 8);
        assert_eq!(would["repairs"]["dry_run"], true);
        assert_eq!(done(&would), ([1, 1, 0, 1], Some(1)));
        assert!(rotten.exists() && orphan.exists() && leak.exists(), "a dry run changed something");

        let did = bench.fsck(&["--repair"], 8);
        assert_eq!(done(&did), ([1, 1, 0, 1], Some(1)));
        assert!(!rotten.exists() && !orphan.exists() && !leak.exists());
        let aside = bench.data.join("quarantine/sha256").join(rotten.file_name().unwrap());
        assert!(aside.exists(), "the damaged file is kept for the operator");
        // What is known already is not done again, and still is a loss.
        assert_eq!(done(&bench.fsck(&["--repair"], 8)), ([0, 0, 0, 0], Some(0)));

        if !running {
            bench.server.restart();
        }
        let admin = bench.server.admin();
        for blob in &bench.image.blobs[..2] {
            admin.head(&format!("/v2/lab/app/blobs/{}", blob.digest())).is(404);
        }
        admin.push_image("lab/app", "1", &bench.image);
        let sound = bench.fsck(&[], 0);
        assert_eq!((&sound["corrupt"]["count"], &sound["orphaned"]["count"]), (&0.into(), &0.into()));
        hythe().run(&["gc", "--data-dir", text(&bench.data)]).ok();
        assert!(!aside.exists(), "healed: the damaged file is collected");
    }
}

#[test]
fn a_repair_heals_what_was_put_back() {
    let bench = Bench::new("put back");
    let blob = bench.file(1);
    let bytes = fs::read(&blob).unwrap();
    fs::remove_file(&blob).unwrap();
    assert_eq!(bench.fsck(&["--repair"], 8)["repairs"]["marked"], 1);
    fs::write(&blob, &bytes).unwrap();
    assert_eq!(bench.fsck(&["--repair"], 0)["repairs"]["healed"], 1);
    let path = format!("/v2/lab/app/blobs/{}", bench.image.blobs[1].digest());
    bench.server.admin().head(&path).is(200);
    assert!(bench.server.admin().get(&path).is(200).body == bytes);
}

#[test]
fn a_quick_look_repairs_nothing() {
    let bench = Bench::new("quick");
    exits(hythe().run(&["fsck", "--quick", "--repair", "--data-dir", text(&bench.data)]), 2);
    exits(hythe().run(&["fsck", "--dry-run", "--data-dir", text(&bench.data)]), 2);
}
