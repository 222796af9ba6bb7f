//! Files that are flipped, cut, emptied, removed or replaced behind the server's back: wrong bytes are
//! never a complete answer, the damage is told in words, and pushing the blob again heals it.

pub(crate) mod damage;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hythe_testbed::http::Response;
use hythe_testbed::{Actor, Hythe, Options, Visibility, noise};

use damage::{Damage, blob_file};

const REPOSITORY: &str = "lab/app";

/// Several windows of the verified reader, and a last one of an odd size.
const LARGE: usize = (1 << 20) + 17;
const SMALL: usize = 100;

/// A server on which nothing but the requests looks at the blobs.
fn start(age_days: u32) -> Hythe {
    let server = Hythe::start(Options {
        environment: vec![
            ("HYTHE_SCRUB_ENABLED".to_owned(), "false".to_owned()),
            ("HYTHE_SCRUB_AGE_DAYS".to_owned(), age_days.to_string()),
        ],
        ..Options::default()
    });
    server.create_project("lab", Visibility::Private);
    server
}

fn path(digest: &str) -> String {
    format!("/v2/{REPOSITORY}/blobs/{digest}")
}

/// The answer, or `None` if it broke off.
fn complete(ask: impl FnOnce() -> Response) -> Option<Response> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

/// Insists that the answer is no complete one with other bytes than those of `range`.
#[track_caller]
fn never_wrong(answer: Option<&Response>, bytes: &[u8], what: &str) {
    if let Some(answer) = answer.filter(|answer| answer.status < 300) {
        assert!(answer.body == bytes, "{what}: wrong bytes as a complete {}", answer.status);
    }
}

/// Insists on the refusal that names the damage.
#[track_caller]
fn refused(answer: Response, digest: &str) {
    let answer = answer.is(500).code("UNKNOWN");
    let error = answer.error();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("damaged") && message.contains("push the image again"), "{message}");
    assert_eq!(error["detail"]["digest"], digest);
}

/// A push sees that the blob is not there, brings it again, and all is well.
#[track_caller]
fn heals(admin: &Actor, digest: &str, bytes: &[u8]) {
    let mount = format!("/v2/lab/other/blobs/uploads/?mount={digest}&from={REPOSITORY}");
    admin.post(&mount).is(202);
    admin.head(&path(digest)).is(404);
    admin.push_blob(REPOSITORY, bytes);
    admin.head(&path(digest)).is(200);
    assert!(admin.get(&path(digest)).is(200).body == bytes);
    let part = admin.ask("GET", &path(digest)).header("Range", "bytes=10-19").send().is(206);
    assert!(part.body == bytes[10..20]);
    admin.post(&mount).is(201);
}

fn each_case(age_days: u32, check: impl Fn(&Hythe, Damage, &str, &[u8])) {
    let server = start(age_days);
    for damage in Damage::ALL {
        for size in [SMALL, LARGE] {
            let bytes = noise(&format!("{damage:?} {size} {age_days}"), size);
            let digest = server.admin().push_blob(REPOSITORY, &bytes);
            assert!(server.admin().get(&path(&digest)).is(200).body == bytes);
            damage.do_to(&blob_file(&server, &digest));
            check(&server, damage, &digest, &bytes);
        }
    }
}

#[test]
fn a_whole_pull() {
    each_case(30, |server, damage, digest, bytes| {
        let admin = server.admin();
        let first = complete(|| admin.get(&path(digest)));
        never_wrong(first.as_ref(), bytes, &format!("{damage:?}"));
        if damage.is_harmless() {
            assert!(first.unwrap().is(200).body == bytes);
            return;
        }
        refused(admin.get(&path(digest)), digest);
        heals(&admin, digest, bytes);
    });
}

#[test]
fn a_pull_of_a_range() {
    each_case(30, |server, damage, digest, bytes| {
        let admin = server.admin();
        let ask = |range: &str| admin.ask("GET", &path(digest)).header("Range", range).send();
        if damage.is_harmless() {
            assert!(ask("bytes=0-9").is(206).body == bytes[..10]);
            return;
        }
        for range in ["bytes=10-19", "bytes=0-", "bytes=-20", "bytes=0-4,50-59"] {
            refused(ask(range), digest);
        }
        refused(admin.get(&path(digest)), digest);
        heals(&admin, digest, bytes);
    });
}

#[test]
fn a_push_that_asks_first() {
    each_case(30, |server, damage, digest, bytes| {
        if !damage.is_harmless() {
            heals(&server.admin(), digest, bytes);
        }
    });
}

/// A push that asks nobody replaces whatever lies there.
#[test]
fn a_push_that_does_not_ask() {
    each_case(30, |server, _, digest, bytes| {
        let admin = server.admin();
        admin.push_blob(REPOSITORY, bytes);
        assert!(admin.get(&path(digest)).is(200).body == bytes);
    });
}

/// The disk itself changed the bytes: nothing shows from outside, and only reading tells.
#[test]
fn silent_rot_of_a_blob_not_verified_for_long() {
    let server = start(0);
    let admin = server.admin();
    for at in [0, LARGE / 2, LARGE - 1] {
        let bytes = noise(&format!("silent {at}"), LARGE);
        let digest = admin.push_blob(REPOSITORY, &bytes);
        damage::rot(&blob_file(&server, &digest), at);
        admin.head(&path(&digest)).is(200);
        assert!(complete(|| admin.get(&path(&digest))).is_none(), "the flip at {at} was not noticed");
        refused(admin.get(&path(&digest)), &digest);
        refused(admin.ask("GET", &path(&digest)).header("Range", "bytes=0-9").send(), &digest);
        heals(&admin, &digest, &bytes);
    }
}

/// Somebody puts the right file back: it is looked at, and believed.
#[test]
fn a_file_put_back_heals() {
    let server = start(30);
    let admin = server.admin();
    let bytes = noise("put back", LARGE);
    let digest = admin.push_blob(REPOSITORY, &bytes);
    let file = blob_file(&server, &digest);
    Damage::Emptied.do_to(&file);
    refused(admin.get(&path(&digest)), &digest);
    assert!(!file.exists(), "the damaged file was not moved aside");
    std::fs::write(&file, &bytes).unwrap();
    let part = admin.ask("GET", &path(&digest)).header("Range", "bytes=10-19").send().is(206);
    assert!(part.body == bytes[10..20]);
    admin.head(&path(&digest)).is(200);
}

/// A manifest whose parts are damaged is refused, as if they were missing.
#[test]
fn a_manifest_is_not_built_on_a_damaged_blob() {
    let server = start(30);
    let admin = server.admin();
    let image = hythe_testbed::image(
        hythe_testbed::Family::Oci,
        hythe_testbed::Packing::Gzip,
        "built on damage",
        "amd64",
    );
    admin.push_image(REPOSITORY, "v1", &image);
    let layer = &image.blobs[1];
    Damage::Removed.do_to(&blob_file(&server, &layer.digest()));
    refused(admin.get(&path(&layer.digest())), &layer.digest());
    admin.put_manifest(REPOSITORY, "v2", &image.manifest).is(404).code("MANIFEST_BLOB_UNKNOWN");
    admin.push_image(REPOSITORY, "v2", &image);
}

/// A hard-linked backup changes the time of the inode's last change; that makes nothing suspect.
#[test]
fn a_hard_link_makes_nothing_suspect() {
    let server = start(30);
    let admin = server.admin();
    let bytes = noise("linked", SMALL);
    let digest = admin.push_blob(REPOSITORY, &bytes);
    let file = blob_file(&server, &digest);
    std::fs::hard_link(&file, server.folder().join("backup of a blob")).unwrap();
    // Were it suspect, the rot would show in the range.
    damage::rot(&file, 0);
    let part = admin.ask("GET", &path(&digest)).header("Range", "bytes=10-19").send().is(206);
    assert!(part.body == bytes[10..20]);
}

/// The numbers an operator sets an alarm on.
#[test]
fn damage_is_counted() {
    let server = start(30);
    let admin = server.admin();
    let value = |name: &str| {
        let text = String::from_utf8(server.anonymous().get("/metrics").is(200).body).unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let bytes = noise("counted", SMALL);
    let digest = admin.push_blob(REPOSITORY, &bytes);
    assert!(value("hythe_blobs_damaged") < 0.5);
    Damage::Removed.do_to(&blob_file(&server, &digest));
    refused(admin.get(&path(&digest)), &digest);
    refused(admin.get(&path(&digest)), &digest);
    assert!((value("hythe_blobs_damaged") - 1.0).abs() < 0.5);
    assert!((value("hythe_blobs_found_damaged_total") - 1.0).abs() < 0.5);
    heals(&admin, &digest, &bytes);
    assert!(value("hythe_blobs_damaged") < 0.5);
}

/// A file that only looks different is verified once, whoever asks for which part of it at the same time.
#[test]
fn many_readers_of_a_touched_file() {
    let server = start(30);
    let bytes = noise("shared", 8 << 20);
    let digest = server.admin().push_blob(REPOSITORY, &bytes);
    damage::touch(&blob_file(&server, &digest));
    let admin = server.admin();
    std::thread::scope(|scope| {
        for reader in 0..8_usize {
            let (admin, path, bytes) = (&admin, path(&digest), &bytes);
            scope.spawn(move || {
                let range = format!("bytes={reader}-{}", reader + 99);
                let part = admin.ask("GET", &path).header("Range", &range).send().is(206);
                assert!(part.body == bytes[reader..reader + 100]);
            });
        }
    });
    assert!(admin.get(&path(&digest)).is(200).body == bytes);
}
