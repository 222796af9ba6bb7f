//! The value that proves an authorisation.

use std::marker::PhantomData;
use std::sync::Arc;

use hythe_identity::{Caller, Session, User};
use hythe_oci::{Action, RepositoryName};
use hythe_store::records::projects::ProjectId;

use super::Rights;

/// A right that a permit proves.
pub trait Right: Send + Sync + 'static {
    /// The action it allows.
    const ACTION: Action;
}

/// The right to pull.
#[derive(Debug)]
pub struct Pull;
/// The right to push.
#[derive(Debug)]
pub struct Push;
/// The right to delete.
#[derive(Debug)]
pub struct Delete;

impl Right for Pull {
    const ACTION: Action = Action::Pull;
}
impl Right for Push {
    const ACTION: Action = Action::Push;
}
impl Right for Delete {
    const ACTION: Action = Action::Delete;
}

/// Proof that a caller may do `R` to one repository, made by `Registry::authorize` alone.
#[derive(Debug)]
pub struct Permit<R> {
    repository: RepositoryName,
    project: ProjectId,
    expires_untagged: bool,
    caller: Caller,
    token: Option<String>,
    right: PhantomData<fn() -> R>,
}

impl<R: Right> Permit<R> {
    pub(super) fn new(repository: RepositoryName, rights: Rights, session: &Session) -> Self {
        Self {
            repository,
            project: rights.project.id,
            expires_untagged: rights.project.untagged_days.is_some(),
            caller: session.caller.clone(),
            token: session.token.as_ref().map(ToString::to_string),
            right: PhantomData,
        }
    }
}

impl<R> Permit<R> {
    /// The repository it is for.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    pub(crate) fn project(&self) -> ProjectId {
        self.project
    }

    /// Whether untagged manifests of the project go after a while.
    pub(crate) fn expires_untagged(&self) -> bool {
        self.expires_untagged
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) fn user(&self) -> Option<&Arc<User>> {
        match &self.caller {
            Caller::User(user) => Some(user),
            Caller::Anonymous => None,
        }
    }

    /// The access token that the request carried.
    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }
}
