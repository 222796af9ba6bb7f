//! Registries that name more than fits into any memory, one part at a time.

use std::collections::HashMap;

use hythe_testbed::Content;
use hythe_testbed::proxy::{Answer, Proxy};
use serde_json::{Value, json};

use super::{INDEX, REPOSITORY, Shelf, Visitor, small};

/// Manifests as large as any, made when they are asked for, by their digests.
struct Padded {
    base: Value,
    media_type: String,
    numbers: HashMap<String, usize>,
    entries: Vec<Value>,
}

impl Padded {
    fn new(base: &Content, count: usize, change: impl Fn(&mut Value)) -> Self {
        let mut manifest: Value = serde_json::from_slice(&base.bytes).unwrap();
        change(&mut manifest);
        let media_type = base.media_type.clone();
        let mut padded = Self { base: manifest, media_type, numbers: HashMap::new(), entries: Vec::new() };
        for number in 0..count {
            let content = padded.content(number);
            padded.numbers.insert(content.digest(), number);
            padded.entries.push(content.descriptor());
        }
        padded
    }

    fn content(&self, number: usize) -> Content {
        let mut manifest = self.base.clone();
        manifest["annotations"] = json!({"number": number.to_string(), "padding": "x".repeat(4_000_000)});
        Content::json(&self.media_type, &manifest)
    }

    fn asked(&self, path: &str) -> Option<Content> {
        self.numbers.get(path.rsplit('/').next()?).map(|number| self.content(*number))
    }
}

fn manifest(content: &Content) -> Answer {
    Answer::new(200)
        .with("content-type", &content.media_type)
        .with("docker-content-digest", content.digest())
        .body(content.bytes.clone())
}

#[test]
fn what_refers_to_an_image_has_a_limit_together() {
    let image = small("referrers");
    let subject = image.manifest.descriptor();
    let padded = Padded::new(&image.manifest, 9, |manifest| manifest["subject"] = subject.clone());
    let list = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": padded.entries});
    let none = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": []});
    let (shelf, subject) = (Shelf::of(&image), image.manifest.digest());
    let from = Proxy::start(move |exchange| {
        let path = exchange.path();
        if path.contains("/referrers/") {
            let list = if path.ends_with(&subject) { &list } else { &none };
            return Answer::new(200).with("content-type", INDEX).body(list.to_string());
        }
        padded.asked(path).map_or_else(|| shelf.answer(exchange), |content| manifest(&content))
    });
    let scene = super::super::Scene::new();
    let to = format!("{}/{}:copied", scene.bench.server.host(), scene.bench.repository);
    let outcome =
        scene.cli().run(&["copy", "--progress", "none", &format!("{}/{REPOSITORY}:v1", from.host()), &to]);
    assert_eq!(outcome.status, Some(1), "{outcome}");
    outcome.says("bytes of them");
    scene.bench.admin.get(&scene.bench.path("manifests/copied")).is(404);
}

#[test]
fn the_parts_of_an_index_are_looked_at_one_by_one() {
    let image = small("parts");
    let padded = Padded::new(&image.manifest, 68, |_| {});
    let whole = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": padded.entries});
    let mut shelf = Shelf::of(&image);
    shelf.manifest(&Content::json(INDEX, &whole), "v1");
    let registry = Proxy::start(move |exchange| {
        padded.asked(exchange.path()).map_or_else(|| shelf.answer(exchange), |content| manifest(&content))
    });
    // The memory is measured there.
    Visitor::of(&registry).run(&["status", &format!("{REPOSITORY}:v1")]).ok().says("ready");
}
