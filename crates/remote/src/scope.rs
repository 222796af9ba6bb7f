//! The rights a request asks a token for.

use hythe_oci::RepositoryName;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read only.
    Pull,
    /// Read and write: registries want both for an upload.
    Push,
}

/// The scope parameter of a token request; it is also the key under which the token is kept.
pub(crate) fn scope(repository: &RepositoryName, access: Access) -> String {
    let actions = match access {
        Access::Pull => "pull",
        Access::Push => "pull,push",
    };
    format!("repository:{repository}:{actions}")
}
