//! Access tokens in use: buying one within a session, and the session that a shown one makes.
//!
//! Invariants: a bought token holds no scope that its session does not cover, and lives no longer than it. A token opens
//! nothing once its user is deleted or their password changed: the user's row is asked at every use, through a cache
//! that cannot disagree with the records.

use std::time::Duration;

use hythe_oci::ScopeSet;

use crate::access_token::AccessToken;
use crate::error::{IdentityError, TokenError};
use crate::identity::Identity;
use crate::who::{Caller, Session};

/// How far the clocks of two replicas may differ.
const LEEWAY: Duration = Duration::from_secs(5);

impl Identity {
    /// Makes an access token for the caller of `session` that holds `scopes`, which the caller's rights were already
    /// asked for, as far as the session's own scopes allow; a session that stands for all of its caller allows all.
    /// Whatever is left of them, the token stands for no more.
    ///
    /// It lives for the configured time (at least 300 s), or until the session's own token ends.
    ///
    /// # Errors
    /// [`IdentityError::Ended`] when the session's own token has ended; else a fault of the service.
    pub fn issue_access(&self, session: &Session, scopes: &ScopeSet) -> Result<AccessToken, IdentityError> {
        let allowed = match &session.scopes {
            // A token that stands for its user buys what the user's password buys, until its own end.
            Some(held) if !session.whole => scopes.intersect(held),
            _ => scopes.clone(),
        };
        self.issue(session, &allowed, false)
    }

    /// Makes an access token without scopes, for a caller who asked for none: it stands for the user if the session
    /// does, and else for nothing but the name.
    ///
    /// # Errors
    /// As [`Identity::issue_access`].
    pub fn issue_identity(&self, session: &Session) -> Result<AccessToken, IdentityError> {
        self.issue(session, &ScopeSet::new(), session.whole)
    }

    fn issue(&self, session: &Session, scopes: &ScopeSet, whole: bool) -> Result<AccessToken, IdentityError> {
        let now = self.inner.store.clock.now();
        let longest = now.plus(self.inner.access_lifetime);
        let ends = session.ends.map_or(longest, |ends| ends.min(longest));
        if session.expired || ends <= now {
            return Err(IdentityError::Ended);
        }
        let user = session.caller.user().map(AsRef::as_ref);
        self.inner.access_tokens.issue(user, scopes, whole, now, ends)
    }

    /// The session of a Bearer token. A genuine token past its end makes a session that says so.
    ///
    /// # Errors
    /// See [`TokenError`]; each but [`TokenError::Unavailable`] means `invalid_token`.
    pub async fn verify_token(&self, token: &str) -> Result<Session, TokenError> {
        let genuine = self.inner.access_tokens.read(token)?;
        let now = self.inner.store.clock.now();
        if genuine.begins > now.plus(LEEWAY) {
            return Err(TokenError::NotYet);
        }
        let caller = match genuine.user {
            None => Caller::Anonymous,
            Some((id, epoch)) => {
                let user = self.inner.users.by_id(id).await;
                match user.map_err(|error| TokenError::Unavailable(error.into()))? {
                    Some(user) if user.epoch == epoch => Caller::User(user),
                    _ => return Err(TokenError::Revoked),
                }
            }
        };
        let stands_for_user = genuine.whole && caller.user().is_some();
        Ok(Session {
            caller,
            // A token that stands for its user is no narrower than the user's password; it only ends.
            scopes: (!stands_for_user).then(|| genuine.scopes.clone()),
            whole: genuine.whole,
            token: Some(genuine.id),
            expired: now > genuine.ends.plus(LEEWAY),
            ends: Some(genuine.ends),
        })
    }
}
