//! Rows L: pulling blobs, ranges included.

use hythe_testbed::{digest, noise};

use super::oci_image;
use crate::bench::{Bench, bench};

/// A repository with one blob of 2048 bytes, the blob's path and its bytes.
fn with_blob() -> (Bench, String, Vec<u8>) {
    let bench = bench();
    let bytes = noise(&bench.project, 2048);
    let digest = bench.admin.push_blob(&bench.repository, &bytes);
    let path = bench.path(&format!("blobs/{digest}"));
    (bench, path, bytes)
}

/// MUST. GET of a blob answers its exact bytes.
#[test]
fn l01_get() {
    let (bench, path, bytes) = with_blob();
    assert_eq!(bench.admin.get(&path).is(200).body, bytes);
}

/// MUST. HEAD of a blob answers its length without a body.
#[test]
fn l02_head() {
    let (bench, path, _) = with_blob();
    assert_eq!(bench.admin.head(&path).is(200).must("content-length"), "2048");
}

/// DEV. GET and HEAD of a blob name its digest in `Docker-Content-Digest`.
#[test]
fn l03_digest_header() {
    let (bench, path, bytes) = with_blob();
    for response in [bench.admin.get(&path), bench.admin.head(&path)] {
        assert_eq!(response.is(200).must("docker-content-digest"), digest(&bytes));
    }
}

/// MUST. A missing blob is a 404, for GET with the code `BLOB_UNKNOWN`.
#[test]
fn l04_missing() {
    let (bench, ..) = with_blob();
    let path = bench.path(&format!("blobs/{}", digest(b"never pushed")));
    bench.admin.get(&path).is(404).code("BLOB_UNKNOWN");
    bench.admin.head(&path).is(404);
}

/// MUST. A malformed digest on a blob path is a 400 or 404 with an OCI error body.
#[test]
fn l05_malformed_digest() {
    let (bench, ..) = with_blob();
    for bad in ["sha256:xyz", "sha256:", "nothing", "md5:d41d8cd98f00b204e9800998ecf8427e"] {
        bench.admin.get(&bench.path(&format!("blobs/{bad}"))).one_of(&[400, 404]).error();
    }
}

/// Asks for one range and checks the part it should give.
fn check_range(range: &str, first: usize, last: usize) {
    let (bench, path, bytes) = with_blob();
    let response = bench.admin.ask("GET", &path).header("Range", range).send().is(206);
    assert_eq!(response.must("content-range"), format!("bytes {first}-{last}/2048"));
    assert_eq!(response.must("content-length"), (last - first + 1).to_string());
    assert_eq!(response.body, bytes[first..=last]);
    // A range means something for GET alone (RFC 9110, section 14.2).
    let head = bench.admin.ask("HEAD", &path).header("Range", range).send().is(200);
    assert_eq!(head.must("content-length"), "2048");
}

/// SHOULD. A range inside the blob: 206 with its `Content-Range` and length.
#[test]
fn l06_range() {
    check_range("bytes=500-1499", 500, 1499);
}

/// SHOULD. An open-ended range: 206 up to the end.
#[test]
fn l07_open_range() {
    check_range("bytes=500-", 500, 2047);
}

/// SHOULD. A suffix range: 206 with the last bytes.
#[test]
fn l08_suffix_range() {
    check_range("bytes=-500", 1548, 2047);
}

/// SHOULD. A range that reaches past the end is cut at the end.
#[test]
fn l09_clamped_range() {
    check_range("bytes=2000-5000", 2000, 2047);
}

fn check_unsatisfiable(range: &str) {
    let (bench, path, _) = with_blob();
    let response = bench.admin.ask("GET", &path).header("Range", range).send().is(416);
    assert_eq!(response.must("content-range"), "bytes */2048");
    // The length is that of the answer itself: a proxy in between would else wait for the blob's.
    response.error();
}

/// SHOULD. A range beyond the end: 416 with the right length of its own body.
#[test]
fn l10_range_beyond() {
    check_unsatisfiable("bytes=5000-10000");
}

/// SHOULD. A range whose end lies before its start: 416.
#[test]
fn l11_reversed_range() {
    check_unsatisfiable("bytes=500-0");
}

/// QUIRK. Several ranges: 206 `multipart/byteranges` with each part (zstd:chunked pulls).
#[test]
fn l12_several_ranges() {
    let (bench, path, bytes) = with_blob();
    let response = bench.admin.ask("GET", &path).header("Range", "bytes=0-99,1000-1009, -5").send().is(206);
    let boundary = response
        .must("content-type")
        .strip_prefix("multipart/byteranges; boundary=")
        .unwrap_or_else(|| panic!("{response}"))
        .trim_matches('"')
        .to_owned();
    let mut rest = response.body.as_slice();
    for (first, last) in [(0, 99), (1000, 1009), (2043, 2047)] {
        let delimiter = format!("--{boundary}\r\n");
        let begin = find(rest, delimiter.as_bytes()) + delimiter.len();
        let head_end = begin + find(&rest[begin..], b"\r\n\r\n");
        let head = String::from_utf8_lossy(&rest[begin..head_end]).to_lowercase();
        assert!(head.contains(&format!("content-range: bytes {first}-{last}/2048")), "{head}");
        let body = &rest[head_end + 4..];
        assert_eq!(&body[..=last - first], &bytes[first..=last]);
        rest = &body[last - first + 1..];
    }
    assert!(rest.starts_with(format!("\r\n--{boundary}--").as_bytes()));
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).expect("the multipart form is complete")
}

/// QUIRK. A blob is never content-encoded, whatever `Accept-Encoding` says (containerd sends zstd, gzip).
#[test]
fn l13_no_content_encoding() {
    let bench = bench();
    let bytes = vec![b'a'; 64 * 1024];
    let digest = bench.admin.push_blob(&bench.repository, &bytes);
    let response = bench
        .admin
        .ask("GET", &bench.path(&format!("blobs/{digest}")))
        .header("Accept-Encoding", "zstd, gzip, deflate, br")
        .send()
        .is(200);
    assert_eq!(response.header("content-encoding"), None);
    assert_eq!(response.must("content-length"), bytes.len().to_string());
    assert_eq!(response.body, bytes);
}

/// QUIRK. A blob's answer says `Accept-Ranges: bytes` (oras resumes only then).
#[test]
fn l14_accept_ranges() {
    let (bench, path, _) = with_blob();
    assert_eq!(bench.admin.get(&path).must("accept-ranges"), "bytes");
    assert_eq!(bench.admin.head(&path).must("accept-ranges"), "bytes");
}

/// MUST. A blob of no bytes can be pushed, asked for (`Content-Length: 0`) and pulled.
#[test]
fn l15_empty_blob() {
    let bench = bench();
    let digest = bench.admin.push_blob(&bench.repository, b"");
    let path = bench.path(&format!("blobs/{digest}"));
    assert_eq!(bench.admin.head(&path).is(200).must("content-length"), "0");
    let response = bench.admin.get(&path).is(200);
    assert_eq!((response.must("content-length"), response.body.len()), ("0", 0));
}

/// QUIRK. A manifest's digest asked for as a blob is a 404, or 200 with its bytes.
#[test]
fn l16_manifest_as_blob() {
    let bench = bench();
    let image = oci_image("l16");
    bench.admin.push_image(&bench.repository, "latest", &image);
    let path = bench.path(&format!("blobs/{}", image.manifest.digest()));
    let response = bench.admin.get(&path).one_of(&[200, 404]);
    if response.status == 200 {
        assert_eq!(response.body, image.manifest.bytes);
    } else {
        response.code("BLOB_UNKNOWN");
    }
}
