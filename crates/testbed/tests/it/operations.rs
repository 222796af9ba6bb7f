//! What the documentation for operators names exists: every metric of `docs/operations.md`, of the table of limits
//! and of the dashboard is one that a running server shows.

use std::collections::BTreeSet;
use std::path::Path;

use hythe_testbed::http::Connection;
use hythe_testbed::{Family, Hythe, Options, Packing, Visibility, image};
use serde_json::Value;

fn document(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name)).unwrap()
}

/// The words of a text that are names of metrics.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.filter(|word| ["hythe_", "process_"].iter().any(|prefix| word.starts_with(prefix)));
    named.map(ToOwned::to_owned).collect()
}

/// The names of all series of a server that has done a little of everything.
fn shown() -> BTreeSet<String> {
    let server = Hythe::start(Options::default());
    server.create_project("lab", Visibility::Private);
    server.admin().push_image("lab/app", "v1", &image(Family::Oci, Packing::Gzip, "numbers", "amd64"));
    server.admin().get("/v2/lab/app/manifests/v1").is(200);
    let text = String::from_utf8(server.anonymous().get("/metrics").is(200).body).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    for name in ["lab", "app", "admin\""] {
        assert!(!text.contains(&format!("\"{name}")), "a private name became a label: {text}");
    }
    let series = text.lines().filter(|line| !line.starts_with('#'));
    series.filter_map(|line| line.split(['{', ' ']).next()).map(ToOwned::to_owned).collect()
}

#[test]
fn every_metric_that_is_named_exists() {
    let shown = shown();
    let dashboard = document("grafana-dashboard.json");
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let mut named = BTreeSet::new();
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let used = metrics_in(target["expr"].as_str().unwrap());
            assert!(!used.is_empty(), "{panel}");
            named.extend(used);
        }
    }
    assert!(panels.len() >= 10 && named.len() >= 20, "{named:?}");
    let operations = document("operations.md");
    named.extend(metrics_in(&operations).into_iter().filter(|name| !name.starts_with("hythe_registry")));
    let configuration = document("configuration.md");
    let (_, limits) = configuration.split_once("## Limits").unwrap();
    let (limits, _) = limits.split_once("\n## ").unwrap();
    named.extend(metrics_in(limits));
    let missing: Vec<_> = named.difference(&shown).collect();
    assert!(missing.is_empty(), "{missing:?} are named, and not among {shown:#?}");
}

#[test]
fn metrics_may_have_a_listener_of_their_own() {
    // A free port, given back a moment before the server takes it.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let environment = vec![("HYTHE_METRICS_LISTEN".to_owned(), free.to_string())];
    let server = Hythe::start(Options { environment, ..Options::default() });
    server.anonymous().get("/metrics").is(404);
    let apart = hythe_testbed::Actor::anonymous(free);
    let text = String::from_utf8(apart.get("/metrics").is(200).body).unwrap();
    assert!(text.contains("hythe_build_info{version="), "{text}");
    apart.get("/healthz").is(200);
    // Nothing else is served there.
    apart.get("/v2/").is(404);
    apart.get("/api/v1/projects").is(404);
    drop(Connection::open(free));
}
