//! `hythe config`, the layers, and the words of mistakes.

use std::fs;
use std::path::PathBuf;

use hythe_testbed::Tool;

use crate::{exits, hythe, json, text};

fn file(tool: &Tool, content: &str) -> PathBuf {
    let path = tool.home().join("hythe.toml");
    fs::write(&path, content).expect("the home is writable");
    path
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_and_the_place() {
    let tool = hythe();
    let path = file(&tool, "data_dir = \"/srv\"\n\n[uploads]\nexpire_hour = 3\n");
    for arguments in [
        vec!["config", "check", text(&path)],
        vec!["serve", "--config", text(&path)],
        vec!["gc", "--config", text(&path)],
    ] {
        exits(tool.run(&arguments), 2)
            .says("hythe.toml, line 4")
            .says("`uploads.expire_hour` is not known; did you mean `uploads.expire_hours`?")
            .says("hint:");
    }
}

#[test]
fn the_example_is_a_valid_configuration_of_the_defaults() {
    let tool = hythe();
    let path = file(&tool, &tool.run(&["config", "example"]).ok().stdout);
    tool.run(&["config", "check", text(&path)]).ok().says("is a valid configuration");

    let defaults = json(&tool.run(&["config", "print", "--output", "json"]).ok());
    let example = json(&tool.run(&["config", "print", "--output", "json", "--config", text(&path)]).ok());
    let values = |settings: &serde_json::Value| -> Vec<(String, String)> {
        let settings = settings.as_array().unwrap().iter();
        settings
            .map(|s| (s["key"].as_str().unwrap().to_owned(), s["value"].as_str().unwrap().to_owned()))
            .collect()
    };
    assert_eq!(values(&defaults), values(&example));
    assert!(values(&defaults).len() > 15, "{defaults}");
}

#[test]
fn defaults_file_environment_and_flags_win_in_this_order() {
    let tool = hythe();
    let path =
        file(&tool, "data_dir = \"/from-file\"\nlisten = \"127.0.0.1:1\"\n[tokens]\naccess_minutes = 7\n");
    let tool = tool.env("HYTHE_CONFIG", text(&path)).env("HYTHE_DATA_DIR", "/from-environment");
    let print = |tool: &Tool, arguments: &[&str]| -> Vec<(String, String, String)> {
        let mut line = vec!["config", "print", "--output", "json"];
        line.extend(arguments);
        let settings = json(&tool.run(&line).ok());
        let field = |s: &serde_json::Value, name: &str| s[name].as_str().unwrap().to_owned();
        settings
            .as_array()
            .unwrap()
            .iter()
            .map(|s| (field(s, "key"), field(s, "value"), field(s, "from")))
            .collect()
    };
    let is = |settings: &[(String, String, String)], key: &str, value: &str, from: &str| {
        let found = settings.iter().find(|(k, ..)| k == key).unwrap();
        assert_eq!((found.1.as_str(), found.2.as_str()), (value, from), "{key}");
    };
    let in_file = format!("file {}", path.display());
    let settings = print(&tool, &[]);
    is(&settings, "log.level", "info", "default");
    is(&settings, "listen", "127.0.0.1:1", &in_file);
    is(&settings, "tokens.access_minutes", "7", &in_file);
    is(&settings, "data_dir", "/from-environment", "environment HYTHE_DATA_DIR");
    let settings = print(&tool, &["--data-dir", "/from-flag"]);
    is(&settings, "data_dir", "/from-flag", "flag --data-dir");
}

#[test]
fn secrets_are_not_printed() {
    let outcome = hythe().env("HYTHE_ADMIN_PASSWORD", "swordfish-swordfish").run(&["config", "print"]).ok();
    assert!(!format!("{}{}", outcome.stdout, outcome.stderr).contains("swordfish"), "{outcome}");
    outcome.says("(hidden)");
}

#[test]
fn a_misspelt_variable_is_a_warning_and_a_wrong_value_a_refusal() {
    let tool = hythe();
    tool.clone()
        .env("HYTHE_TLS_CRT", "x")
        .run(&["config", "print"])
        .ok()
        .says("nearest known one is HYTHE_TLS_CERT");
    exits(tool.clone().env("HYTHE_TOKENS_ACCESS_MINUTES", "soon").run(&["config", "print"]), 2)
        .says("environment HYTHE_TOKENS_ACCESS_MINUTES: the value of `tokens.access_minutes` does not fit");
    exits(tool.run(&["serve", "--listen", "nowhere"]), 2)
        .says("flag --listen: the value of `listen` does not fit");
}

#[test]
fn wrong_usage_exits_2_and_help_is_data() {
    let tool = hythe();
    exits(tool.run(&["serve", "--no-such-flag"]), 2).says("--no-such-flag");
    let help = tool.run(&["--help"]).ok();
    assert!(help.stdout.contains("quickstart") && help.stderr.is_empty(), "{help}");
    let script = tool.run(&["completions", "bash"]).ok();
    assert!(script.stdout.contains("_hythe"), "{script}");
    let version = json(&tool.run(&["version", "--output", "json"]).ok());
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let line = format!("{} config example | true; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_hythe"));
    let outcome = Tool::new("bash").run(&["-c", &line]).ok();
    assert_eq!(outcome.stdout.trim(), "0", "{outcome}");
}
