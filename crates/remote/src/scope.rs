//! The rights a request asks a token for (the distribution project's token specification, "Token Scope").

use std::fmt;

use hythe_oci::RepositoryName;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Read only.
    Pull,
    /// Read and write: registries want both for an upload.
    Push,
    /// Remove.
    Delete,
}

/// A set of rights; it is also the key under which a token is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Scope(Vec<String>);

impl Scope {
    /// No rights but to be known, as for signing in.
    pub(crate) fn none() -> Self {
        Self(Vec::new())
    }

    /// One repository.
    pub(crate) fn of(repository: &RepositoryName, access: Access) -> Self {
        let actions = match access {
            Access::Pull => "pull",
            Access::Push => "pull,push",
            Access::Delete => "delete",
        };
        Self(vec![format!("repository:{repository}:{actions}")])
    }

    /// The list of repositories.
    pub(crate) fn catalogue() -> Self {
        Self(vec!["registry:catalog:*".to_owned()])
    }

    /// These rights and those.
    pub(crate) fn and(mut self, other: Self) -> Self {
        for part in other.0 {
            if !self.0.contains(&part) {
                self.0.push(part);
            }
        }
        self
    }

    /// These rights and those that a challenge names, joined by blanks.
    pub(crate) fn and_demanded(self, demanded: Option<&str>) -> Self {
        let demanded = demanded.unwrap_or_default().split_ascii_whitespace();
        self.and(Self(demanded.map(str::to_owned).collect()))
    }

    /// The rights one by one, as a token service takes them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// The rights joined by blanks.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}
