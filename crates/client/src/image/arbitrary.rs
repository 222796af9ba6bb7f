//! Generators of valid names for the property tests of every module.

use hythe_oci::{Algorithm, Digest, ProjectName, RepositoryName, Tag};
use proptest::prelude::*;

use super::{Cluster, ClusterName, ImageReference, Profile, Registry, RemoteImage};

pub(crate) fn registry() -> impl Strategy<Value = Registry> {
    let host = prop_oneof![
        Just("localhost".to_owned()),
        Just("docker.io".to_owned()),
        Just("127.0.0.1".to_owned()),
        Just("[::1]".to_owned()),
        Just("[2001:db8::7]".to_owned()),
        "[a-z][a-z0-9]{0,5}(\\.[a-z][a-z0-9-]{0,5}[a-z]){0,2}",
    ];
    (prop::sample::select(vec!["http", "https"]), host, prop::option::of(1_u16..)).prop_filter_map(
        "Docker Hub in the clear",
        |(scheme, host, port)| {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            Registry::parse(&format!("{scheme}://{host}{port}")).ok()
        },
    )
}

/// A component of a repository's name, often one that looks like something else.
fn component() -> impl Strategy<Value = String> {
    let odd =
        prop::sample::select(vec!["latest", "localhost", "library", "acme", "main", "a.b", "docker.io"]);
    prop_oneof![odd.prop_map(str::to_owned), "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}"]
}

pub(crate) fn project() -> impl Strategy<Value = ProjectName> {
    component().prop_map(|name| ProjectName::parse(&name).unwrap())
}

pub(crate) fn repository() -> impl Strategy<Value = RepositoryName> {
    prop::collection::vec(component(), 1..5)
        .prop_map(|parts| RepositoryName::parse(&parts.join("/")).unwrap())
}

pub(crate) fn tag() -> impl Strategy<Value = Tag> {
    prop_oneof![Just("latest".to_owned()), "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"]
        .prop_map(|tag| Tag::parse(&tag).unwrap())
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    (any::<bool>(), any::<[u8; 4]>()).prop_map(|(long, content)| {
        Digest::of(if long { Algorithm::Sha512 } else { Algorithm::Sha256 }, &content)
    })
}

pub(crate) fn reference() -> impl Strategy<Value = ImageReference> {
    (registry(), repository(), prop::option::of(tag()), prop::option::of(digest())).prop_map(
        |(registry, repository, tag, digest)| ImageReference::new(registry, repository, tag, digest).unwrap(),
    )
}

/// A cluster's name, with everything that must be quoted in an address.
pub(crate) fn cluster_name() -> impl Strategy<Value = ClusterName> {
    prop_oneof!["[a-z]{1,6}", "[A-Za-z0-9 %@:?#é._~+-]{1,8}"]
        .prop_filter_map("not a name", |name| ClusterName::parse(&name).ok())
}

/// A profile of one to four clusters with and without organisations and projects.
pub(crate) fn profile() -> impl Strategy<Value = Profile> {
    let cluster = (cluster_name(), registry(), prop::option::of(project()), prop::option::of(project()));
    prop::collection::vec(cluster, 1..5).prop_filter_map("two clusters of one name", |clusters| {
        let clusters = clusters
            .into_iter()
            .map(|(name, registry, org, project)| Cluster::in_registry(name, registry, org, project));
        Profile::new(clusters.collect(), None).ok()
    })
}

/// A profile and an image in one of its clusters, in any organisation.
pub(crate) fn profile_and_image() -> impl Strategy<Value = (Profile, RemoteImage)> {
    let image = (
        any::<prop::sample::Index>(),
        project(),
        project(),
        repository(),
        prop::option::of(tag()),
        prop::option::of(digest()),
    );
    (profile(), image).prop_map(|(profile, (cluster, org, project, name, tag, digest))| {
        let cluster = cluster.get(profile.clusters());
        let org = cluster.org().map(|_| org);
        let image = cluster.image(org.as_ref(), &project, name.as_str()).unwrap().with_parts(tag, digest);
        (profile, image)
    })
}
