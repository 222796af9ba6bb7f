//! `-v` and `-vv`: each request is shown, and no secret is.

use std::fs;

use hythe_testbed::{Hythe, Options};

use crate::images::layout;
use crate::{admin_of, hythe, text};

#[test]
fn requests_are_shown_and_no_secret_is() {
    let server = Hythe::start(Options::default());
    let (name, password) = server.admin_login();
    admin_of(&server).run(&["project", "create", "lab"]).ok();
    let (_, folder) = layout("requests");
    let source = format!("oci:{}", text(&folder));
    let url = format!("http://{}", server.host());
    let person = hythe();
    let login = ["-vv", "login", "--server", &url, "--username", name, "--password-stdin"];
    let mut said = person.run_with(&login, password).ok().stderr;
    let kept = fs::read_to_string(person.home().join(".config/hythe/credentials.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    let mut secrets = vec![password.to_owned()];
    texts(&kept, &mut secrets);
    let refresh = secrets.iter().map(String::len).max().unwrap();
    assert!(refresh > password.len(), "there is no refresh token in {kept}");
    secrets.retain(|secret| secret.len() >= 8 && !secret.contains("://"));
    said.push_str(&person.run(&["push", &source, "lab/app:v1", "-vv"]).ok().stderr);
    said.push_str(
        &person.run(&["pull", "lab/app:v1", &format!("oci:{}-2", text(&folder)), "-vv"]).ok().stderr,
    );
    said.push_str(&person.run(&["push", &source, "lab/app:v2", "-v", "--log", "json"]).ok().stderr);
    for secret in &secrets {
        assert!(!said.contains(secret.as_str()), "a secret is in the log of requests:\n{said}");
    }
    // Access tokens are made on the way: they and every Basic credential would begin so.
    for beginning in ["eyJ", "Basic YWRtaW46"] {
        assert!(!said.contains(beginning), "{beginning}… is in the log of requests:\n{said}");
    }
    for words in [
        "HEAD http://",
        "/v2/lab/app/blobs/sha256:",
        "status=201",
        "request_id=",
        "ms=",
        "authorization: Bearer hidden",
        "\"status\":201",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    let quiet = person.run(&["digest", "lab/app:v1"]).ok().stderr;
    assert_eq!(quiet, "");
}

/// Every text in a document.
fn texts(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        serde_json::Value::Object(values) => values.values().for_each(|value| texts(value, found)),
        _ => {}
    }
}
