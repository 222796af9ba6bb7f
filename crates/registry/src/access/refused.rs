//! Refusals by the rules, each a sentence that names who, what, why and what next.

use hythe_oci::{Action, RepositoryName};

/// Why a caller may not do something. To somebody without access, a private project and an
/// absent one read the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nobody is signed in, and visitors may not.
    #[error(
        "Access to {repository} needs a signed-in user: sign in with `docker login` (or your client's login) and try again."
    )]
    SignIn {
        /// The repository asked for.
        repository: RepositoryName,
    },
    /// The token was not issued for this.
    #[error("The access token does not cover {} on {repository}: ask the token service for that scope.", verb(*action))]
    Scope {
        /// The repository asked for.
        repository: RepositoryName,
        /// What was asked.
        action: Action,
    },
    /// The caller may see the project, and may not do this.
    #[error("{user} may pull from {repository} but not {}: ask an owner of project {} for the right.", infinitive(*action), repository.project())]
    Right {
        /// The repository asked for.
        repository: RepositoryName,
        /// What was asked.
        action: Action,
        /// Who asked.
        user: String,
        /// Whether a token was presented (rather than a password).
        presented: bool,
    },
    /// There is no such project; said to administrators alone.
    #[error("There is no project {}: create it first (`hythe project create {}`), then push.", repository.project(), repository.project())]
    NoProject {
        /// The repository asked for.
        repository: RepositoryName,
    },
    /// There is no such project, or the caller may not know of it.
    #[error("{user} has no access to {repository}: check the name, or ask an owner of project {} to add you; if the project does not exist, create it first (`hythe project create {}`).", repository.project(), repository.project())]
    Hidden {
        /// The repository asked for.
        repository: RepositoryName,
        /// Who asked.
        user: String,
        /// Whether a token was presented (rather than a password).
        presented: bool,
    },
}

fn verb(action: Action) -> &'static str {
    match action {
        Action::Pull => "pulling",
        Action::Push => "pushing",
        Action::Delete => "deleting",
    }
}

fn infinitive(action: Action) -> &'static str {
    match action {
        Action::Pull => "pull",
        Action::Push => "push to it",
        Action::Delete => "delete from it",
    }
}
