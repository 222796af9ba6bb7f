//! One test for each row of `docs/conformance.md`, named after the row.
//!
//! The doc comment of a test is the row: its first word is the level, the rest the requirement. The table in
//! the document is written from these comments (`HYTHE_BLESS=1` rewrites it), and the test here fails when
//! the two differ or when a row of the numbering has no test.

mod auth;
mod base;
mod blobs;
mod chunks;
mod deletion;
mod kinds;
mod manifests;
mod mounts;
mod namespace;
mod pulls;

mod referrers;
mod table;
mod tags;
mod uploads;

use hythe_testbed::{Content, Family, Image, Packing, image};
use serde_json::{Value, json};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A small OCI image whose bytes depend on `seed`.
fn oci_image(seed: &str) -> Image {
    image(Family::Oci, Packing::Gzip, seed, "amd64")
}

/// Changes a manifest's JSON.
fn altered(manifest: &Content, change: impl FnOnce(&mut Value)) -> Content {
    let mut value: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    change(&mut value);
    Content::json(&manifest.media_type, &value)
}

/// An index over manifests that are named by their descriptors.
fn index_of(manifests: &[Value]) -> Content {
    Content::json(OCI_INDEX, &json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}))
}
