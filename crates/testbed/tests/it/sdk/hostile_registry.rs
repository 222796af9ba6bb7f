//! Registries that mean harm, met by the real binary: each command ends with the documented exit code and a sentence, in
//! bounded memory; nothing unchecked is left behind, and no credential goes anywhere else.

mod lures;
mod many;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hythe_testbed::proxy::{Answer, Content as Sent, Exchange, Proxy};
use hythe_testbed::{
    Content, Family, Hythe, Image, Index, Outcome, Packing, Tool, digest, image, index, run_folder,
};
use serde_json::{Value, json};

use super::{cli_at, listing};

/// Whatever a registry sends, no command needs more: the binary, its threads and the parts that are under way.
const MOST_MEMORY: u64 = 256 << 20;

const REPOSITORY: &str = "lab/app";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// What a registry holds, by path.
#[derive(Clone, Default)]
struct Shelf(HashMap<String, Content>);

impl Shelf {
    fn of(image: &Image) -> Self {
        let mut shelf = Self::default();
        shelf.manifest(&image.manifest, "v1");
        for blob in &image.blobs {
            shelf.0.insert(format!("/v2/{REPOSITORY}/blobs/{}", blob.digest()), blob.clone());
        }
        shelf
    }

    fn of_index(index: &Index) -> Self {
        let mut shelf = Self::default();
        for image in &index.images {
            shelf.0.extend(Self::of(image).0);
        }
        shelf.manifest(&index.manifest, "v1");
        shelf
    }

    fn manifest(&mut self, manifest: &Content, tag: &str) {
        for name in [tag, &manifest.digest()] {
            self.0.insert(format!("/v2/{REPOSITORY}/manifests/{name}"), manifest.clone());
        }
    }

    /// Answers as an honest registry that only reads.
    fn answer(&self, exchange: &Exchange<'_>) -> Answer {
        let Some(found) = self.0.get(exchange.path()) else {
            return Answer::new(if exchange.path() == "/v2/" { 200 } else { 404 });
        };
        let answer = Answer::new(200)
            .with("content-type", &found.media_type)
            .with("docker-content-digest", found.digest());
        if exchange.method == "HEAD" {
            return answer.content(Sent::Head(Some(found.bytes.len() as u64)));
        }
        answer.body(found.bytes.clone())
    }
}

/// An honest registry but for what `lie` makes of its answers.
fn lying(shelf: &Shelf, lie: impl Fn(&Exchange<'_>, Answer) -> Answer + Send + Sync + 'static) -> Proxy {
    let shelf = shelf.clone();
    Proxy::start(move |exchange| lie(exchange, shelf.answer(exchange)))
}

fn small(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

/// A person on a machine, with an empty folder to pull into.
struct Visitor {
    cli: Tool,
    folder: PathBuf,
}

impl Visitor {
    fn of(registry: &Proxy) -> Self {
        let cli = cli_at(Hythe::binary(), &registry.host(), None)
            .env("HYTHE_USERNAME", "ada")
            .env("HYTHE_PASSWORD", "topsecret");
        Self { cli, folder: run_folder::fresh("visitor") }
    }

    /// Runs a command, and looks at what it left behind: whole blobs at most.
    fn run(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.cli.run(arguments);
        assert!(outcome.peak < MOST_MEMORY, "{} bytes of memory: {outcome}", outcome.peak);
        let temporary = listing(&self.cli.home().join("tmp"));
        assert!(temporary.is_empty(), "{temporary:?} {outcome}");
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!outcome.stdout.contains(steers) && !outcome.stderr.contains(steers), "{outcome:?}");
        for said in [&outcome.stdout, &outcome.stderr] {
            assert!(!said.contains("topsecret"), "{outcome}");
        }
        outcome
    }

    fn pull(&self, form: &str) -> Outcome {
        let to = match form {
            "oci" => format!("oci:{}", self.folder.join("layout").display()),
            _ => format!("archive:{}", self.folder.join("image.tar").display()),
        };
        self.run(&["pull", "--progress", "none", &format!("{REPOSITORY}:v1"), &to])
    }

    /// Insists that a pull left nothing but, in a layout, blobs that are what their names say, and beginnings of such.
    #[track_caller]
    fn left_nothing(&self, image: &Image) {
        for path in listing(&self.folder).into_keys().filter(|path| path.is_file()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name == "oci-layout" {
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            if let Some(name) = name.strip_suffix(".partial") {
                let blob = image.blobs.iter().find(|blob| blob.digest().ends_with(name)).unwrap();
                assert!(!bytes.is_empty() && blob.bytes.starts_with(&bytes), "{}", path.display());
                continue;
            }
            assert_eq!(digest(&bytes), format!("sha256:{name}"), "{}", path.display());
        }
    }
}

/// Insists that pulls of both forms are refused: this exit code, these words.
#[track_caller]
fn refused(what: &str, image: &Image, registry: &Proxy, exit: i32, words: &str) {
    for form in ["oci", "archive"] {
        let visitor = Visitor::of(registry);
        let outcome = visitor.pull(form);
        super::note(&format!("{what}, {form}: {}", outcome.stderr.trim()));
        assert_eq!(outcome.status, Some(exit), "{what}: {outcome}");
        assert!(outcome.stderr.starts_with("error: "), "{what}: {outcome}");
        outcome.says(words);
        visitor.left_nothing(image);
    }
}

fn is_blob(exchange: &Exchange<'_>, blob: &str) -> bool {
    exchange.path().ends_with(blob)
}

#[test]
fn wrong_bytes_are_not_taken() {
    let image = small("wrong bytes");
    let shelf = Shelf::of(&image);
    let layer = image.blobs[1].digest();
    let changed = {
        let layer = layer.clone();
        lying(&shelf, move |exchange, mut answer| {
            if is_blob(exchange, &layer)
                && let Sent::Whole(bytes) = &mut answer.content
            {
                bytes[20] ^= 1;
            }
            answer
        })
    };
    refused("a changed layer", &image, &changed, 1, "sent wrong bytes");
    let configuration = image.blobs[0].digest();
    let other = lying(
        &shelf,
        move |exchange, answer| {
            if is_blob(exchange, &configuration) { answer.body("{}") } else { answer }
        },
    );
    refused("another configuration", &image, &other, 1, "bytes of blob");
    let truncated = {
        let layer = layer.clone();
        lying(&shelf, move |exchange, answer| {
            let half = answer.bytes().len() / 2;
            let bytes = answer.bytes()[..half].to_vec();
            if is_blob(exchange, &layer) { answer.body(bytes) } else { answer }
        })
    };
    refused("half a layer", &image, &truncated, 1, "bytes of blob");
    let longer = {
        let layer = layer.clone();
        lying(&shelf, move |exchange, answer| {
            let bytes = [answer.bytes(), b"more"].concat();
            if is_blob(exchange, &layer) { answer.body(bytes) } else { answer }
        })
    };
    refused("more than a layer", &image, &longer, 1, "bytes of blob");
    let endless = {
        let layer = layer.clone();
        lying(&shelf, move |exchange, answer| {
            if is_blob(exchange, &layer) { answer.content(Sent::Endless(vec![7; 64 << 10])) } else { answer }
        })
    };
    refused("a layer without an end", &image, &endless, 1, "bytes of blob");
    let announced = lying(&shelf, move |exchange, answer| {
        if is_blob(exchange, &layer) {
            answer.content(Sent::Announced(1 << 60, vec![7; 1000]))
        } else {
            answer
        }
    });
    refused("a length beyond any disk", &image, &announced, 1, "bytes of blob");
}

#[test]
fn a_manifest_is_what_was_asked_for_and_not_larger_than_any() {
    let image = small("manifests");
    let shelf = Shelf::of(&image);
    let swapped = {
        let other = small("another").manifest;
        lying(&shelf, move |exchange, answer| {
            if exchange.path().contains("/manifests/sha256") {
                answer.body(other.bytes.clone())
            } else {
                answer
            }
        })
    };
    let visitor = Visitor::of(&swapped);
    let name = format!("{REPOSITORY}@{}", image.manifest.digest());
    let to = format!("oci:{}", visitor.folder.display());
    let outcome = visitor.run(&["pull", "--progress", "none", &name, &to]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("wrong bytes");
    visitor.left_nothing(&image);
    let manifest = |change: fn(Answer) -> Answer| {
        lying(&shelf, move |exchange, answer| {
            if exchange.path().contains("/manifests/") && exchange.method == "GET" {
                change(answer)
            } else {
                answer
            }
        })
    };
    let large = manifest(|answer| answer.body(vec![b' '; 100 << 20]));
    refused("a manifest of 100 MiB", &image, &large, 1, "larger than");
    let endless = manifest(|answer| answer.content(Sent::Endless(vec![b' '; 1 << 20])));
    refused("a manifest without an end", &image, &endless, 1, "larger than");
    let deep = manifest(|answer| answer.without("docker-content-digest").body("[".repeat(1 << 20)));
    refused("a manifest of depth", &image, &deep, 1, "manifest");
    let two = manifest(|answer| {
        let body = json!({"schemaVersion": 2, "layers": [], "manifests": [],
                          "config": {"mediaType": "a/b", "digest": digest(b""), "size": 0}});
        answer.without("docker-content-digest").body(body.to_string())
    });
    refused("a manifest that is two things", &image, &two, 1, "manifest");
    let page = manifest(|answer| answer.replacing("content-type", "text/html").body("<html>"));
    refused("a page", &image, &page, 1, "");
}

#[test]
fn sizes_and_counts_that_lie_are_bounded() {
    let image = small("sizes");
    for size in [0_u64, 1, 40 << 20, i64::MAX as u64] {
        let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        manifest["layers"][0]["size"] = size.into();
        let mut shelf = Shelf::of(&image);
        shelf.manifest(&Content::json(&image.manifest.media_type, &manifest), "v1");
        let registry = lying(&shelf, |_, answer| answer);
        refused(&format!("a layer that is said to have {size} bytes"), &image, &registry, 1, "bytes of blob");
        // Sums of such sizes do not overflow.
        Visitor::of(&registry).run(&["size", &format!("{REPOSITORY}:v1")]).ok();
    }
    // An index that names itself cannot have the digest it names; one that is always answered is found out.
    let itself = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        {"mediaType": INDEX, "digest": digest(b"itself"), "size": 100,
         "platform": {"os": "linux", "architecture": "amd64"}}]});
    let itself = Content::json(INDEX, &itself);
    let registry = Proxy::start(move |_| {
        Answer::new(200).with("content-type", &itself.media_type).body(itself.bytes.clone())
    });
    refused("an index within itself", &image, &registry, 1, "wrong bytes");
    // Many large manifests are not all taken into memory.
    let mut shelf = Shelf::default();
    let padded = |number: usize| {
        let mut manifest: Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        manifest["annotations"] = json!({"number": number.to_string(), "padding": "x".repeat(4_000_000)});
        Content::json(&image.manifest.media_type, &manifest)
    };
    let children: Vec<Content> = (0..20).map(padded).collect();
    for child in &children {
        shelf.manifest(child, "child");
    }
    let entries: Vec<Value> = children.iter().map(Content::descriptor).collect();
    let whole = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
    shelf.manifest(&Content::json(INDEX, &whole), "v1");
    let registry = lying(&shelf, |_, answer| answer);
    let visitor = Visitor::of(&registry);
    let outcome = visitor.pull("oci");
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("bytes of them");
    assert!(listing(&visitor.folder).is_empty());
}

#[test]
fn lists_end() {
    let lure = Proxy::lure();
    let tags = |link: &'static str, tags: Value| {
        let lure = lure.host();
        Proxy::start(move |exchange| {
            if !exchange.path().ends_with("/tags/list") {
                return Answer::new(404);
            }
            let link = link.replace("LURE", &lure);
            let body = json!({"name": REPOSITORY, "tags": tags}).to_string();
            Answer::new(200).with("content-type", "application/json").with("link", link).body(body)
        })
    };
    for (link, words) in [
        ("</v2/lab/app/tags/list?last=a>; rel=\"next\"", "circle"),
        ("<http://LURE/v2/lab/app/tags/list>; rel=\"next\"", "leaves the registry"),
        ("<file:///etc/passwd>; rel=\"next\"", "leaves the registry"),
    ] {
        let registry = tags(link, json!(["v1"]));
        let outcome = Visitor::of(&registry).run(&["tags", REPOSITORY]);
        assert_eq!(outcome.status, Some(1), "{link}: {outcome}");
        outcome.says(words);
    }
    assert!(lure.noted().is_empty());
    let hostile = json!(["v1", "\u{1b}]0;owned\u{7}", "a b", "../x", "x".repeat(1000), "\u{9b}31m", "v2"]);
    let outcome = Visitor::of(&tags("", hostile)).run(&["tags", REPOSITORY]).ok();
    assert_eq!(outcome.stdout.split_whitespace().collect::<Vec<_>>(), ["TAG", "v1", "v2"], "{outcome}");
    let large = Proxy::start(|exchange| {
        if exchange.path().ends_with("/tags/list") {
            Answer::new(200).body(vec![b' '; 100 << 20])
        } else {
            Answer::new(404)
        }
    });
    let outcome = Visitor::of(&large).run(&["tags", REPOSITORY]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("larger than");
}

/// A page of projects with one on it.
fn project(name: &str, next: Value) -> String {
    let project =
        json!({"name": name, "visibility": "private", "untagged_days": null, "created": "x", "role": null});
    json!({"items": [project], "next": next}).to_string()
}

/// What is read of our own interface is believed no more than anything else.
#[test]
fn a_server_that_plays_a_hythe_is_bounded() {
    let playing = |page: fn(&str) -> String| {
        Proxy::start(move |exchange| match exchange.path() {
            "/api/v1/me" => Answer::new(401).with("content-type", "application/problem+json").body(
                json!({"code": "sign_in_required", "detail": "x", "request_id": "x", "status": 401})
                    .to_string(),
            ),
            path if path.starts_with("/api/v1/") => {
                Answer::new(200).with("content-type", "application/json").body(page(&exchange.target))
            }
            _ => Answer::new(404),
        })
    };
    let circle = playing(|_| project("lab", json!("lab")));
    let endless = playing(|target| project("lab", json!("x".repeat(target.len()))));
    for registry in [&circle, &endless] {
        let outcome = Visitor::of(registry).run(&["ls"]);
        super::note(&outcome.stderr);
        assert_eq!(outcome.status, Some(1), "{outcome}");
        outcome.says("circle");
    }
    let steering = playing(|_| project("\u{1b}]0;owned\u{7}", Value::Null));
    let outcome = Visitor::of(&steering).run(&["ls"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    let large = playing(|_| " ".repeat(64 << 20));
    let outcome = Visitor::of(&large).run(&["ls"]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("larger than");
}

#[test]
fn no_word_of_a_registry_steers_the_terminal() {
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31m\u{202e}";
    let body =
        json!({"errors": [{"code": "DENIED", "message": format!("no{escape}entry"), "detail": escape}]});
    let body = body.to_string();
    let refusing = Proxy::start(move |exchange| {
        if exchange.path().starts_with("/api") {
            return Answer::new(404);
        }
        Answer::new(403).with("content-type", "application/json").body(body.clone())
    });
    for command in [&["digest", "lab/app:v1"][..], &["size", "lab/app:v1"], &["tags", "lab/app"]] {
        let outcome = Visitor::of(&refusing).run(command);
        assert_eq!(outcome.status, Some(4), "{outcome}");
        outcome.says("entry");
    }
    // Platforms and types are words of the registry as well.
    let mut index = index(Family::Oci, vec![small("platform")]);
    let mut manifest: Value = serde_json::from_slice(&index.manifest.bytes).unwrap();
    manifest["manifests"][0]["platform"] = json!({"os": escape, "architecture": format!("amd64\n{escape}")});
    let twice = manifest["manifests"][0].clone();
    manifest["manifests"].as_array_mut().unwrap().push(twice);
    index.manifest = Content::json(INDEX, &manifest);
    let registry = lying(&Shelf::of_index(&index), |_, answer| answer);
    for output in ["text", "json"] {
        Visitor::of(&registry).run(&["--output", output, "size", "lab/app:v1"]).ok();
    }
    let outcome = Visitor::of(&registry).pull("archive");
    assert_eq!(outcome.status, Some(5), "{outcome}");
}

#[test]
fn a_copy_is_refused_as_a_pull_is() {
    let image = small("copy");
    let layer = image.blobs[1].digest();
    let from = lying(&Shelf::of(&image), move |exchange, mut answer| {
        if is_blob(exchange, &layer)
            && let Sent::Whole(bytes) = &mut answer.content
        {
            bytes[20] ^= 1;
        }
        answer
    });
    let scene = super::Scene::new();
    let to = format!("{}/{}:copied", scene.bench.server.host(), scene.bench.repository);
    let outcome =
        scene.cli().run(&["copy", "--progress", "none", &format!("{}/{REPOSITORY}:v1", from.host()), &to]);
    println!("{}", outcome.stderr);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    scene.bench.admin.get(&scene.bench.path("manifests/copied")).is(404);
    assert!(!from.was_trusted(), "the password of one registry went to another");
}

#[test]
fn a_bomb_in_a_layer_stays_packed() {
    // 4 GiB of zeros in some hundred kilobytes: an archive passes layers on as they are.
    let bytes = zstd::encode_all(std::io::Read::take(std::io::repeat(0), 4 << 30), 1).unwrap();
    let layer = Content { media_type: "application/vnd.oci.image.layer.v1.tar+zstd".to_owned(), bytes };
    let image = Image::of_blobs(Family::Oci, vec![layer], "amd64");
    let registry = lying(&Shelf::of(&image), |_, answer| answer);
    for form in ["oci", "archive"] {
        let visitor = Visitor::of(&registry);
        visitor.pull(form).ok();
        let size: u64 = listing(&visitor.folder).values().sum();
        assert!(size < 16 << 20, "{size} bytes");
    }
}

#[test]
fn a_head_without_an_end_is_no_answer() {
    let shelf = Arc::new(Shelf::of(&small("heads")));
    let registry = {
        let shelf = Arc::clone(&shelf);
        Proxy::start(move |exchange| {
            let mut answer = shelf.answer(exchange);
            for number in 0..100_000 {
                answer = answer.with(&format!("x-{number}"), "x".repeat(100));
            }
            answer
        })
    };
    let visitor = Visitor::of(&registry);
    let outcome = visitor.run(&["digest", &format!("{REPOSITORY}:v1")]);
    println!("{}", outcome.stderr);
    assert!(matches!(outcome.status, Some(1 | 7)), "{outcome}");
    assert!(Path::new(&visitor.folder).exists());
}
