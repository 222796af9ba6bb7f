//! The process ends as by kill -9 at each durable step; whatever was acknowledged before is still
//! there afterwards, byte for byte, and the interrupted work can be done again.
//!
//! The points are the fail points of the store (feature `failpoints`), armed by `HYTHE_FAILPOINTS`.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use hythe_testbed::http::Response;
use hythe_testbed::{Actor, Family, Hythe, Image, Options, Packing, Visibility, image};

const REPOSITORY: &str = "lab/app";

fn armed(point: &str, pass: u32) -> Options {
    let value = format!("{point}=abort({pass})");
    Options { environment: vec![("HYTHE_FAILPOINTS".to_owned(), value)], ..Options::default() }
}

fn start() -> Hythe {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Private);
    server
}

fn sample(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

/// What a client was told is done, and what it had asked for when the server died.
#[derive(Default)]
struct Acknowledged {
    blobs: Vec<(String, Vec<u8>)>,
    /// What each tag names; `None` means that it was deleted.
    tags: BTreeMap<String, Option<Vec<u8>>>,
    /// The tag of the request without an answer, and what it was to name: it may have taken place.
    in_doubt: Option<(String, Option<Vec<u8>>)>,
}

impl Acknowledged {
    /// Changes a tag, and notes the change as done only if its answer came.
    fn change(&mut self, tag: &str, to: Option<Vec<u8>>, ask: impl FnOnce() -> Response) -> Option<()> {
        self.in_doubt = Some((tag.to_owned(), to.clone()));
        survives(ask)?;
        self.in_doubt = None;
        self.tags.insert(tag.to_owned(), to);
        Some(())
    }
}

/// The answer, or `None` if the server died before it.
fn survives(ask: impl FnOnce() -> Response) -> Option<Response> {
    catch_unwind(AssertUnwindSafe(ask)).ok()
}

/// Pushes images, moves and deletes a tag, until done or until the server dies; records every
/// acknowledgement.
fn work(admin: &Actor, done: &mut Acknowledged) -> Option<()> {
    for seed in ["one", "two"] {
        let image = sample(seed);
        // Too large to be taken in one piece, unlike the parts of the image.
        let streamed = hythe_testbed::noise(seed, 100 << 10);
        for bytes in [&streamed].into_iter().chain(image.blobs.iter().map(|blob| &blob.bytes)) {
            let digest = hythe_testbed::digest(bytes);
            let opened = survives(|| admin.post(&format!("/v2/{REPOSITORY}/blobs/uploads/")).is(202))?;
            let location = hythe_testbed::location_path(&opened);
            survives(|| admin.close_upload(&location, &digest, bytes).is(201))?;
            done.blobs.push((digest, bytes.clone()));
        }
        for tag in ["moving", seed] {
            let bytes = Some(image.manifest.bytes.clone());
            done.change(tag, bytes, || admin.put_manifest(REPOSITORY, tag, &image.manifest).is(201))?;
        }
    }
    let path = format!("/v2/{REPOSITORY}/manifests/one");
    done.change("one", None, || admin.delete(&path).is(202))
}

fn verify(admin: &Actor, done: &Acknowledged) {
    for (digest, bytes) in &done.blobs {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200);
        assert!(answer.body == *bytes, "blob {digest} came back changed");
    }
    for (tag, acknowledged) in &done.tags {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/manifests/{tag}")).one_of(&[200, 404]);
        let found = (answer.status == 200).then_some(answer.body);
        // A tag is what was acknowledged, or exactly what the request without an answer asked for.
        let asked = done.in_doubt.as_ref().filter(|(doubtful, _)| doubtful == tag).map(|(_, to)| to);
        assert!(found == *acknowledged || Some(&found) == asked, "tag {tag} is neither old nor new");
    }
}

/// Runs `hythe fsck` on a stopped server's folder; what it says is the error.
pub(crate) fn fsck(data: &Path) -> Result<(), String> {
    let outcome = Command::new(Hythe::binary())
        .args(["fsck", "--data-dir"])
        .arg(data)
        .output()
        .expect("the binary starts");
    let said =
        String::from_utf8_lossy(&outcome.stderr).into_owned() + &String::from_utf8_lossy(&outcome.stdout);
    if outcome.status.success() { Ok(()) } else { Err(said) }
}

fn sound(server: &Hythe) {
    fsck(&server.data_folder()).unwrap_or_else(|said| panic!("fsck: {said}"));
}

/// Dies at the point on each of these passes; every time, what was acknowledged must hold and the
/// whole work must succeed when done again.
fn dies_at(point: &str, passes: &[u32]) {
    for pass in passes {
        let mut server = start();
        server.stop();
        server.restart_with(armed(point, *pass));
        let mut done = Acknowledged::default();
        let finished = work(&server.admin(), &mut done);
        assert!(finished.is_none(), "{point} was not passed {pass} times");
        server.wait_for_end();
        sound(&server);
        server.restart_with(Options::default());
        let admin = server.admin();
        verify(&admin, &done);
        work(&admin, &mut done).expect("the server lives");
        verify(&admin, &done);
        server.stop();
        sound(&server);
    }
}

#[test]
fn while_a_blob_is_written() {
    dies_at("blob-write", &[1, 2]);
}

#[test]
fn before_a_blob_is_synced() {
    dies_at("blob-before-sync", &[1, 2]);
}

#[test]
fn before_a_new_directory_is_synced() {
    dies_at("blob-directory-made", &[1, 2]);
}

#[test]
fn before_a_blob_is_renamed() {
    dies_at("blob-before-rename", &[1, 2]);
}

#[test]
fn after_a_blob_is_renamed() {
    dies_at("blob-after-rename", &[1, 2]);
}

#[test]
fn after_the_directory_is_synced() {
    dies_at("blob-after-dirsync", &[1, 2]);
}

/// The commits of `work`: opening and closing each of four blobs, two tags; then the same again, where
/// the tag `moving` moves; then the deleted tag.
const COMMITS: &[u32] = &[1, 2, 8, 9, 10, 11, 19, 20, 21];

#[test]
fn before_records_commit() {
    dies_at("records-before-commit", COMMITS);
}

#[test]
fn after_records_commit() {
    dies_at("records-after-commit", COMMITS);
}

/// The side file of a resumable upload: written beside, then renamed.
fn dies_checkpointing(point: &str) {
    let mut server = start();
    let bytes = hythe_testbed::noise(point, 3 << 20);
    let digest = hythe_testbed::digest(&bytes);
    let (first, second) = bytes.split_at(1 << 20);
    let patch = |admin: &Actor, location: &str, bytes: &[u8]| {
        admin.ask("PATCH", location).body(hythe_testbed::http::Body::Whole(bytes.to_vec())).send().is(202)
    };
    let location = server.admin().open_upload(REPOSITORY);
    patch(&server.admin(), &location, first);
    server.stop();
    server.restart_with(armed(point, 1));
    assert!(survives(|| patch(&server.admin(), &location, second)).is_none(), "{point} is not passed");
    server.wait_for_end();
    server.restart_with(Options::default());
    let admin = server.admin();
    let range = admin.get(&location).is(204).must("range").to_owned();
    let reached: usize = range.strip_prefix("0-").unwrap().parse::<usize>().unwrap() + 1;
    assert!(reached >= first.len(), "the acknowledged {} bytes are kept: {range}", first.len());
    admin.close_upload(&location, &digest, &bytes[reached..]).is(201);
    assert!(admin.get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200).body == bytes);
}

#[test]
fn before_a_checkpoint_is_renamed() {
    dies_checkpointing("checkpoint-before-rename");
}

#[test]
fn after_a_checkpoint_is_renamed() {
    dies_checkpointing("checkpoint-after-rename");
}

/// Dies while the collector removes a deleted image's blobs.
fn dies_collecting(point: &str) {
    let mut server = start();
    let admin = server.admin();
    let (kept, dropped) = (sample("kept"), sample("dropped"));
    admin.push_image(REPOSITORY, "kept", &kept);
    admin.push_image(REPOSITORY, "dropped", &dropped);
    admin.delete(&format!("/v2/{REPOSITORY}/manifests/{}", dropped.manifest.digest())).is(202);
    server.stop();
    let collect = |failpoints: Option<&str>| {
        let mut command = Command::new(Hythe::binary());
        command.args(["gc", "--grace-minutes", "0", "--data-dir"]).arg(server.data_folder());
        if let Some(points) = failpoints {
            command.env("HYTHE_FAILPOINTS", points);
        }
        command.output().expect("the binary starts")
    };
    let died = collect(Some(&format!("{point}=abort(1)")));
    assert!(died.status.code().is_none(), "{point} is not passed: {died:?}");
    sound(&server);
    // What the crash left owing is paid by the next run.
    let collected = collect(None);
    assert!(collected.status.success(), "{collected:?}");
    sound(&server);
    server.restart();
    let admin = server.admin();
    for blob in &kept.blobs {
        let answer = admin.get(&format!("/v2/{REPOSITORY}/blobs/{}", blob.digest())).is(200);
        assert!(answer.body == blob.bytes, "a kept blob came back changed");
    }
    let left = blob_files(&server.data_folder().join("blobs"));
    assert_eq!(left, kept.blobs.len(), "the dropped image's files are gone");
    admin.push_image(REPOSITORY, "dropped", &dropped);
}

fn blob_files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    entries
        .map(|entry| entry.expect("the folder can be read").path())
        .map(|path| if path.is_dir() { blob_files(&path) } else { 1 })
        .sum()
}

#[test]
fn before_a_blob_is_unlinked() {
    dies_collecting("blob-before-unlink");
}

#[test]
fn after_a_blob_is_unlinked() {
    dies_collecting("blob-after-unlink");
}

#[test]
fn an_upload_goes_on_after_kill() {
    let mut server = start();
    let bytes = hythe_testbed::noise("resumed", 3 << 20);
    let digest = hythe_testbed::digest(&bytes);
    let (first, second) = bytes.split_at(2 << 20);
    let admin = server.admin();
    let location = admin.open_upload(REPOSITORY);
    let patched =
        admin.ask("PATCH", &location).body(hythe_testbed::http::Body::Whole(first.to_vec())).send().is(202);
    assert_eq!(patched.must("range"), format!("0-{}", first.len() - 1));
    server.kill();
    server.restart();
    let admin = server.admin();
    assert_eq!(admin.get(&location).is(204).must("range"), format!("0-{}", first.len() - 1));
    admin.close_upload(&location, &digest, second).is(201);
    assert!(admin.get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200).body == bytes);
}

/// A process that may only do what a file's mode allows its owner: most are no root, and root is no test of them.
fn by_modes(options: Options) -> Options {
    let through: &[&str] = if rustix::process::geteuid().is_root() {
        &["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    } else {
        &[]
    };
    Options { through: through.iter().map(|&word| word.to_owned()).collect(), ..options }
}

#[test]
fn an_upload_goes_on_after_a_kill_on_its_way_to_be_a_blob() {
    let mut server = Hythe::start(by_modes(Options::default()));
    server.create_project("lab", Visibility::Private);
    let bytes = hythe_testbed::noise("nearly placed", 3 << 20);
    let digest = hythe_testbed::digest(&bytes);
    let (first, second) = bytes.split_at(2 << 20);
    let location = server.admin().open_upload(REPOSITORY);
    let first = hythe_testbed::http::Body::Whole(first.to_vec());
    server.admin().ask("PATCH", &location).body(first).send().is(202);
    server.stop();
    server.restart_with(by_modes(armed("blob-before-rename", 1)));
    assert!(survives(|| server.admin().close_upload(&location, &digest, second)).is_none());
    server.wait_for_end();
    server.restart_with(by_modes(Options::default()));
    server.admin().get(&location).is(204);
    server.admin().close_upload(&location, &digest, second).is(201);
    assert!(server.admin().get(&format!("/v2/{REPOSITORY}/blobs/{digest}")).is(200).body == bytes);
}

#[test]
fn before_the_bytes_of_an_upload_are_removed() {
    let mut server = start();
    let bytes = hythe_testbed::noise("given up", 1 << 20);
    let location = server.admin().open_upload(REPOSITORY);
    let patch = server.admin().ask("PATCH", &location).body(hythe_testbed::http::Body::Whole(bytes));
    patch.send().is(202);
    server.stop();
    server.restart_with(armed("upload-before-unlink", 1));
    assert!(survives(|| server.admin().delete(&location)).is_none(), "the point is not passed");
    server.wait_for_end();
    server.restart_with(Options::default());
    // Given up it was, whatever became of the answer; the bytes are the collector's.
    server.admin().get(&location).is(404);
    let staged = || std::fs::read_dir(server.data_folder().join("uploads")).unwrap().count();
    assert!(staged() > 0, "the process died before the bytes went");
    let gc = Command::new(Hythe::binary()).args(["gc", "--data-dir"]).arg(server.data_folder()).output();
    assert!(gc.expect("the binary starts").status.success());
    assert_eq!(staged(), 0);
    server.stop();
    sound(&server);
}
