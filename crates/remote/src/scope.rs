//! The rights a request asks a token for.

use hythe_oci::RepositoryName;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read only.
    Pull,
    /// Read and write: registries want both for an upload.
    Push,
    /// Removing manifests, tags and blobs.
    Delete,
}

/// The scope of the list of repositories.
pub(crate) const CATALOGUE: &str = "registry:catalog:*";

/// The scope parameter of a token request; it is also the key under which the token is kept.
pub(crate) fn scope(repository: &RepositoryName, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
        Access::Delete => "pull,push,delete",
    };
    format!("repository:{repository}:{actions}")
}

/// The scopes of a mount: to push here, and to pull there.
pub(crate) fn mount_scope(repository: &RepositoryName, from: Option<&RepositoryName>) -> String {
    let push = scope(repository, Access::Push);
    match from {
        Some(from) => format!("{push} {}", scope(from, Access::Pull)),
        None => push,
    }
}
