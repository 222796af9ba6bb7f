//! A name of an image is read as one thing or refused, and what was read is written so that it reads back as the same.
#![no_main]

use hythe_client::image::{Cluster, ClusterName, ImageReference, ImageUri, LocalImage, Profile};
use hythe_oci::{Digest, ProjectName, RepositoryName, Tag};
use libfuzzer_sys::fuzz_target;

fn profile() -> Profile {
    let cluster = |name: &str, registry: &str, org: Option<&str>| {
        let project = |name: &str| ProjectName::parse(name).expect("a name of a project");
        let name = ClusterName::parse(name).expect("a name of a cluster");
        let registry = registry.parse().expect("an address");
        Cluster::new(name, &registry, org.map(project), Some(project("lab"))).expect("a cluster")
    };
    let plain = cluster("main", "https://registry.example.org", None);
    let with_orgs = cluster("other", "http://127.0.0.1:5000", Some("acme"));
    Profile::new(vec![plain, with_orgs], None).expect("two clusters")
}

type Parts<'a> = (&'a str, Option<u16>, &'a RepositoryName, Option<&'a Tag>, Option<&'a Digest>);

fn parts(name: &ImageReference) -> Parts<'_> {
    let registry = name.registry();
    (registry.host(), registry.port(), name.repository(), name.tag(), name.digest())
}

fuzz_target!(|text: &str| {
    let profile = profile();
    if let Ok(image) = profile.resolve(text) {
        assert_eq!(profile.resolve(&image.to_string()).as_ref(), Ok(&image));
    }
    if let Ok(reference) = ImageReference::parse(text) {
        let again = ImageReference::parse(&reference.to_string()).expect("our own name");
        // It is written without a scheme.
        assert_eq!(parts(&again), parts(&reference));
    }
    if let Ok(uri) = ImageUri::parse(text) {
        assert_eq!(ImageUri::parse(&uri.to_string()).as_ref(), Ok(&uri));
    }
    if let Ok(local) = LocalImage::parse(text) {
        assert_eq!(LocalImage::parse(&local.to_string()).as_ref(), Ok(&local));
    }
});
