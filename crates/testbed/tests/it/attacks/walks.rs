//! Images made to be looked through for long: many parts, listed many times over, asked for by many at once.

use hythe_testbed::{Actor, Content, Hythe, Visibility};
use serde_json::{Value, json};

use super::numbers::metric;
use super::wire::Wire;
use super::{server, still_serves};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// Each image names as many layers as there are images; together more parts than an image may have.
const IMAGES: usize = 320;

/// How many requests of one address may wait for a status, as documented.
const STATUS_WAITS: usize = 256;

/// The most parts of an image, as documented.
const MOST_PARTS: usize = 100_000;

fn layer(number: usize) -> Content {
    Content { media_type: LAYER.to_owned(), bytes: format!("layer {number}").into_bytes() }
}

fn image_of(layers: &[Value], name: usize) -> Content {
    let config = Content::json("application/vnd.oci.image.config.v1+json", &json!({}));
    Content::json(
        IMAGE,
        &json!({
            "schemaVersion": 2, "mediaType": IMAGE, "config": config.descriptor(), "layers": layers,
            "annotations": { "name": name.to_string() },
        }),
    )
}

fn index_of(images: &[Content]) -> Content {
    let manifests: Vec<Value> = images.iter().map(Content::descriptor).collect();
    Content::json(INDEX, &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }))
}

/// Does `work` for each number below `count`, on several threads: the server syncs once for many.
fn side_by_side(count: usize, work: impl Fn(usize) + Sync) {
    std::thread::scope(|scope| {
        for first in 0..16 {
            let work = &work;
            scope.spawn(move || (first..count).step_by(16).for_each(work));
        }
    });
}

/// A public server whose `open/app` holds images that all name the same many layers.
fn crowded() -> (Hythe, Vec<Content>) {
    let server = server(&[]);
    server.create_project("open", Visibility::Public);
    let admin = server.admin();
    admin.push_blob("open/app", b"{}");
    let layers: Vec<Content> = (0..IMAGES).map(layer).collect();
    side_by_side(IMAGES, |number| drop(admin.push_blob("open/app", &layers[number].bytes)));
    let named: Vec<Value> = layers.iter().map(Content::descriptor).collect();
    let images: Vec<Content> = (0..IMAGES).map(|number| image_of(&named, number)).collect();
    side_by_side(IMAGES, |number| {
        admin.put_manifest("open/app", &images[number].digest(), &images[number]).is(201);
    });
    (server, images)
}

/// An image of nearly 4 MiB of annotations, one layer of which may be elsewhere and is.
fn wordy(number: usize) -> Content {
    let mut layer = layer(number).descriptor();
    layer["mediaType"] = json!("application/vnd.oci.image.layer.nondistributable.v1.tar");
    let mut image: Value = serde_json::from_slice(&image_of(&[layer], number).bytes).unwrap();
    image["annotations"]["words"] = json!("x".repeat((4 << 20) - 2_000));
    Content::json(IMAGE, &image)
}

#[test]
fn images_that_must_be_read_to_be_judged() {
    let server = server(&[]);
    server.create_project("open", Visibility::Public);
    let admin = server.admin();
    admin.push_blob("open/app", b"{}");
    let images: Vec<Content> = (0..3).map(wordy).collect();
    for image in &images {
        admin.put_manifest("open/app", &image.digest(), image).is(201);
    }
    admin.put_manifest("open/app", "two", &index_of(&images[..2])).is(201);
    admin.put_manifest("open/app", "three", &index_of(&images)).is(201);
    let stranger = server.anonymous();
    assert_eq!(status(&stranger, "two").is(200).json()["status"], "READY");
    let refused = status(&stranger, "three").is(422).json();
    assert!(refused["detail"].as_str().unwrap().ends_with("one by one."), "{refused}");
    still_serves(&server);
}

#[test]
fn requests_that_wait_for_a_status() {
    let server = server(&[]);
    server.create_project("open", Visibility::Public);
    let ask = |wait: &str| {
        let mut wire = Wire::open(server.addr());
        wire.send(format!(
            "GET /api/v1/repositories/open%2Fapp/status/v1{wait} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        ));
        wire
    };
    let mut waiting: Vec<Wire> = (0..STATUS_WAITS).map(|_| ask("?wait=50")).collect();
    let mut refused = String::new();
    while !refused.starts_with("HTTP/1.1 429") {
        assert!(waiting.len() < STATUS_WAITS + 20, "{refused}");
        // Those before may not have been read yet: then this one takes a place, and one of those has none.
        refused = String::from_utf8(ask("?wait=1").rest()).unwrap();
        waiting.push(ask("?wait=50"));
    }
    assert!(refused.contains("retry-after: 5"), "{refused}");
    // Whoever does not wait is answered, and whoever hangs up makes room.
    assert!(ask("").rest().starts_with(b"HTTP/1.1 404"));
    waiting.clear();
    while !ask("?wait=1").rest().starts_with(b"HTTP/1.1 404") {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    still_serves(&server);
}

fn status(actor: &Actor, tag: &str) -> hythe_testbed::http::Response {
    actor.get(&format!("/api/v1/repositories/open%2Fapp/status/{tag}"))
}

#[test]
fn images_of_many_parts() {
    let (server, images) = crowded();
    let admin = server.admin();
    let refused = admin.put_manifest("open/app", "all", &index_of(&images)).is(400).code("MANIFEST_INVALID");
    let error = refused.error();
    assert!(error["message"].as_str().unwrap().contains(&format!("more than {MOST_PARTS} parts")), "{error}");
    // Fewer are taken, and whoever adds the rest a level higher is refused again.
    let some = index_of(&images[..300]);
    admin.put_manifest("open/app", "some", &some).is(201);
    let rest = [&[some], &images[300..]].concat();
    admin.put_manifest("open/app", "all", &index_of(&rest)).is(400).code("MANIFEST_INVALID");

    // Strangers who all ask for such an image's status get few turns, and others are served meanwhile.
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..400)
            .map(|_| {
                scope.spawn(|| {
                    let answer = status(&server.anonymous(), "some");
                    if answer.status == 503 {
                        answer.must("retry-after");
                    }
                    answer.one_of(&[200, 503]).status
                })
            })
            .collect();
        server.anonymous().get("/readyz").is(200);
        admin.put_manifest("open/app", "meanwhile", &index_of(&images[..2])).is(201);
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    assert!(
        metric(&server, "hythe_http_requests_total{route=\"api_status\",method=\"GET\",status=\"503\"}")
            >= 1.0
    );
    status(&server.anonymous(), "some").is(200);
    still_serves(&server);
}
