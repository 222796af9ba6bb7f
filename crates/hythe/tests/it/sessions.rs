//! The sessions on the page of the command line are what the program says: each is run again and compared, or written
//! anew by `tools/record-sessions.sh`.

use std::path::Path;
use std::{env, fs};

use hythe_testbed::{Content, Family, Hythe, Image, Options, Packing, Tool, image, index, layout_folder};
use serde_json::json;

use crate::{admin_of, text};

/// Set to write the sessions instead of comparing them.
const RECORD: &str = "HYTHE_RECORD_SESSIONS";

/// Where a session begins.
const FENCE: &str = "```console\n";

#[test]
fn the_sessions_on_the_page_are_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let written = fs::read_to_string(&page).unwrap();
    let server = Hythe::start(Options::default());
    admin_of(&server).run(&["project", "create", "lab"]).ok();
    let shell = shell(&server);

    let mut told = String::new();
    let mut rest = written.as_str();
    while let Some((before, after)) = rest.split_once(FENCE) {
        let (session, after) = after.split_once("```\n").unwrap();
        told.push_str(before);
        told.push_str(FENCE);
        for command in session.lines().filter_map(|line| line.strip_prefix("$ ")) {
            told.push_str(&format!("$ {command}\n{}", said(&shell, &server, command)));
        }
        told.push_str("```\n");
        rest = after;
    }
    told.push_str(rest);
    assert!(told.contains(FENCE), "there is no session on the page");
    if env::var_os(RECORD).is_some() {
        fs::write(&page, told).unwrap();
        return;
    }
    for (line, (written, told)) in written.lines().zip(told.lines()).enumerate() {
        assert_eq!(
            written,
            told,
            "line {} of docs/cli.md; tools/record-sessions.sh writes it anew",
            line + 1
        );
    }
    assert_eq!(written.len(), told.len(), "tools/record-sessions.sh writes the sessions of docs/cli.md anew");
}

/// What a command says, as it would be said of a server with a name.
fn said(shell: &Tool, server: &Hythe, command: &str) -> String {
    let outcome = shell.run(&["-c", command]);
    let mut said = outcome.stdout.clone();
    if !outcome.to_string().contains("\nstatus: 0\n") {
        said.push_str(&outcome.stderr);
    }
    if let Some((before, id)) = said.clone().split_once("(request ") {
        let after = id.trim_start_matches(|letter: char| letter.is_ascii_hexdigit());
        said = format!("{before}(request 7841de75b4aec045{after}");
    }
    let url = format!("http://{}", server.host());
    said.replace(&url, "https://registry.example.org")
        .replace(&server.host(), "registry.example.org")
        .replace(text(shell.home()), "~")
}

/// A shell in whose folder there is an image in `build`.
fn shell(server: &Hythe) -> Tool {
    let images = ["amd64", "arm64"].map(solver);
    let both = index(Family::Oci, images.to_vec());
    let manifests = images.iter().map(|image| &image.manifest);
    let rest: Vec<&Content> = images.iter().flat_map(|image| &image.blobs).chain(manifests).collect();
    let folder = layout_folder(&[("v1", &both.manifest)], &rest);
    let (name, password) = server.admin_login();
    let programs = Path::new(env!("CARGO_BIN_EXE_hythe")).parent().expect("a program lies in a folder");
    let path = format!("{}:/usr/bin:/bin", text(programs));
    let shell = Tool::new("/bin/sh")
        .env("PATH", path)
        .env("HYTHE_SERVER", format!("http://{}", server.host()))
        .env("HYTHE_USERNAME", name)
        .env("HYTHE_PASSWORD", password);
    fs::rename(folder, shell.home().join("build")).expect("both lie in the run folder");
    shell
}

/// An image with more to tell than most of the tests' images.
fn solver(architecture: &str) -> Image {
    // What zstd writes does not depend on the machine's abilities.
    let mut image = image(Family::Oci, Packing::Zstd, "session", architecture);
    let diff_ids: Vec<String> = [1, 2].map(|layer: usize| image.blobs[layer].digest()).to_vec();
    let config = json!({
        "created": "2026-03-04T05:06:07Z", "author": "Ada <ada@example.org>",
        "architecture": architecture, "os": "linux",
        "config": {
            "User": "solver", "WorkingDir": "/srv", "Entrypoint": ["solver"], "Cmd": ["--config", "/etc/solver.toml"],
            "Env": ["PATH=/usr/bin:/bin"], "Labels": { "org.opencontainers.image.source": "https://git.example.org/solver" },
        },
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
        "history": [
            { "created": "2026-02-01T00:00:00Z", "created_by": "COPY base /" },
            { "created": "2026-03-04T05:06:00Z", "created_by": "ENV PATH=/usr/bin:/bin", "empty_layer": true },
            { "created": "2026-03-04T05:06:07Z", "created_by": "RUN make install && rm -rf /usr/src" },
        ],
    });
    image.blobs[0] = Content::json(&image.blobs[0].media_type, &config);
    let layers: Vec<_> = image.blobs.iter().skip(1).map(Content::descriptor).collect();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": image.manifest.media_type,
        "config": image.blobs[0].descriptor(), "layers": layers,
    });
    image.manifest = Content::json(&image.manifest.media_type, &manifest);
    image
}
