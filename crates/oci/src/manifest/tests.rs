//! Which manifests are taken, as what, and with which words the others are refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::digest::{Algorithm, Digest};
use crate::media_type::{DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_EMPTY, OCI_LAYER_GZIP};

const NONDISTRIBUTABLE: &str = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

fn media_type(text: &str) -> MediaType {
    MediaType::parse(text).unwrap()
}

fn descriptor(media_type: &str, content: &[u8]) -> Value {
    let digest = Digest::of(Algorithm::Sha256, content).to_string();
    json!({"mediaType": media_type, "digest": digest, "size": content.len()})
}

fn image(media_type: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": descriptor(OCI_CONFIG, b"{}"),
        "layers": [descriptor(OCI_LAYER_GZIP, b"one"), descriptor(OCI_LAYER_GZIP, b"two")],
    })
}

fn index(media_type: &str) -> Value {
    json!({"schemaVersion": 2, "mediaType": media_type, "manifests": [descriptor(OCI_MANIFEST, b"child")]})
}

/// `document` with `members` over it; a member that is null is taken away.
fn but(mut document: Value, members: &Value) -> Value {
    let object = document.as_object_mut().unwrap();
    for (key, value) in members.as_object().unwrap() {
        match value {
            Value::Null => object.remove(key),
            value => object.insert(key.clone(), value.clone()),
        };
    }
    document
}

fn parse(content_type: Option<&str>, document: &Value) -> Result<Manifest, ManifestError> {
    Manifest::parse(content_type.map(media_type).as_ref(), document.to_string().as_bytes())
}

#[test]
fn the_four_known_types_are_read() {
    for (name, document, kind) in [
        (OCI_MANIFEST, image(OCI_MANIFEST), ManifestKind::Image),
        (DOCKER_MANIFEST, image(DOCKER_MANIFEST), ManifestKind::Image),
        (OCI_INDEX, index(OCI_INDEX), ManifestKind::Index),
        (DOCKER_LIST, index(DOCKER_LIST), ManifestKind::Index),
    ] {
        // With both, with the header alone, and with the body alone.
        let without = but(document.clone(), &json!({"mediaType": null}));
        for (header, document) in [(Some(name), &document), (Some(name), &without), (None, &document)] {
            let manifest = parse(header, document).unwrap();
            assert_eq!((manifest.media_type, manifest.kind), (media_type(name), kind), "{name}");
            assert_eq!(manifest.config.is_some(), kind == ManifestKind::Image);
            assert_eq!(
                (manifest.layers.len(), manifest.children.len()),
                match kind {
                    ManifestKind::Image => (2, 0),
                    ManifestKind::Index => (0, 1),
                }
            );
        }
    }
}

#[test]
fn an_unknown_type_is_judged_by_its_shape() {
    let own = "application/vnd.example.manifest.v1+json";
    for (header, document, expected, kind) in [
        (Some(own), but(image(own), &json!({"config": null})), own, ManifestKind::Image),
        (Some(own), but(image(own), &json!({"layers": null})), own, ManifestKind::Image),
        (Some(own), index(own), own, ManifestKind::Index),
        (None, but(image(own), &json!({"mediaType": null})), OCI_MANIFEST, ManifestKind::Image),
        (None, but(index(own), &json!({"mediaType": null})), OCI_INDEX, ManifestKind::Index),
    ] {
        let manifest = parse(header, &document).unwrap();
        assert_eq!((manifest.media_type.as_str(), manifest.kind), (expected, kind));
    }
}

#[test]
fn empty_lists_are_taken() {
    for document in [
        but(image(OCI_MANIFEST), &json!({"layers": []})),
        but(image(OCI_MANIFEST), &json!({"layers": null})),
        but(index(OCI_INDEX), &json!({"manifests": []})),
        // What Go writes for a list that was never made.
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": null}),
        json!({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": null, "config": descriptor(OCI_EMPTY, b"{}")}),
    ] {
        let manifest = parse(None, &document).unwrap();
        assert!(manifest.layers.is_empty() && manifest.children.is_empty());
    }
}

#[test]
fn an_index_may_hold_blobs_and_other_indexes() {
    let children = json!([
        descriptor("application/vnd.buildkit.cacheconfig.v0", b"cache"),
        descriptor(OCI_LAYER_GZIP, b"layer"),
        descriptor(OCI_INDEX, b"index"),
        descriptor("no media type at all", b"odd"),
    ]);
    let manifest = parse(None, &but(index(OCI_INDEX), &json!({"manifests": children}))).unwrap();
    assert_eq!(manifest.children.len(), 4);
    assert_eq!(manifest.references().count(), 4);
    assert_eq!(manifest.required_blobs().count(), 0);
    assert_eq!(manifest.children[3].essence(), None);
}

#[test]
fn layers_that_may_be_elsewhere_are_not_required() {
    let layers = json!([descriptor(NONDISTRIBUTABLE, b"away"), descriptor(OCI_LAYER_GZIP, b"here")]);
    let manifest = parse(None, &but(image(OCI_MANIFEST), &json!({"layers": layers}))).unwrap();
    let required: Vec<_> = manifest.required_blobs().map(|blob| blob.digest).collect();
    assert_eq!(required, [Digest::of(Algorithm::Sha256, b"{}"), Digest::of(Algorithm::Sha256, b"here")]);
    assert_eq!(manifest.references().count(), 3);
}

#[test]
fn a_referrer_reports_its_artifact_type_or_that_of_its_configuration() {
    let subject = json!({"subject": descriptor(OCI_MANIFEST, b"subject")});
    let plain = parse(None, &but(image(OCI_MANIFEST), &subject)).unwrap();
    assert_eq!(plain.referrer_type(), Some(OCI_CONFIG));
    assert_eq!(plain.subject.as_ref().unwrap().digest, Digest::of(Algorithm::Sha256, b"subject"));
    assert_eq!(plain.references().count(), 3, "a subject is not kept alive by its referrer");
    let typed =
        but(image(OCI_MANIFEST), &json!({"artifactType": "application/SBOM", "annotations": {"k": "v"}}));
    let typed = parse(None, &typed).unwrap();
    assert_eq!(typed.referrer_type(), Some("application/SBOM"));
    assert_eq!(typed.annotations["k"], "v");
    assert_eq!(parse(None, &index(OCI_INDEX)).unwrap().referrer_type(), None);
}

#[test]
fn each_refusal_says_why() {
    let image = || image(OCI_MANIFEST);
    let index = || index(OCI_INDEX);
    let layers = json!([descriptor(OCI_LAYER_GZIP, b"one")]);
    let manifests = json!([descriptor(OCI_MANIFEST, b"child")]);
    let own = "application/vnd.example.manifest.v1+json";
    let shapeless = json!({"schemaVersion": 2, "mediaType": own});
    for (header, document, part) in [
        // Two readers, two images.
        (None, but(image(), &json!({"manifests": manifests})), "`manifests` beside `config` or `layers`"),
        (None, but(index(), &json!({"layers": layers})), "`manifests` beside `config` or `layers`"),
        (None, but(index(), &json!({"layers": []})), "`manifests` beside `config` or `layers`"),
        (Some(own), but(image(), &json!({"mediaType": own, "manifests": []})), "either an index or an image"),
        (None, but(index(), &json!({"Layers": layers})), "`Layers` must be written `layers`"),
        (None, but(image(), &json!({"CONFIG": {}})), "`CONFIG` must be written `config`"),
        (
            Some(OCI_INDEX),
            image(),
            "was sent as application/vnd.oci.image.index.v1+json, and its `mediaType` says",
        ),
        (Some(DOCKER_MANIFEST), image(), "both must be the same"),
        (
            Some(OCI_INDEX),
            but(image(), &json!({"mediaType": null})),
            "`config` does not belong into an index",
        ),
        (
            Some(OCI_MANIFEST),
            but(index(), &json!({"mediaType": null})),
            "does not belong into an image manifest",
        ),
        // Former types.
        (Some(DOCKER_SCHEMA1), json!({"schemaVersion": 1, "fsLayers": []}), "Docker schema 1"),
        (Some(DOCKER_SCHEMA1_SIGNED), image(), "Docker schema 1"),
        (None, json!({"schemaVersion": 1, "fsLayers": []}), "Docker schema 1"),
        (None, but(image(), &json!({"mediaType": DOCKER_SCHEMA1})), "Docker schema 1"),
        (Some(OCI_ARTIFACT_MANIFEST), json!({"blobs": []}), "dropped from the image specification"),
        (
            None,
            json!({"mediaType": OCI_ARTIFACT_MANIFEST, "blobs": []}),
            "dropped from the image specification",
        ),
        // Not what the specification asks for.
        (None, but(image(), &json!({"schemaVersion": null})), "`schemaVersion` is missing, and must be 2"),
        (None, but(image(), &json!({"schemaVersion": 3})), "`schemaVersion` must be the number 2"),
        (None, but(image(), &json!({"schemaVersion": "2"})), "`schemaVersion` must be the number 2"),
        (None, but(image(), &json!({"mediaType": 7})), "`mediaType` must be a string"),
        (None, but(image(), &json!({"mediaType": "json"})), "`mediaType` is wrong: `json` is no media type"),
        (None, but(image(), &json!({"config": null})), "`config` is missing"),
        (None, but(image(), &json!({"config": null, "mediaType": null})), "`config` is missing"),
        (None, json!({"schemaVersion": 2}), "neither `manifests` nor `config` and `layers`"),
        (None, but(image(), &json!({"config": []})), "`config` must be an object"),
        (None, but(image(), &json!({"layers": {}})), "`layers` must be an array"),
        (None, but(image(), &json!({"layers": [{}]})), "`layers[0].digest` is missing"),
        (None, but(image(), &json!({"annotations": {"k": 1}})), "`annotations` must hold strings only"),
        (None, but(image(), &json!({"artifactType": 1})), "`artifactType` must be a string"),
        (None, but(image(), &json!({"subject": "x"})), "`subject` must be an object"),
        (None, but(index(), &json!({"manifests": null})), "`manifests` is missing"),
        (None, but(index(), &json!({"manifests": [1]})), "`manifests[0]` must be an object"),
        (Some(own), shapeless, "neither `manifests` nor `config` and `layers`"),
        (None, json!([]), "must be an object"),
        (None, json!("x"), "must be an object"),
    ] {
        let error = parse(header, &document).map(|_| ()).expect_err(part);
        assert!(error.to_string().contains(part), "{error}\nbut expected: {part}");
        assert!(error.to_string().ends_with('.') && !error.to_string().contains(".."), "{error}");
        assert_eq!((error.code(), error.status()), (ErrorCode::ManifestInvalid, 400), "{error}");
    }
}

#[test]
fn bytes_that_are_not_one_json_document_are_refused() {
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let within = format!(r#"{{"schemaVersion":2,"x":{deep}}}"#);
    let twice = r#"{"schemaVersion":2,"config":{},"layers":[{"size":1,"size":2}]}"#;
    for (bytes, part) in [
        ("", "EOF"),
        ("not json", "expected"),
        (deep.as_str(), "nested deeper than 64 levels"),
        (within.as_str(), "nested deeper than 64 levels"),
        (twice, "the key `size` appears twice"),
    ] {
        let error = Manifest::parse(None, bytes.as_bytes()).unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
        assert_eq!((error.code(), error.status()), (ErrorCode::ManifestInvalid, 400));
    }
}

#[test]
fn size_and_count_are_bounded() {
    // A large manifest is large by its annotations, as in the conformance suite.
    let annotations: serde_json::Map<_, _> =
        (0..390).map(|at| (format!("org.example.{at}"), json!("x".repeat(10_000)))).collect();
    let large = but(image(OCI_MANIFEST), &json!({"annotations": annotations})).to_string();
    assert!(large.len() > 3_900_000);
    assert!(Manifest::parse(None, large.as_bytes()).is_ok());

    let padded = |length: usize| {
        let document = image(OCI_MANIFEST).to_string();
        document.clone() + &" ".repeat(length - document.len())
    };
    assert!(Manifest::parse(None, padded(MANIFEST_BYTES).as_bytes()).is_ok());
    let error = Manifest::parse(None, padded(MANIFEST_BYTES + 1).as_bytes()).unwrap_err();
    assert_eq!((error.code(), error.status()), (ErrorCode::SizeInvalid, 413));
    assert!(error.to_string().contains("4194305 bytes"), "{error}");

    let layers = |count: usize| {
        let layer = descriptor("a/b", b"x");
        but(image(OCI_MANIFEST), &json!({"layers": vec![layer; count]}))
    };
    assert_eq!(parse(None, &layers(DESCRIPTORS)).unwrap().layers.len(), DESCRIPTORS);
    let error = parse(None, &layers(DESCRIPTORS + 1)).unwrap_err().to_string();
    assert!(error.contains("`layers` has 10001 entries"), "{error}");
}

/// What holds for every manifest that is taken.
fn check(manifest: &Manifest) -> Result<(), TestCaseError> {
    match manifest.kind {
        ManifestKind::Image => prop_assert!(manifest.children.is_empty()),
        ManifestKind::Index => prop_assert!(manifest.config.is_none() && manifest.layers.is_empty()),
    }
    prop_assert!(!manifest.media_type.is_schema1());
    prop_assert!(!manifest.media_type.is_image() || manifest.config.is_some());
    for descriptor in manifest.references().chain(&manifest.subject) {
        prop_assert!(i64::try_from(descriptor.size).is_ok());
        if let Some(data) = &descriptor.data {
            prop_assert_eq!(Digest::of(descriptor.digest.algorithm(), data), descriptor.digest);
        }
    }
    Ok(())
}

/// Any of the values in a document, or a near miss, put in any place.
fn fragment() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!([])),
        Just(json!({})),
        Just(json!(2)),
        Just(json!(-1)),
        Just(json!("")),
        Just(json!(OCI_INDEX)),
        Just(json!(DOCKER_MANIFEST)),
        Just(json!([descriptor(OCI_LAYER_GZIP, b"one")])),
        Just(descriptor(OCI_EMPTY, b"{}")),
        Just(but(descriptor(OCI_EMPTY, b"{}"), &json!({"data": "e30="}))),
        Just(but(descriptor(OCI_EMPTY, b"{}"), &json!({"data": "W10="}))),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(manifest) = Manifest::parse(None, &bytes) {
            check(&manifest)?;
        }
    }

    #[test]
    fn a_document_with_members_changed_is_sound_or_refused(
        base in prop::sample::select(vec![image(OCI_MANIFEST), index(OCI_INDEX), image(DOCKER_MANIFEST)]),
        changes in prop::collection::vec((prop::sample::select(KNOWN.to_vec()), fragment()), 0..4),
        header in prop::option::of(prop::sample::select(vec![OCI_MANIFEST, OCI_INDEX, "application/x"])),
    ) {
        let mut document = base;
        for (key, value) in changes {
            document[key] = value;
        }
        if let Ok(manifest) = parse(header, &document) {
            check(&manifest)?;
        }
    }

    #[test]
    fn a_document_with_bytes_changed_is_sound_or_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        shorten in any::<bool>(),
    ) {
        let mut bytes = image(OCI_MANIFEST).to_string().into_bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if shorten {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(manifest) = Manifest::parse(None, &bytes) {
            check(&manifest)?;
        }
    }
}
