//! One module for each real client, unmodified: sign-in, push and pull of every kind of content it knows,
//! list, delete, a wrong password, a refused push.
//!
//! Invariant: after a client says it pushed, the registry serves every byte the manifest names; after it says
//! it was refused, our own sentence is in what it printed.

mod buildah;
mod ch_image;
mod crane;
mod ctr;
mod docker;
mod helm;
mod oras;
mod podman;
mod regctl;
mod skopeo;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use hythe_testbed::{Actor, Content, Family, Image, Index, Packing, Role, digest, image, index};
use serde_json::Value;

use crate::bench::{self, Bench, Person};

const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFESTS: [&str; 4] = [DOCKER_MANIFEST, DOCKER_LIST, OCI_MANIFEST, OCI_INDEX];
const SBOM: &str = "application/vnd.example.sbom";

/// A private project with an owner and a reader, and content for it.
struct Scene {
    bench: Bench,
    owner: Person,
    reader: Person,
}

impl Scene {
    fn new() -> Self {
        let bench = bench::bench();
        let owner = bench.member(Role::Owner);
        let reader = bench.member(Role::Reader);
        Self { bench, owner, reader }
    }

    /// `127.0.0.1:PORT`.
    fn host(&self) -> String {
        self.bench.server.host()
    }

    /// The full name of the repository.
    fn repository(&self) -> String {
        format!("{}/{}", self.host(), self.bench.repository)
    }

    /// The full name of a tag.
    fn tagged(&self, tag: &str) -> String {
        format!("{}:{tag}", self.repository())
    }

    /// Content of this scene alone.
    fn image(&self, family: Family, packing: Packing) -> Image {
        image(family, packing, &self.bench.project, "amd64")
    }

    /// An index over two platforms, this machine's among them.
    fn index(&self, family: Family) -> Index {
        let of = |architecture| image(family, Packing::Gzip, &self.bench.project, architecture);
        index(family, vec![of("amd64"), of("arm64")])
    }

    /// Puts an image into the registry without the client under test.
    fn put_image(&self, tag: &str, family: Family, packing: Packing) -> Image {
        let image = self.image(family, packing);
        self.bench.admin.push_image(&self.bench.repository, tag, &image);
        image
    }

    /// Puts an index and its images into the registry without the client under test.
    fn put_index(&self, tag: &str, family: Family) -> Index {
        let index = self.index(family);
        for image in &index.images {
            self.bench.admin.push_image(&self.bench.repository, &image.manifest.digest(), image);
        }
        self.bench.admin.put_manifest(&self.bench.repository, tag, &index.manifest).is(201);
        index
    }

    /// Insists that a tag is there with everything it reaches, and returns its manifest.
    #[track_caller]
    fn whole(&self, tag: &str) -> Value {
        whole(&self.bench.admin, &self.bench.repository, tag)
    }

    /// Cuts the file of the tag's first layer behind the server's back.
    fn damage(&self, tag: &str) {
        let layer = self.whole(tag)["layers"][0]["digest"].as_str().unwrap().to_owned();
        let hex = layer.strip_prefix("sha256:").unwrap();
        let path = self.bench.server.data_folder().join("blobs/sha256").join(&hex[..2]).join(hex);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }

    #[track_caller]
    fn gone(&self, reference: &str) {
        self.bench.admin.get(&self.bench.path(&format!("manifests/{reference}"))).is(404);
    }

    /// The referrers of a digest.
    fn referrers(&self, digest: &str) -> Vec<Value> {
        let response = self.bench.admin.get(&self.bench.path(&format!("referrers/{digest}"))).is(200);
        response.json()["manifests"].as_array().unwrap().clone()
    }

    /// The sentence with which the registry refuses a push by the reader.
    fn refused_push(&self) -> String {
        let response = self.reader.actor.post(&self.bench.path("blobs/uploads/")).refused();
        let sentence = response.error()["message"].as_str().unwrap().to_owned();
        assert!(sentence.contains(&self.reader.name) && sentence.contains(&self.bench.project), "{sentence}");
        sentence
    }

    /// The sentence with which a wrong password is refused.
    fn refused_password(&self) -> String {
        let wrong = Actor::basic(self.bench.server.addr(), &self.owner.name, "wrong");
        let response = wrong.get("/v2/").is(401);
        response.error()["message"].as_str().unwrap().to_owned()
    }
}

/// Insists that a manifest, its blobs and its children are served byte for byte.
#[track_caller]
pub(crate) fn whole(actor: &Actor, repository: &str, reference: &str) -> Value {
    let asking = actor.ask("GET", &format!("/v2/{repository}/manifests/{reference}"));
    // distribution shows an OCI manifest to those alone who say that they know of it.
    let response = MANIFESTS.iter().fold(asking, |asking, kind| asking.header("Accept", kind)).send().is(200);
    assert_eq!(response.must("docker-content-digest"), digest(&response.body));
    let manifest = response.json();
    let list = |name: &str| manifest[name].as_array().cloned().unwrap_or_default();
    for child in list("manifests") {
        whole(actor, repository, child["digest"].as_str().unwrap());
    }
    let mut blobs = list("layers");
    blobs.extend(manifest.get("config").cloned());
    for blob in blobs {
        let named = blob["digest"].as_str().unwrap();
        let body = actor.get(&format!("/v2/{repository}/blobs/{named}")).is(200).body;
        assert_eq!((digest(&body).as_str(), Some(body.len() as u64)), (named, blob["size"].as_u64()));
    }
    let mut told = manifest.clone();
    told["mediaType"] = response.must("content-type").into();
    told
}

/// The blobs of an image, as an archive wants them.
fn blobs(image: &Image) -> Vec<&Content> {
    image.blobs.iter().collect()
}

/// Everything an index reaches but itself.
fn below(index: &Index) -> Vec<&Content> {
    index.images.iter().flat_map(|image| image.blobs.iter().chain([&image.manifest])).collect()
}
