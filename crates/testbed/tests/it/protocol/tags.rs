//! Rows T: listing tags.

use hythe_testbed::http::Response;

use super::oci_image;
use crate::bench::{Bench, bench};

/// A repository whose tags are `names`, pushed in that order.
fn with_tags(names: &[&str]) -> Bench {
    let bench = bench();
    let image = oci_image(&bench.project);
    bench.admin.push_image(&bench.repository, names[0], &image);
    for name in names {
        bench.admin.put_manifest(&bench.repository, name, &image.manifest).is(201);
    }
    bench
}

const SIX: &[&str] = &["v1", "latest", "b", "a", "v10", "v2"];
const SIX_IN_ORDER: &[&str] = &["a", "b", "latest", "v1", "v10", "v2"];

fn list(bench: &Bench, query: &str) -> Response {
    bench.admin.get(&bench.path(&format!("tags/list{query}"))).is(200)
}

fn tags(response: &Response) -> Vec<String> {
    let json = response.json();
    json["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

/// The path and query that a `Link` header names as the next page.
fn next(response: &Response) -> Option<String> {
    let link = response.header("link")?;
    let target = link.strip_prefix('<')?.split_once('>')?;
    assert!(target.1.contains("rel=\"next\"") || target.1.contains("rel=next"), "{link}");
    Some(target.0.find("/v2/").map_or(target.0, |at| &target.0[at..]).to_owned())
}

/// MUST. The list names its repository and every tag.
#[test]
fn t01_list() {
    let bench = with_tags(SIX);
    let response = list(&bench, "");
    assert_eq!(response.json()["name"], bench.repository);
    let mut listed = tags(&response);
    listed.sort();
    assert_eq!(listed, SIX_IN_ORDER);
}

/// MUST. Tags come in lexical order.
#[test]
fn t02_order() {
    assert_eq!(tags(&list(&with_tags(SIX), "")), SIX_IN_ORDER);
    let mixed = tags(&list(&with_tags(&["b", "A", "a", "B", "_", "0"]), ""));
    let mut ascii = mixed.clone();
    ascii.sort();
    let mut blind = mixed.clone();
    blind.sort_by_key(|tag| tag.to_lowercase());
    assert!(mixed == ascii || mixed == blind, "{mixed:?}");
}

/// MUST. `n=3` gives the first three tags and a `Link` to the rest.
#[test]
fn t03_page_size() {
    let response = list(&with_tags(SIX), "?n=3");
    assert_eq!(tags(&response), SIX_IN_ORDER[..3]);
    assert!(next(&response).is_some(), "{response}");
}

/// SHOULD. The `Link`s walk the whole list once, each tag once, and the last page has none.
#[test]
fn t04_walk() {
    let bench = with_tags(SIX);
    for size in [1, 2, 4, 5, 6] {
        let mut seen = Vec::new();
        let mut page = list(&bench, &format!("?n={size}"));
        loop {
            let here = tags(&page);
            assert!(here.len() <= size);
            seen.extend(here);
            let Some(target) = next(&page) else { break };
            page = bench.admin.get(&target).is(200);
        }
        assert_eq!(seen, SIX_IN_ORDER, "pages of {size}");
    }
}

/// MUST. `n=0` gives an empty list and no `Link`.
#[test]
fn t05_nothing_asked() {
    let response = list(&with_tags(SIX), "?n=0");
    assert!(tags(&response).is_empty());
    assert_eq!(response.header("link"), None);
}

/// MUST. `last` alone gives only what follows it.
#[test]
fn t06_after() {
    assert_eq!(tags(&list(&with_tags(SIX), "?last=latest")), SIX_IN_ORDER[3..]);
}

/// MUST. `n` and `last` together give that many after it.
#[test]
fn t07_page_after() {
    let response = list(&with_tags(SIX), "?n=2&last=b");
    assert_eq!(tags(&response), SIX_IN_ORDER[2..4]);
    assert!(next(&response).is_some());
}

/// SHOULD. A `last` that names no tag still marks a place in the order.
#[test]
fn t08_after_an_absent_tag() {
    assert_eq!(tags(&list(&with_tags(SIX), "?last=m")), SIX_IN_ORDER[3..]);
    assert!(tags(&list(&with_tags(SIX), "?last=zzz")).is_empty());
}

/// MUST. The tags of a repository that does not exist: 404 `NAME_UNKNOWN`.
#[test]
fn t09_missing_repository() {
    let bench = bench();
    bench.admin.get(&bench.path("tags/list")).is(404).code("NAME_UNKNOWN");
    bench.admin.get("/v2/no-such-project/repo/tags/list").is(404).code("NAME_UNKNOWN");
}

/// QUIRK. `n=-1` and `n=abc` are a 400; an `n` beyond the list gives every tag.
#[test]
fn t10_odd_sizes() {
    let bench = with_tags(SIX);
    for bad in ["-1", "abc", "1.5", ""] {
        let response = bench.admin.get(&bench.path(&format!("tags/list?n={bad}"))).is(400);
        response.code("PAGINATION_NUMBER_INVALID");
    }
    for large in ["100", "1000000", "4294967296"] {
        let response = list(&bench, &format!("?n={large}"));
        assert_eq!(tags(&response), SIX_IN_ORDER);
        assert_eq!(response.header("link"), None);
    }
}

/// QUIRK. A repository with blobs or untagged manifests only: 200 with an empty list.
#[test]
fn t11_no_tags() {
    let bench = bench();
    let image = oci_image("t11");
    bench.admin.push_image(&bench.repository, &image.manifest.digest(), &image);
    assert!(tags(&list(&bench, "")).is_empty());
    let blobs_only = format!("{}/blobs-only", bench.project);
    bench.admin.push_blob(&blobs_only, b"a blob of t11");
    let response = bench.admin.get(&format!("/v2/{blobs_only}/tags/list")).is(200);
    assert!(tags(&response).is_empty());
}
