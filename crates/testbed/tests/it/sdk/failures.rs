//! What a person sees when something goes wrong: the sentences that the manual shows are those of the program.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use hythe_testbed::proxy::{Answer, Proxy};
use hythe_testbed::{
    Content, Family, Hythe, Image, Packing, Role, Tool, image, index, layout_folder, noise, run_folder,
};

use super::{Scene, cli_at};

/// The failures as the manual shows them.
#[derive(Default)]
struct Shown {
    text: String,
    /// What is written in place of what is different each time.
    names: Vec<(String, &'static str)>,
}

impl Shown {
    fn show(&mut self, what: &str, cli: &Tool, arguments: &[&str], exit: i32) {
        let outcome = cli.run(arguments);
        assert_eq!(outcome.status, Some(exit), "{what}: {outcome}");
        assert!(outcome.stdout.is_empty() && outcome.stderr.starts_with("error: "), "{what}: {outcome}");
        let command = format!("hythe {}", arguments.join(" ")).replace(" --progress none", "");
        let _ =
            writeln!(self.text, "# {what}: exit code {exit}\n$ {command}\n{}\n", outcome.stderr.trim_end());
    }

    /// With digests and names of requests cut short.
    fn written(&self) -> String {
        let mut text = self.text.clone();
        // One name may be the beginning of another.
        let mut names = self.names.clone();
        names.sort_by_key(|(from, _)| std::cmp::Reverse(from.len()));
        for (from, to) in &names {
            text = text.replace(from, to);
        }
        let mut written = String::new();
        for line in text.trim_end().lines() {
            let line = match line.split_once(" (request ") {
                Some((line, _)) => line,
                None => line,
            };
            let mut rest = line;
            while let Some((before, after)) = rest.split_once("sha256:") {
                written += before;
                written += "sha256:…";
                rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            }
            written += rest;
            written.push('\n');
        }
        written
    }
}

fn layout(image: &Image) -> String {
    let folder = layout_folder(&[("v1", &image.manifest)], &image.blobs.iter().collect::<Vec<_>>());
    folder.display().to_string()
}

#[test]
fn the_sentences_of_the_manual_are_real() {
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, "failures", "s390x");
    let (repository, project) = (scene.bench.repository.clone(), scene.bench.project.clone());
    scene.bench.admin.push_image(&repository, "v1", &image);
    let (reader, stranger) = (scene.bench.member(Role::Reader), scene.bench.stranger());
    let host = scene.bench.server.host();
    let folder = run_folder::fresh("failures");
    let build = layout(&image);
    let cut = folder.join("image.tar");
    fs::write(&cut, vec![b'x'; 1000]).unwrap();
    let changed = {
        let layer = Content { media_type: image.blobs[1].media_type.clone(), bytes: noise("failures", 475) };
        let Image { manifest, blobs, .. } = Image::of_blobs(Family::Oci, vec![layer], "amd64");
        Proxy::start(move |exchange| match exchange.path() {
            path if path.ends_with(&blobs[0].digest()) => Answer::new(200).body(blobs[0].bytes.clone()),
            path if path.contains("/manifests/") => Answer::new(200)
                .with("content-type", &manifest.media_type)
                .with("docker-content-digest", manifest.digest())
                .body(manifest.bytes.clone()),
            path if path.contains("/blobs/") => Answer::new(200).body("other bytes"),
            _ => Answer::new(404),
        })
    };
    let nobody = "127.0.0.1:9";
    let mut shown = Shown {
        names: vec![
            (format!("oci:{build}"), "oci:build"),
            (folder.display().to_string(), "/tmp"),
            (format!("http://{host}"), "https://registry.example.org"),
            (host.clone(), "registry.example.org"),
            (changed.host(), "other.example.org"),
            (nobody.to_owned(), "registry.example.org"),
            (scene.pusher.name.clone(), "ann"),
            (reader.name.clone(), "ben"),
            (stranger.name.clone(), "cem"),
            (repository.clone(), "lab/app"),
            (project, "lab"),
        ],
        ..Shown::default()
    };
    let cli = scene.cli();
    let (source, name) = (format!("oci:{build}"), format!("{repository}:v1"));
    let quiet = ["--progress", "none"];
    let push = ["push", quiet[0], quiet[1], &source, &name];
    shown.show("the server does not run", &cli_at(Hythe::binary(), nobody, None), &["tags", &repository], 7);
    let wrong = cli_at(Hythe::binary(), &host, Some(&scene.pusher)).env("HYTHE_PASSWORD", "guess");
    shown.show("the password is wrong", &wrong, &["digest", &name], 4);
    shown.show("nobody is signed in", &cli_at(Hythe::binary(), &host, None), &["digest", &name], 4);
    let reading = cli_at(Hythe::binary(), &host, Some(&reader));
    shown.show("who may only read pushes", &reading, &push, 4);
    let strange = cli_at(Hythe::binary(), &host, Some(&stranger));
    shown.show("somebody asks for what others must not see", &strange, &["digest", &name], 4);
    let none = format!("{repository}:v2");
    shown.show("there is no such tag", &cli, &["digest", &none], 5);
    shown.show("a name is no name", &cli, &["digest", "Lab/App"], 2);
    let out = format!("oci:{}/out", folder.display());
    let index = index(Family::Oci, vec![image]);
    scene.bench.admin.put_manifest(&repository, "v3", &index.manifest).is(201);
    let all = format!("{repository}:v3");
    let pull = ["pull", "--progress", "none", "--platform", "linux/arm64", &all, &out];
    shown.show("an image is not for this platform", &cli, &pull, 5);
    let archive = format!("archive:{}", cut.display());
    shown.show("a file is no archive", &cli, &["push", "--progress", "none", &archive, &name], 1);
    let other = format!("{}/lab/app:v1", changed.host());
    let pull = ["pull", "--progress", "none", &other, &out];
    shown.show("a registry sends other bytes than it says", &cli, &pull, 1);
    let absent = format!("{repository}@sha256:{}", "0".repeat(64));
    shown.show("an image does not come", &cli, &["wait", "--timeout", "1s", &absent], 5);
    let written = shown.written();
    super::note(&written);
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let manual = fs::read_to_string(manual).unwrap();
    assert!(
        manual.contains(&format!("```text\n{written}```\n")),
        "docs/cli.md does not show this:\n{written}"
    );
}
