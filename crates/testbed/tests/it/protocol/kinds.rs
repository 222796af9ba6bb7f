//! Rows W, second half: the kinds of content that must be kept as pushed.

use hythe_testbed::{Content, EMPTY, Family, Packing, artifact, digest, image, index, noise};
use serde_json::{Value, json};

use super::{OCI_INDEX, OCI_MANIFEST, index_of, oci_image};
use crate::bench::{Bench, bench};

const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// Pushes a manifest under `tag` and insists that it comes back with its type and bytes.
#[track_caller]
fn keeps(bench: &Bench, tag: &str, manifest: &Content) {
    bench.admin.put_manifest(&bench.repository, tag, manifest).is(201);
    let back = bench.admin.get(&bench.path(&format!("manifests/{tag}"))).is(200);
    assert_eq!((back.must("content-type"), &back.body), (manifest.media_type.as_str(), &manifest.bytes));
}

/// Pushes `bytes` and returns its descriptor under any media type.
fn blob(bench: &Bench, media_type: &str, bytes: &[u8]) -> Value {
    let digest = bench.admin.push_blob(&bench.repository, bytes);
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}

/// An image manifest from descriptors; `more` adds or replaces fields.
fn manifest(config: &Value, layers: &[Value], more: &Value) -> Content {
    let mut value = json!({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers,
    });
    for (key, field) in more.as_object().unwrap() {
        value[key] = field.clone();
    }
    Content::json(OCI_MANIFEST, &value)
}

/// MUST. An index of two platforms, then an index of that index.
#[test]
fn w14_nested_index() {
    let bench = bench();
    let images = ["amd64", "arm64"].map(|arch| image(Family::Oci, Packing::Gzip, "w14", arch));
    for image in &images {
        bench.admin.push_image(&bench.repository, &image.manifest.digest(), image);
    }
    let inner = index(Family::Oci, images.to_vec());
    keeps(&bench, "inner", &inner.manifest);
    keeps(&bench, "outer", &index_of(&[inner.manifest.descriptor()]));
}

/// MUST. An index without manifests.
#[test]
fn w15_empty_index() {
    keeps(&bench(), "latest", &index_of(&[]));
}

/// MUST. An image manifest without layers.
#[test]
fn w16_no_layers() {
    let bench = bench();
    let config = blob(&bench, "application/vnd.oci.image.config.v1+json", b"{\"os\":\"linux\"}");
    keeps(&bench, "latest", &manifest(&config, &[], &json!({})));
}

/// MUST. An artifact: empty configuration, `artifactType`, a layer of an unknown type.
#[test]
fn w17_artifact() {
    let bench = bench();
    let artifact = artifact("application/vnd.example.thing", None, "w17");
    bench.admin.push_image(&bench.repository, "latest", &artifact);
    keeps(&bench, "latest", &artifact.manifest);
}

/// MUST. An artifact whose one layer is the empty descriptor with its data inline.
#[test]
fn w18_inline_data() {
    let bench = bench();
    let mut empty = blob(&bench, "application/vnd.oci.empty.v1+json", EMPTY);
    empty["data"] = "e30=".into();
    let more = json!({"artifactType": "application/vnd.example.thing"});
    keeps(&bench, "latest", &manifest(&empty, std::slice::from_ref(&empty), &more));
    // Data that is not what the digest says is a lie about the content.
    let mut wrong = empty.clone();
    wrong["data"] = "e31=".into();
    let refused = bench.admin.put_manifest(&bench.repository, "wrong", &manifest(&empty, &[wrong], &more));
    refused.refused().code("MANIFEST_INVALID");
}

/// MUST. Non-distributable and docker foreign layers with urls need not be present.
#[test]
fn w19_foreign_layers() {
    let bench = bench();
    let config = blob(&bench, "application/vnd.oci.image.config.v1+json", b"{\"os\":\"windows\"}");
    for (tag, media_type) in [
        ("oci", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
        ("docker", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"),
    ] {
        let layer = json!({
            "mediaType": media_type, "size": 1234, "digest": digest(tag.as_bytes()),
            "urls": ["https://example.com/layer"],
        });
        keeps(&bench, tag, &manifest(&config, &[layer], &json!({})));
    }
}

/// MUST. Docker schema 2 manifests and manifest lists keep their types.
#[test]
fn w23_docker_types() {
    let bench = bench();
    let images = ["amd64", "arm64"].map(|arch| image(Family::Docker, Packing::Gzip, "w23", arch));
    for image in &images {
        bench.admin.push_image(&bench.repository, &image.manifest.digest(), image);
    }
    keeps(&bench, "image", &images[0].manifest);
    keeps(&bench, "list", &index(Family::Docker, images.to_vec()).manifest);
}

/// QUIRK. An index whose children are layer and configuration blobs (BuildKit's registry cache).
#[test]
fn w24_index_of_blobs() {
    let bench = bench();
    let layer = blob(&bench, "application/vnd.oci.image.layer.v1.tar+gzip", &noise("w24", 2000));
    let config = blob(&bench, "application/vnd.buildkit.cacheconfig.v0", b"{\"layers\":[]}");
    keeps(&bench, "cache", &index_of(&[layer, config]));
}

/// MUST. A BuildKit attestation child (platform unknown/unknown, an in-toto layer) in an index.
#[test]
fn w25_attestation() {
    let bench = bench();
    let image = oci_image("w25");
    bench.admin.push_image(&bench.repository, &image.manifest.digest(), &image);
    let config = blob(&bench, "application/vnd.oci.image.config.v1+json", b"{\"os\":\"unknown\"}");
    let statement = blob(&bench, "application/vnd.in-toto+json", b"{\"_type\":\"statement\"}");
    let attestation = manifest(&config, &[statement], &json!({}));
    bench.admin.put_manifest(&bench.repository, &attestation.digest(), &attestation).is(201);
    let mut child = attestation.descriptor();
    child["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    child["annotations"] = json!({
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": image.manifest.digest(),
    });
    keeps(&bench, "latest", &index_of(&[image.manifest.descriptor(), child]));
}

/// MUST. Layers in zstd, plain and encrypted; charts, wasm, SIF, signatures, models and kits.
#[test]
fn w26_many_kinds() {
    let bench = bench();
    for (tag, config, layer) in [
        ("zstd", IMAGE_CONFIG, "application/vnd.oci.image.layer.v1.tar+zstd"),
        ("plain", IMAGE_CONFIG, "application/vnd.oci.image.layer.v1.tar"),
        ("encrypted", IMAGE_CONFIG, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"),
        (
            "helm",
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        ),
        ("wasm", "application/vnd.wasm.config.v0+json", "application/wasm"),
        ("sif", "application/vnd.sylabs.sif.config.v1+json", "appliciation/vnd.sylabs.sif.layer.tar"),
        ("cosign", IMAGE_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"),
        ("model", "application/vnd.cncf.model.config.v1+json", "application/vnd.cncf.model.weight.v1.raw"),
        (
            "kit",
            "application/vnd.kitops.modelkit.config.v1+json",
            "application/vnd.kitops.modelkit.model.v1.tar+gzip",
        ),
    ] {
        let config = blob(&bench, config, format!("{{\"kind\":\"{tag}\"}}").as_bytes());
        let layer = blob(&bench, layer, &noise(tag, 500));
        keeps(&bench, tag, &manifest(&config, &[layer], &json!({})));
    }
}

/// QUIRK. A manifest without `mediaType` keeps the type it was pushed with (older skopeo and containerd).
#[test]
fn w27_no_media_type() {
    let bench = bench();
    let image = oci_image("w27");
    bench.admin.push_image(&bench.repository, "typed", &image);
    let untyped = super::altered(&image.manifest, |value| {
        value.as_object_mut().unwrap().remove("mediaType");
    });
    keeps(&bench, "image", &untyped);
    let list =
        Content::json(OCI_INDEX, &json!({"schemaVersion": 2, "manifests": [image.manifest.descriptor()]}));
    keeps(&bench, "index", &list);
}
