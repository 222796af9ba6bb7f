//! Who may do what to which repository, decided by live records on every request.
//!
//! Invariant: `Registry::authorize` is the only maker of a [`Permit`], and every call of this
//! crate that touches images takes one. A token can only narrow what its owner may do now, with one
//! exception that is meant: where a mount may take a blob from is asked of its owner's rights alone,
//! for clients do not ask for scopes of every repository they might mount from.

mod permit;
mod refused;
mod rights;

pub use permit::{Delete, Permit, Pull, Push, Right};
pub use refused::Refused;
pub(crate) use rights::Rights;

use hythe_identity::{Caller, Session};
use hythe_oci::{Actions, RepositoryName, ScopeSet};
use hythe_store::records::repositories::CatalogueView;

use crate::{Error, Registry};

impl Registry {
    /// Lets a session do `R` to a repository, or says why not.
    pub async fn authorize<R: Right>(
        &self,
        session: &Session,
        repository: &RepositoryName,
    ) -> Result<Permit<R>, AuthorizeError> {
        let rights = self.rights(&session.caller, &repository.project()).await?;
        let scoped = match &session.scopes {
            Some(scopes) => scopes.get(repository),
            None => Actions::ALL,
        };
        let presented = session.scopes.is_some();
        // Nothing is hidden from administrators, so they can be told the truth.
        if rights.is_none() && session.caller.user().is_some_and(|user| user.admin) {
            return Err(Refused::NoProject { repository: repository.clone() }.into());
        }
        match rights {
            Some(rights) if rights.actions.contains(R::ACTION) => {
                if !scoped.contains(R::ACTION) {
                    return Err(Refused::Scope { repository: repository.clone(), action: R::ACTION }.into());
                }
                Ok(Permit::new(repository.clone(), rights, session))
            }
            Some(rights) if rights.actions.contains(hythe_oci::Action::Pull) => Err(match session.caller {
                Caller::Anonymous if !presented => Refused::SignIn { repository: repository.clone() },
                _ => Refused::Right {
                    repository: repository.clone(),
                    action: R::ACTION,
                    user: session.caller.name(),
                    presented,
                },
            }
            .into()),
            _ => Err(match session.caller {
                Caller::Anonymous if !presented => Refused::SignIn { repository: repository.clone() },
                _ => {
                    Refused::Hidden { repository: repository.clone(), user: session.caller.name(), presented }
                }
            }
            .into()),
        }
    }

    /// The part of the asked scopes that the caller's live rights cover. Asking for more than one
    /// may is no error: the rest is left out.
    pub async fn granted(&self, caller: &Caller, asked: &ScopeSet) -> Result<ScopeSet, Error> {
        let mut granted = ScopeSet::default();
        for (repository, actions) in asked.repositories() {
            let rights = self.rights(caller, &repository.project()).await?;
            let covered = rights.map_or(Actions::NONE, |rights| rights.actions.intersect(actions));
            if !covered.is_empty() {
                granted.insert(repository.clone(), covered);
            }
        }
        if asked.catalog() {
            granted.insert_catalog();
        }
        Ok(granted)
    }

    /// Whether an expired token may still finish what it opened in this repository
    /// (`24 h` at most after its upload began, and only while that upload lasts and shortly after).
    pub async fn outlives_expiry(
        &self,
        session: &Session,
        repository: &RepositoryName,
    ) -> Result<bool, Error> {
        let Some(token) = session.token.as_ref().map(ToString::to_string) else {
            return Ok(false);
        };
        let repository = repository.clone();
        let until = self.records().read(move |r| r.token_extension(&token, &repository)).await?;
        Ok(until.is_some_and(|until| until > self.now()))
    }
}

/// Whose repositories this caller's listings and searches cover.
pub(crate) fn view_of(caller: &Caller) -> CatalogueView {
    match caller {
        Caller::Anonymous => CatalogueView::Anonymous,
        Caller::User(user) if user.admin => CatalogueView::Everything,
        Caller::User(user) => CatalogueView::User(user.id.0),
    }
}

/// Why `authorize` gave no permit.
#[derive(Debug, thiserror::Error)]
pub enum AuthorizeError {
    /// The rules say no.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The records could not be asked.
    #[error(transparent)]
    Failed(#[from] Error),
}
