//! System calls that fail, by strace.

use std::path::PathBuf;

use hythe_testbed::http::Body;
use hythe_testbed::{Faults, Hythe, Options, digest, location_path, noise};

use super::{Scene, refused_in_words};
use crate::crash::fsck;

/// A call that fails while a blob is pushed in one request: strace's words, the status, the cause told
/// (none where a disk could not have failed just so: trying again shows nothing).
const PUSH: &[(&str, u16, &str)] = &[
    ("pwritev:error=EIO", 503, "disk_errors"),
    ("pwritev:error=ENOSPC", 507, "disk_full"),
    ("pwritev:error=EDQUOT", 507, "disk_full"),
    ("pwritev:error=EROFS", 503, "read_only"),
    ("fdatasync:error=EIO", 503, "disk_errors"),
    ("fdatasync:error=ENOSPC", 507, "disk_full"),
    ("fsync:error=EIO", 503, "disk_errors"),
    ("fchmod:error=EIO", 503, ""),
    ("openat:error=EIO", 503, "disk_errors"),
    ("openat:error=ENOSPC", 507, "disk_full"),
    ("openat:error=EROFS", 503, "read_only"),
    ("mkdir:error=EIO", 503, ""),
    ("mkdir:error=ENOSPC", 507, ""),
    ("mkdir:error=EROFS", 503, ""),
    ("rename:error=EIO", 503, "disk_errors"),
    ("rename:error=ENOSPC", 507, "disk_full"),
    ("rename:error=EROFS", 503, "read_only"),
];

/// Calls of the records that fail on the log while a blob is pushed.
const RECORDS: &[(&str, u16, &str)] = &[
    ("pwrite64:error=EIO", 503, "disk_errors"),
    ("pwrite64:error=ENOSPC", 507, "disk_full"),
    ("pwrite64:error=EROFS", 503, "disk_errors"),
    ("fsync:error=EIO", 503, "disk_errors"),
];

fn log_of(server: &Hythe) -> PathBuf {
    server.data_folder().join("records.sqlite-wal")
}

/// Bytes whose place is in a folder that does not exist yet.
fn in_a_new_folder(server: &Hythe, seed: &str) -> Vec<u8> {
    (0..10_000)
        .map(|number| noise(&format!("{seed}-{number}"), 40_000))
        .find(|bytes| {
            let digest = digest(bytes);
            let first = &digest["sha256:".len()..][..2];
            !server.data_folder().join("blobs/sha256").join(first).exists()
        })
        .unwrap()
}

/// Tries a push under each fault, sees that the rest goes on, and that it succeeds once the fault is over.
fn each(scene: &mut Scene, cases: &[(&str, u16, &str)], only: &[PathBuf]) {
    let only: Vec<_> = only.iter().map(PathBuf::as_path).collect();
    for (fault, status, cause) in cases {
        let bytes = in_a_new_folder(&scene.server, fault);
        let faults = Faults::begin(&scene.server, &[fault], &only);
        let answer = scene.push(&bytes);
        assert!(faults.injected() > 0, "{fault} was not met: {answer}");
        refused_in_words(&answer, *status);
        scene.pulls_go_on();
        if !cause.is_empty() {
            scene.is_degraded(cause);
        }
        faults.end();
        let again = scene.push(&bytes);
        assert_eq!(again.status, 201, "after {fault}: {again}");
        scene.is_ready();
    }
}

fn sound_after_a_kill(scene: &mut Scene) {
    scene.pulls_go_on();
    scene.server.kill();
    fsck(&scene.server.data_folder()).unwrap_or_else(|said| panic!("fsck: {said}"));
    scene.server.restart();
    scene.pulls_go_on();
}

#[test]
fn a_push_is_refused_and_the_rest_goes_on() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    each(&mut scene, PUSH, &[]);
    sound_after_a_kill(&mut scene);
}

#[test]
fn the_records_refuse_and_go_on() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    let log = log_of(&scene.server);
    each(&mut scene, RECORDS, &[log]);
    sound_after_a_kill(&mut scene);
}

/// The kernel tells of a lost write once. Whoever asks again is told that all is well.
#[test]
fn one_failed_sync_is_never_tried_again() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    let log = log_of(&scene.server);
    // The blob's data, then the log of the records.
    for (call, only) in [("fdatasync", &[][..]), ("fsync", &[log.as_path()][..])] {
        let bytes = noise(&format!("lost-{call}"), 50_000);
        let fault = format!("{call}:error=EIO:when=1");
        let faults = Faults::begin(&scene.server, &[&fault], only);
        refused_in_words(&scene.push(&bytes), 503);
        assert_eq!(faults.end(), 1);
        let path = format!("/v2/lab/app/blobs/{}", digest(&bytes));
        scene.server.admin().get(&path).is(404);
        assert_eq!(scene.push(&bytes).status, 201);
    }
    sound_after_a_kill(&mut scene);
}

/// An upload does not go on from bytes that a failed sync may have lost, even if they cannot be removed at once.
#[test]
fn an_upload_starts_anew_after_a_failed_sync() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    let admin = scene.server.admin();
    for faults in [&["fdatasync:error=EIO"][..], &["fdatasync:error=EIO", "unlink:error=EROFS"][..]] {
        let bytes = noise(&format!("anew-{}", faults.len()), 70_000);
        let location = admin.open_upload("lab/app");
        let patched = admin.ask("PATCH", &location).body(Body::Whole(bytes.clone())).send().is(202);
        let location = location_path(&patched);
        let faults = Faults::begin(&scene.server, faults, &[]);
        refused_in_words(&admin.close_upload(&location, &digest(&bytes), b""), 503);
        faults.end();
        let status = admin.get(&location).is(204);
        assert_eq!(status.must("range"), "0-0");
        admin.close_upload(&location, &digest(&bytes), &bytes).is(201);
        scene.acknowledged.push((digest(&bytes), bytes));
    }
    sound_after_a_kill(&mut scene);
}

/// A pull meets a disk that cannot be read: its answer is cut or a refusal, never complete and wrong.
#[test]
fn a_blob_that_cannot_be_read_is_no_complete_answer() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    let bytes = noise("big", 3 << 20);
    assert_eq!(scene.push(&bytes).status, 201);
    let admin = scene.server.admin();
    let path = format!("/v2/lab/app/blobs/{}", digest(&bytes));
    for calls in [&["sendfile:error=EIO"][..], &["sendfile:error=ENOSYS", "pread64:error=EIO"][..]] {
        let faults = Faults::begin(&scene.server, calls, &[]);
        // A cut answer is an error of the transport.
        if let Ok(answer) = admin.ask("GET", &path).attempt() {
            assert!(answer.status >= 500, "{answer}");
        }
        assert!(faults.injected() > 0, "{calls:?} were not met");
        faults.end();
        scene.pulls_go_on();
    }
    scene.is_ready();
}

/// The log of a failing disk names the fault once, not once for each request.
#[test]
fn the_log_is_not_flooded() {
    if !Faults::available() {
        return;
    }
    let mut scene = Scene::start(Options::default());
    let faults = Faults::begin(&scene.server, &["pwritev:error=EIO"], &[]);
    for number in 0..20 {
        refused_in_words(&scene.push(&noise(&format!("flood-{number}"), 40_000)), 503);
    }
    faults.end();
    assert_eq!(scene.push(b"over").status, 201);
    // Log lines are gathered before they are written.
    scene.server.stop();
    let log = scene.server.log();
    assert_eq!(log.matches("does not take writes").count(), 1, "{log}");
    assert_eq!(log.matches("takes writes again").count(), 1, "{log}");
    assert!(log.matches("ERROR").count() <= 2, "{log}");
}

/// Nothing of ours is a mapped file: whoever cuts one behind our back does not end the process.
#[test]
fn files_cut_behind_its_back_do_not_end_the_server() {
    let scene = Scene::start(Options::default());
    for entry in std::fs::read_dir(scene.server.data_folder()).unwrap() {
        let entry = entry.unwrap();
        let is_log = entry.file_name() == "records.sqlite-wal" || entry.file_name() == "records.sqlite";
        if entry.metadata().unwrap().is_file() && !is_log {
            std::fs::OpenOptions::new().write(true).open(entry.path()).unwrap().set_len(0).unwrap();
        }
    }
    scene.pulls_go_on();
    let mapped = std::fs::read_to_string(format!("/proc/{}/maps", scene.server.pid())).unwrap();
    let data = scene.server.data_folder();
    assert!(!mapped.contains(data.to_str().unwrap()), "a file of the data folder is mapped: {mapped}");
}
