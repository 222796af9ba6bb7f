//! Manifests are refused, or taken as either an image or an index with sound descriptors; and a
//! manifest sent with the type it was taken as is taken again.
#![no_main]

use hythe_oci::{Digest, Manifest, ManifestKind};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(manifest) = Manifest::parse(None, bytes) else { return };
    match manifest.kind {
        ManifestKind::Image => assert!(manifest.children.is_empty()),
        ManifestKind::Index => assert!(manifest.config.is_none() && manifest.layers.is_empty()),
    }
    for descriptor in manifest.references().chain(&manifest.subject) {
        if let Some(data) = &descriptor.data {
            assert_eq!(Digest::of(descriptor.digest.algorithm(), data), descriptor.digest);
        }
    }
    let again = Manifest::parse(Some(&manifest.media_type), bytes);
    assert!(again.is_ok_and(|again| again == manifest));
});
