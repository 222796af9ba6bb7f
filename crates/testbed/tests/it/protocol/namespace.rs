//! Rows N: the mirror parameter, the catalog, the extension list.

use super::oci_image;
use crate::bench::{bench, public_bench};

/// DEV. `?ns=` on a pull of a local image is no error (containerd sends it to mirrors).
#[test]
fn n01_mirror_parameter() {
    let bench = bench();
    let image = oci_image("n01");
    bench.admin.push_image(&bench.repository, "latest", &image);
    bench.admin.head(&bench.path("manifests/latest?ns=docker.io")).is(200);
    bench.admin.get(&bench.path("manifests/latest?ns=docker.io")).is(200);
    let blob = bench.path(&format!("blobs/{}?ns=docker.io", image.blobs[0].digest()));
    assert_eq!(bench.admin.get(&blob).is(200).body, image.blobs[0].bytes);
}

/// QUIRK. `_catalog` lists what the caller may see, in order, paged by `n`, `last` and `Link`.
#[test]
fn n02_catalog() {
    let (hidden, open) = (bench(), public_bench());
    let names: Vec<String> =
        ["a", "b", "c"].iter().map(|name| format!("{}/{name}", hidden.project)).collect();
    for name in &names {
        hidden.admin.push_image(name, "latest", &oci_image(name));
    }
    open.admin.push_image(&open.repository, "latest", &oci_image("n02 open"));
    // `project/` sorts before every repository of the project, and `project0` after.
    let page = hidden.admin.get(&format!("/v2/_catalog?n=2&last={}/", hidden.project)).is(200);
    assert_eq!(page.json()["repositories"], serde_json::json!(names[..2]));
    assert!(page.must("link").contains("_catalog?"), "{page}");
    let rest = hidden.admin.get(&format!("/v2/_catalog?n=1&last={}", names[1])).is(200);
    assert_eq!(rest.json()["repositories"], serde_json::json!(names[2..]));

    let stranger = hidden.stranger();
    let all = stranger.actor.get("/v2/_catalog?n=10000").is(200).json();
    let seen: Vec<&str> =
        all["repositories"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(seen.contains(&open.repository.as_str()));
    assert!(!seen.iter().any(|name| names.iter().any(|hidden| hidden == name)));
}

/// MAY. The list of extensions: 200 with `extensions`, or 404.
#[test]
fn n03_extensions() {
    let response = bench().admin.get("/v2/_oci/ext/discover").one_of(&[200, 404]);
    if response.status == 200 {
        assert!(response.json()["extensions"].is_array(), "{response}");
    } else {
        response.error();
    }
}
