//! Both official conformance suites of the OCI distribution specification, signed in, against a started
//! server.
//!
//! Invariant: zero failures, and every skip is named: the set of skipped tests is exactly the list in
//! `expected-skips.txt`, so neither a new skip nor a silent end of one goes unseen.

mod junit;

use std::collections::BTreeSet;
use std::path::Path;

use hythe_testbed::{Hythe, Options, Outcome, Tool, Visibility, run_folder, tools};

use junit::{Report, Verdict};

const EXPECTED_SKIPS: &str = include_str!("conformance/expected-skips.txt");

/// The skips that are expected of one suite: the lines after its `[name]`.
fn expected(suite: &str) -> BTreeSet<String> {
    let mut here = false;
    let mut names = BTreeSet::new();
    for line in
        EXPECTED_SKIPS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            here = name == suite;
        } else if here {
            names.insert(line.to_owned());
        }
    }
    names
}

/// A server of its own with one project, so that the suite sees repositories nobody has touched.
fn server() -> Hythe {
    let server = Hythe::start(Options::default());
    server.create_project("conformance", Visibility::Private);
    server
}

/// Judges a finished suite by its report, and leaves the summary where `./test` prints it.
///
/// `switched_off` are the parts the suite itself says it did not run, beside its skipped test cases.
fn judge(suite: &str, outcome: &Outcome, report: &Path, switched_off: Vec<String>) {
    let xml = std::fs::read_to_string(report)
        .unwrap_or_else(|error| panic!("the suite wrote no {}: {error}\n{outcome}", report.display()));
    let report = Report::parse(&xml);
    let count = |wanted: Verdict| report.cases.iter().filter(|case| case.verdict == wanted).count();
    let skipped = report.cases.iter().filter(|case| case.verdict == Verdict::Skipped);
    let skipped: BTreeSet<String> = skipped.map(|case| case.name.clone()).chain(switched_off).collect();
    let summary = format!(
        "conformance {suite}: {} passed, {} failed, {} skipped\n",
        count(Verdict::Passed),
        count(Verdict::Failed),
        skipped.len()
    );
    let told: String = skipped.iter().map(|name| format!("    skipped: {name}\n")).collect();
    std::fs::write(run_folder::path().join(format!("conformance-{suite}")), summary + &told).unwrap();

    let failed: Vec<String> = report
        .cases
        .iter()
        .filter(|case| case.verdict == Verdict::Failed)
        .map(|case| format!("{}: {}", case.name, case.message))
        .collect();
    assert!(failed.is_empty(), "the suite {suite} failed:\n{}\n{outcome}", failed.join("\n"));
    assert!(count(Verdict::Passed) > 20, "the suite {suite} hardly ran: {outcome}");
    assert_eq!(skipped, expected(suite), "the suite {suite} skipped other tests than expected");
    assert!(outcome.succeeded(), "{outcome}");
}

fn signed_in(tool: Tool, server: &Hythe) -> Tool {
    let (name, password) = server.admin_login();
    tool.env("OCI_USERNAME", name).env("OCI_PASSWORD", password)
}

/// Version 1.1.1 of the suite.
#[test]
fn suite_1_1() {
    let Some(suite) = tools::go("conformance-1.1") else { return };
    let server = server();
    let results = run_folder::fresh("conformance-1.1-results");
    let mut suite = signed_in(suite, &server)
        .env("OCI_ROOT_URL", format!("http://{}", server.host()))
        .env("OCI_NAMESPACE", "conformance/one")
        .env("OCI_CROSSMOUNT_NAMESPACE", "conformance/two")
        .env("OCI_AUTOMATIC_CROSSMOUNT", "1")
        .env("OCI_REPORT_DIR", &results);
    for part in ["PULL", "PUSH", "CONTENT_DISCOVERY", "CONTENT_MANAGEMENT"] {
        suite = suite.env(format!("OCI_TEST_{part}"), "1");
    }
    let outcome = suite.run::<&str>(&[]);
    judge("1.1", &outcome, &results.join("junit.xml"), Vec::new());
}

/// The current suite at the level of the specification's main branch.
#[test]
fn suite_dev() {
    let Some(suite) = tools::go("conformance-dev") else { return };
    let server = server();
    let results = run_folder::fresh("conformance-dev-results");
    let suite = signed_in(suite, &server)
        .env("OCI_VERSION", "dev")
        .env("OCI_REGISTRY", server.host())
        .env("OCI_TLS", "disabled")
        .env("OCI_REPO1", "conformance/one")
        .env("OCI_REPO2", "conformance/two")
        .env("OCI_RESULTS_DIR", &results);
    let outcome = suite.run::<&str>(&[]);
    let summary = std::fs::read_to_string(results.join("results.yaml")).unwrap();
    let off = summary.lines().filter_map(|line| {
        let (name, verdict) = line.trim().split_once(": ")?;
        ["Disabled", "Skip"].contains(&verdict).then(|| name.to_owned())
    });
    judge("dev", &outcome, &results.join("junit.xml"), off.collect());
}
