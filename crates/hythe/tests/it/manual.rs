//! Manual pages, read by the program that shows them.

use std::fs;

use hythe_testbed::Tool;
use hythe_testbed::run_folder::{self, Source};

use crate::{hythe, json, text};

/// A page as it is shown, in one line of words.
fn shown(viewer: &Tool, page: &std::path::Path, groff: bool) -> String {
    let arguments: &[&str] = if groff { &["-man", "-Tutf8", "-P-cbou"] } else { &["-Tutf8", "-Owidth=200"] };
    let outcome = viewer.run(&[arguments, &[text(page)]].concat()).ok();
    // Bold letters are struck twice.
    let mut letters = Vec::new();
    for letter in outcome.stdout.chars() {
        if letter == '\u{8}' {
            letters.pop();
        } else {
            letters.push(letter);
        }
    }
    letters.into_iter().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_command_has_a_page_that_is_shown() {
    let tool = hythe();
    let folder = tool.home().join("man1");
    let told = json(&tool.run(&["manual", "--to", text(&folder), "--output", "json"]).ok());
    let pages: Vec<_> =
        told["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap().to_owned()).collect();
    for page in ["hythe.1", "hythe-push.1", "hythe-doctor.1", "hythe-project-member-add.1"] {
        assert!(pages.iter().any(|found| found == page), "{page} is not in {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("complete.") || page.contains("help")), "{pages:?}");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), pages.len());

    // `mandoc` finds faults; `groff` is on more machines.
    let present = |program: &str| Tool::new("sh").run(&["-c", &format!("command -v {program}")]).succeeded();
    let (viewer, groff) = match (present("mandoc"), present("groff")) {
        (true, _) => (Tool::new("mandoc"), false),
        (false, true) => (Tool::new("groff"), true),
        (false, false) => {
            return run_folder::not_run("manual", Source::Debian, "neither mandoc nor groff is installed");
        }
    };
    for page in &pages {
        let path = folder.join(page);
        if !groff {
            let lint = viewer.run(&["-Tlint", "-Werror", text(&path)]).ok();
            assert_eq!(lint.stdout, "", "{page}: {lint}");
        }
        let shown = shown(&viewer, &path, groff);
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "SEE ALSO"] {
            assert!(shown.contains(section), "{page} has no {section}: {shown}");
        }
        assert!(shown.contains("Hythe Manual"), "{page}: {shown}");
    }
    let whole = shown(&viewer, &folder.join("hythe.1"), groff);
    for words in [
        "9 The image is not ready, and the time to wait is over.",
        "HYTHE_PASSWORD Your password",
        "$XDG_CONFIG_HOME/hythe/credentials.json Logins, readable by you alone.",
        "hythe-push(1)",
        "Try everything in a minute: hythe quickstart",
    ] {
        assert!(whole.contains(words), "hythe.1 should say {words:?}: {whole}");
    }
    let push = shown(&viewer, &folder.join("hythe-push.1"), groff);
    for words in
        ["hythe push", "--unique", "HYTHE_SERVER Stands for --server.", "hythe push oci:build lab/solver:v2"]
    {
        assert!(push.contains(words), "hythe-push.1 should say {words:?}: {push}");
    }
}
