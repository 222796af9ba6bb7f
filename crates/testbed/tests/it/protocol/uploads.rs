//! Rows U, first half: upload sessions, monolithic and streamed, cut connections, sha512.

use std::time::{Duration, Instant};

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{Content, digest, location_path, noise};

use crate::bench::{Bench, bench};

/// Adds the closing `digest` parameter to a session's path.
pub(super) fn closing(location: &str, digest: &str) -> String {
    let join = if location.contains('?') { '&' } else { '?' };
    format!("{location}{join}digest={digest}")
}

/// One PATCH that sends `bytes` as a stream.
pub(super) fn stream(bench: &Bench, location: &str, bytes: &[u8]) -> Response {
    bench.admin.ask("PATCH", location).body(Body::Whole(bytes.to_vec())).send()
}

/// Insists that the blob is there, byte for byte.
#[track_caller]
pub(super) fn check_blob(bench: &Bench, digest: &str, bytes: &[u8]) {
    assert_eq!(bench.admin.get(&bench.path(&format!("blobs/{digest}"))).is(200).body, bytes);
}

/// MUST. POST opens a session: 202 with a `Location`, another one each time.
#[test]
fn u01_open() {
    let bench = bench();
    assert_ne!(bench.admin.open_upload(&bench.repository), bench.admin.open_upload(&bench.repository));
}

/// MUST. PUT with `?digest=` after POST: 201, and the blob can be pulled from its `Location`.
#[test]
fn u02_post_put() {
    let bench = bench();
    let bytes = noise("u02", 70_000);
    let location = bench.admin.open_upload(&bench.repository);
    let placed = bench.admin.close_upload(&location, &digest(&bytes), &bytes).is(201);
    assert_eq!(placed.must("docker-content-digest"), digest(&bytes));
    assert_eq!(bench.admin.get(&location_path(&placed)).is(200).body, bytes);
}

/// SHOULD. PUT with the digest of other bytes: 400 `DIGEST_INVALID`, and nothing is stored under either.
#[test]
fn u03_wrong_digest() {
    let bench = bench();
    let (claimed, sent) = (digest(b"claimed"), b"sent".as_slice());
    let location = bench.admin.open_upload(&bench.repository);
    bench.admin.close_upload(&location, &claimed, sent).is(400).code("DIGEST_INVALID");
    for absent in [claimed, digest(sent)] {
        bench.admin.head(&bench.path(&format!("blobs/{absent}"))).is(404);
    }
}

/// SHOULD. PUT with a malformed, a missing or an unsupported digest: 400.
#[test]
fn u04_bad_digest() {
    let bench = bench();
    for bad in ["sha256:xyz", "nothing", "md5:d41d8cd98f00b204e9800998ecf8427e", ""] {
        let location = bench.admin.open_upload(&bench.repository);
        bench.admin.close_upload(&location, bad, b"").is(400).code("DIGEST_INVALID");
    }
    let location = bench.admin.open_upload(&bench.repository);
    bench.admin.ask("PUT", &location).send().is(400).code("DIGEST_INVALID");
}

/// MAY. A single POST with digest and body: 201.
#[test]
fn u05_single_post() {
    let bench = bench();
    let bytes = noise("u05", 3000);
    let placed = single_post(&bench, &digest(&bytes), &bytes).is(201);
    assert_eq!(bench.admin.get(&location_path(&placed)).is(200).body, bytes);
}

/// SHOULD. A single POST with the digest of other bytes: 400, and nothing is stored.
#[test]
fn u06_single_post_wrong_digest() {
    let bench = bench();
    single_post(&bench, &digest(b"claimed"), b"sent").is(400).code("DIGEST_INVALID");
    bench.admin.head(&bench.path(&format!("blobs/{}", digest(b"claimed")))).is(404);
}

fn single_post(bench: &Bench, digest: &str, bytes: &[u8]) -> Response {
    bench
        .admin
        .ask("POST", &bench.path(&format!("blobs/uploads/?digest={digest}")))
        .header("Content-Type", "application/octet-stream")
        .body(Body::Whole(bytes.to_vec()))
        .send()
}

/// MUST. One PATCH without `Content-Range`: 202 with `Location` and `Range: 0-<last>`; an empty PUT ends it.
#[test]
fn u07_stream() {
    let bench = bench();
    let bytes = noise("u07", 300_000);
    let location = bench.admin.open_upload(&bench.repository);
    let patched = stream(&bench, &location, &bytes).is(202);
    assert_eq!(patched.must("range"), "0-299999");
    bench.admin.close_upload(&location_path(&patched), &digest(&bytes), b"").is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// QUIRK. A chunked PATCH without length and type (docker); docker's HEAD right after the PUT finds the blob.
#[test]
fn u08_chunked_transfer() {
    let bench = bench();
    let bytes = noise("u08", 200_001);
    let location = bench.admin.open_upload(&bench.repository);
    let chunks = bytes.chunks(32 * 1024).map(<[u8]>::to_vec).collect();
    let patched = bench.admin.ask("PATCH", &location).body(Body::Chunked(chunks)).send().is(202);
    assert_eq!(patched.must("range"), "0-200000");
    bench.admin.close_upload(&location_path(&patched), &digest(&bytes), b"").is(201);
    bench.admin.head(&bench.path(&format!("blobs/{}", digest(&bytes)))).is(200);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// MUST. GET of a fresh session: 204 with `Location` and a `Range` that begins at 0.
#[test]
fn u15_fresh_session() {
    let bench = bench();
    let location = bench.admin.open_upload(&bench.repository);
    let response = bench.admin.get(&location).is(204);
    assert!(response.must("range").starts_with("0-"), "{response}");
    bench.admin.get(&location_path(&response)).is(204);
}

/// MUST. An unknown session: GET, PATCH, PUT and DELETE are a 404 with `BLOB_UPLOAD_UNKNOWN`.
#[test]
fn u16_unknown_session() {
    let bench = bench();
    for id in ["00000000000000000000000000000000", "nonsense"] {
        let location = bench.path(&format!("blobs/uploads/{id}"));
        bench.admin.get(&location).is(404).code("BLOB_UPLOAD_UNKNOWN");
        stream(&bench, &location, b"x").is(404).code("BLOB_UPLOAD_UNKNOWN");
        bench.admin.close_upload(&location, &digest(b"x"), b"x").is(404).code("BLOB_UPLOAD_UNKNOWN");
        bench.admin.delete(&location).is(404).code("BLOB_UPLOAD_UNKNOWN");
    }
}

/// DEV. DELETE of a session: 204, and the session is gone.
#[test]
fn u17_cancel() {
    let bench = bench();
    let location = bench.admin.open_upload(&bench.repository);
    stream(&bench, &location, b"some bytes").is(202);
    bench.admin.delete(&location).is(204);
    bench.admin.get(&location).is(404);
    bench.admin.close_upload(&location, &digest(b"some bytes"), b"").is(404);
}

/// MUST. A session cannot be used through another repository's path.
#[test]
fn u18_bound_to_repository() {
    let bench = bench();
    let location = bench.admin.open_upload(&bench.repository);
    let elsewhere = location.replace(&bench.repository, &format!("{}/other", bench.project));
    assert_ne!(location, elsewhere);
    bench.admin.get(&elsewhere).is(404);
    stream(&bench, &elsewhere, b"x").is(404);
    bench.admin.close_upload(&elsewhere, &digest(b"x"), b"x").is(404);
    bench.admin.delete(&elsewhere).is(404);
    bench.admin.get(&location).is(204);
}

/// Cuts a PATCH of `bytes` after `sent` and waits until the session reports `expected` bytes.
fn cut_after(bench: &Bench, bytes: &[u8], sent: usize, expected: usize) -> String {
    let location = bench.admin.open_upload(&bench.repository);
    let body = Body::Cut { announced: bytes.len(), sent: bytes[..sent].to_vec() };
    bench.admin.ask("PATCH", &location).body(body).cut();
    let begin = Instant::now();
    loop {
        let response = bench.admin.get(&location);
        let range = response.header("range").unwrap_or_default().to_owned();
        if response.status == 204 && range == format!("0-{}", expected - 1) {
            return location;
        }
        assert!(begin.elapsed() < Duration::from_secs(10), "should have {expected} bytes: {response}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// MUST. After a cut connection the session lives, and an upload from the reported `Range` on ends well.
#[test]
fn u20_resume_after_cut() {
    let bench = bench();
    let bytes = noise("u20", 900_000);
    let location = cut_after(&bench, &bytes, 400_000, 400_000);
    let patched = bench
        .admin
        .ask("PATCH", &location)
        .header("Content-Range", "400000-899999")
        .body(Body::Whole(bytes[400_000..].to_vec()))
        .send()
        .is(202);
    bench.admin.close_upload(&location_path(&patched), &digest(&bytes), b"").is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// QUIRK. What arrived before the cut is kept, to the last byte (resumed pushes of big layers).
#[test]
fn u26_bytes_before_the_cut() {
    let bench = bench();
    let bytes = noise("u26", 3_000_000);
    let location = cut_after(&bench, &bytes, 2_500_001, 2_500_001);
    bench.admin.close_upload(&location, &digest(&bytes), &bytes[2_500_001..]).is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

fn sha512(bytes: &[u8]) -> String {
    Content { media_type: String::new(), bytes: bytes.to_vec() }.sha512()
}

/// SHOULD. sha512 blobs: POST and PUT 201, HEAD and GET by that digest.
#[test]
fn u21_sha512() {
    let bench = bench();
    let bytes = noise("u21", 5000);
    let location = bench.admin.open_upload(&bench.repository);
    let placed = bench.admin.close_upload(&location, &sha512(&bytes), &bytes).is(201);
    assert_eq!(placed.must("docker-content-digest"), sha512(&bytes));
    let head = bench.admin.head(&bench.path(&format!("blobs/{}", sha512(&bytes)))).is(200);
    assert_eq!(head.must("docker-content-digest"), sha512(&bytes));
    check_blob(&bench, &sha512(&bytes), &bytes);
}

/// DEV. `POST ?digest-algorithm=sha512`, chunks, and a PUT with the sha512 digest.
#[test]
fn u22_digest_algorithm() {
    let bench = bench();
    let bytes = noise("u22", 6000);
    let opened = bench.admin.post(&bench.path("blobs/uploads/?digest-algorithm=sha512")).is(202);
    let first = stream(&bench, &location_path(&opened), &bytes[..2500]).is(202);
    let second = stream(&bench, &location_path(&first), &bytes[2500..]).is(202);
    bench.admin.close_upload(&location_path(&second), &sha512(&bytes), b"").is(201);
    check_blob(&bench, &sha512(&bytes), &bytes);
    bench.admin.post(&bench.path("blobs/uploads/?digest-algorithm=crc32")).is(400).error();
}

/// MAY. `OCI-Chunk-Min-Length`, if it is sent, is a whole number.
#[test]
fn u23_chunk_min_length() {
    let bench = bench();
    let opened = bench.admin.post(&bench.path("blobs/uploads/")).is(202);
    let minimum = opened.header("oci-chunk-min-length").unwrap_or("0");
    assert!(minimum.parse::<u64>().is_ok(), "{opened}");
}

/// MUST. Eight uploads of the same blob at once all end with 201.
#[test]
fn u24_eight_at_once() {
    let bench = bench();
    let bytes = noise("u24", 500_000);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let location = bench.admin.open_upload(&bench.repository);
                let patched = stream(&bench, &location, &bytes).is(202);
                bench.admin.close_upload(&location_path(&patched), &digest(&bytes), b"").is(201);
            });
        }
    });
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// QUIRK. `Expect: 100-continue` on a PUT is honoured (curl, Go clients).
#[test]
fn u25_expect_continue() {
    let bench = bench();
    let bytes = noise("u25", 40_000);
    let location = bench.admin.open_upload(&bench.repository);
    let placed = bench
        .admin
        .ask("PUT", &closing(&location, &digest(&bytes)))
        .body(Body::Expect(bytes.clone()))
        .send()
        .is(201);
    assert_eq!(placed.interim, [100]);
    check_blob(&bench, &digest(&bytes), &bytes);
}
