//! Generators of valid values for the property tests of every module.

use proptest::prelude::*;

use crate::{
    Action, Actions, Algorithm, Digest, ProjectName, Reference, RepositoryName, ScopeSet, Tag, UploadId,
    UserName,
};

/// A component of a repository's name, often one that is a keyword of the paths as well.
fn component() -> impl Strategy<Value = String> {
    let keyword = prop::sample::select(vec![
        "blobs",
        "tags",
        "manifests",
        "uploads",
        "referrers",
        "list",
        "ext",
        "discover",
        "v2",
        "catalog",
    ]);
    prop_oneof![keyword.prop_map(str::to_owned), "[a-z0-9]{1,4}((\\.|_|__|-{1,3})[a-z0-9]{1,3}){0,3}"]
}

pub(crate) fn repository_name() -> impl Strategy<Value = RepositoryName> {
    prop::collection::vec(component(), 1..9)
        .prop_map(|components| RepositoryName::parse(&components.join("/")).unwrap())
}

pub(crate) fn project_name() -> impl Strategy<Value = ProjectName> {
    component().prop_map(|component| ProjectName::parse(&component).unwrap())
}

pub(crate) fn user_name() -> impl Strategy<Value = UserName> {
    "[a-z0-9][a-z0-9._@-]{0,62}".prop_map(|name| UserName::parse(&name).unwrap())
}

pub(crate) fn tag() -> impl Strategy<Value = Tag> {
    let keyword = prop::sample::select(vec!["list", "uploads", "blobs", "manifests", "latest"]);
    prop_oneof![keyword.prop_map(str::to_owned), "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}"]
        .prop_map(|tag| Tag::parse(&tag).unwrap())
}

pub(crate) fn algorithm() -> impl Strategy<Value = Algorithm> {
    prop::sample::select(Algorithm::ALL.to_vec())
}

pub(crate) fn digest() -> impl Strategy<Value = Digest> {
    (algorithm(), any::<[u8; 8]>()).prop_map(|(algorithm, content)| Digest::of(algorithm, &content))
}

pub(crate) fn reference() -> impl Strategy<Value = Reference> {
    prop_oneof![tag().prop_map(Reference::Tag), digest().prop_map(Reference::Digest)]
}

pub(crate) fn upload_id() -> impl Strategy<Value = UploadId> {
    any::<[u8; 16]>().prop_map(UploadId::from_bytes)
}

pub(crate) fn actions() -> impl Strategy<Value = Actions> {
    prop::sample::subsequence(Action::ALL.to_vec(), 0..=3).prop_map(|actions| Actions::of(&actions))
}

pub(crate) fn scope_set() -> impl Strategy<Value = ScopeSet> {
    let repositories = prop::collection::vec((repository_name(), actions()), 0..5);
    (repositories, any::<bool>()).prop_map(|(repositories, catalog)| {
        let mut scopes = ScopeSet::new();
        for (name, actions) in repositories {
            scopes.insert(name, actions);
        }
        if catalog {
            scopes.insert_catalog();
        }
        scopes
    })
}
