//! Rows U, second half: chunks with `Content-Range`, in order and out of it.

use hythe_testbed::http::{Body, Response};
use hythe_testbed::{digest, location_path, noise};

use super::uploads::{check_blob, closing};
use crate::bench::{Bench, bench};

/// One PATCH of `bytes[first..=last]`, with its `Content-Range`.
fn chunk(bench: &Bench, location: &str, bytes: &[u8], first: usize, last: usize) -> Response {
    bench
        .admin
        .ask("PATCH", location)
        .header("Content-Type", "application/octet-stream")
        .header("Content-Range", &format!("{first}-{last}"))
        .body(Body::Whole(bytes[first..=last].to_vec()))
        .send()
}

/// A session that holds the first 1000 of 3000 bytes.
fn one_chunk_in(bench: &Bench) -> (String, Vec<u8>) {
    let bytes = noise(&bench.project, 3000);
    let location = bench.admin.open_upload(&bench.repository);
    let patched = chunk(bench, &location, &bytes, 0, 999).is(202);
    assert_eq!(patched.must("range"), "0-999");
    (location_path(&patched), bytes)
}

/// Insists that the session at `location` holds exactly 1000 bytes, and ends it well.
fn goes_on(bench: &Bench, location: &str, bytes: &[u8]) {
    let state = bench.admin.get(location).is(204);
    assert_eq!(state.must("range"), "0-999");
    let patched = chunk(bench, &location_path(&state), bytes, 1000, 2999).is(202);
    bench.admin.close_upload(&location_path(&patched), &digest(bytes), b"").is(201);
    check_blob(bench, &digest(bytes), bytes);
}

/// MUST. Three chunks with `Content-Range`, each 202 with `Location` and `Range`; then PUT 201.
#[test]
fn u09_chunks() {
    let bench = bench();
    let bytes = noise("u09", 3000);
    let mut location = bench.admin.open_upload(&bench.repository);
    for (first, last) in [(0, 999), (1000, 1999), (2000, 2999)] {
        let patched = chunk(&bench, &location, &bytes, first, last).is(202);
        assert_eq!(patched.must("range"), format!("0-{last}"));
        location = location_path(&patched);
    }
    bench.admin.close_upload(&location, &digest(&bytes), b"").is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// MUST. The last chunk may come with the PUT.
#[test]
fn u10_last_chunk_in_put() {
    let bench = bench();
    let (location, bytes) = one_chunk_in(&bench);
    bench
        .admin
        .ask("PUT", &closing(&location, &digest(&bytes)))
        .header("Content-Range", "1000-2999")
        .body(Body::Whole(bytes[1000..].to_vec()))
        .send()
        .is(201);
    check_blob(&bench, &digest(&bytes), &bytes);
}

/// MUST. A first chunk that does not begin at 0: 416.
#[test]
fn u11_first_chunk_not_at_zero() {
    let bench = bench();
    let bytes = noise("u11", 3000);
    let location = bench.admin.open_upload(&bench.repository);
    chunk(&bench, &location, &bytes, 1000, 1999).is(416);
    bench.admin.get(&location).is(204);
    chunk(&bench, &location, &bytes, 0, 999).is(202);
}

/// MUST. A repeated chunk: 416; the session then tells its `Range` and can go on.
#[test]
fn u12_repeated_chunk() {
    let bench = bench();
    let (location, bytes) = one_chunk_in(&bench);
    chunk(&bench, &location, &bytes, 0, 999).is(416);
    goes_on(&bench, &location, &bytes);
}

/// MUST. A last chunk out of order in the PUT: 416, and GET of that same URL is still 204.
#[test]
fn u13_out_of_order_put() {
    let bench = bench();
    let (location, bytes) = one_chunk_in(&bench);
    let closing = closing(&location, &digest(&bytes));
    bench
        .admin
        .ask("PUT", &closing)
        .header("Content-Range", "2000-2999")
        .body(Body::Whole(bytes[2000..].to_vec()))
        .send()
        .is(416);
    assert_eq!(bench.admin.get(&closing).is(204).must("range"), "0-999");
    goes_on(&bench, &location, &bytes);
}

/// QUIRK. A 416 carries `Location` and `Range` (regctl resumes from them without asking).
#[test]
fn u14_where_to_go_on() {
    let bench = bench();
    let (location, bytes) = one_chunk_in(&bench);
    let refused = chunk(&bench, &location, &bytes, 2000, 2999).is(416);
    assert_eq!(refused.must("range"), "0-999");
    refused.error();
    goes_on(&bench, &location_path(&refused), &bytes);
}

/// SHOULD. A `Content-Range` that disagrees with the body's length is refused and changes nothing.
#[test]
fn u19_length_disagrees() {
    let bench = bench();
    let (location, bytes) = one_chunk_in(&bench);
    for range in ["1000-1999", "1000-2998", "1000-999", "nonsense"] {
        bench
            .admin
            .ask("PATCH", &location)
            .header("Content-Range", range)
            .body(Body::Whole(bytes[1000..].to_vec()))
            .send()
            .refused()
            .error();
    }
    goes_on(&bench, &location, &bytes);
}
