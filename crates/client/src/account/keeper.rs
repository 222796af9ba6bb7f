//! Access tokens that renew themselves.
//!
//! Invariant: a token that is handed out has at least a quarter of its life left, and was not refused before. At most
//! one process of a person fetches one at a time; the others find it on the shelf.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hythe_outbound::{Outbound, Url};
use secrecy::{ExposeSecret, SecretString};

use super::exchange::{Issued, issue};
use super::shelf::Shelf;
use super::{AccountError, OwnLogin};

/// A longer life is not believed: a password changed meanwhile should show within a day.
const LONGEST_LIFE: u64 = 24 * 3600;

/// An access token of a Hythe server that stands for its user, as Bearer or in the place of the password.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessToken {
    /// The user's name.
    pub username: String,
    /// The token.
    pub secret: SecretString,
    /// When it ends, by this machine's clock.
    pub ends: SystemTime,
}

/// Keeps one login's access token good. Clones, and other processes of the same person, share it.
#[derive(Clone, Debug)]
pub struct TokenKeeper {
    outbound: Outbound,
    server: Url,
    login: OwnLogin,
    shelf: Shelf,
    /// When in its life this keeper renews, so that many do not come to the server at once.
    share: f64,
}

impl TokenKeeper {
    /// A keeper for a login at `server`. Tokens are shared with other processes through a file that the user alone can
    /// read, below `XDG_CACHE_HOME` or `~/.cache`; where there is no such place, this process keeps its own.
    pub fn new(outbound: Outbound, server: Url, login: OwnLogin) -> Self {
        let shelf = Shelf::default_for(&server, &login.username);
        Self { outbound, server, login, shelf, share: 0.65 + 0.1 * fastrand::f64() }
    }

    /// Shares tokens through a file in this folder instead, which is made if need be; with `None`, not at all.
    pub fn shared_in(mut self, folder: Option<&Path>) -> Self {
        self.shelf = Shelf::of(folder, &self.server, &self.login.username);
        self
    }

    /// An access token that is not about to end.
    ///
    /// # Errors
    /// None is left and none can be fetched.
    pub async fn token(&self) -> Result<AccessToken, AccountError> {
        if let Some(kept) = self.shelf.look()
            && self.is_fresh(&kept)
        {
            return Ok(self.shown(&kept));
        }
        self.fetch(None).await
    }

    /// Another token than `refused`, which a server did not accept.
    ///
    /// # Errors
    /// None can be fetched.
    pub async fn renew(&self, refused: &AccessToken) -> Result<AccessToken, AccountError> {
        self.fetch(Some(refused)).await
    }

    async fn fetch(&self, refused: Option<&AccessToken>) -> Result<AccessToken, AccountError> {
        let turn = self.shelf.turn().await;
        // Somebody may have fetched one while this one waited.
        if let Some(kept) = self.shelf.look()
            && self.is_fresh(&kept)
            && refused.is_none_or(|refused| refused.secret.expose_secret() != kept.token)
        {
            return Ok(self.shown(&kept));
        }
        let asked = now();
        let Issued { token, seconds } = issue(&self.outbound, &self.server, &self.login).await?;
        let kept = Kept {
            token: token.expose_secret().to_owned(),
            issued: asked,
            ends: asked + seconds.min(LONGEST_LIFE),
        };
        self.shelf.put(&kept);
        drop(turn);
        Ok(self.shown(&kept))
    }

    fn is_fresh(&self, kept: &Kept) -> bool {
        kept.is_fresh(now(), self.share)
    }

    fn shown(&self, kept: &Kept) -> AccessToken {
        AccessToken {
            username: self.login.username.clone(),
            secret: kept.token.clone().into(),
            ends: UNIX_EPOCH + Duration::from_secs(kept.ends),
        }
    }
}

/// A token as it lies on the shelf; times in seconds since the Unix epoch, by this machine's clock.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    pub(super) token: String,
    pub(super) issued: u64,
    pub(super) ends: u64,
}

impl Kept {
    /// Whether it can be handed out at `now` by a keeper that renews after this share of its life. A token from the
    /// future says that the clock was set back: its end means nothing.
    fn is_fresh(&self, now: u64, share: f64) -> bool {
        let life = self.ends.saturating_sub(self.issued);
        let age = now.checked_sub(self.issued);
        age.is_some_and(|age| life <= LONGEST_LIFE && seconds(age) < seconds(life) * share)
    }
}

fn seconds(count: u64) -> f64 {
    Duration::from_secs(count).as_secs_f64()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the client's one look at the clock; what is decided by it takes the time"
)]
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_well_before_its_end_and_not_trusted_across_a_changed_clock() {
        let kept = Kept { token: "t".to_owned(), issued: 1_000, ends: 1_300 };
        assert!(kept.is_fresh(1_000, 0.7) && kept.is_fresh(1_209, 0.7));
        assert!(!kept.is_fresh(1_210, 0.7) && !kept.is_fresh(1_300, 0.7));
        assert!(!kept.is_fresh(999, 0.7), "issued in the future");
        let endless = Kept { ends: u64::MAX, ..kept };
        assert!(!endless.is_fresh(1_001, 0.7), "a life that was not ours");
    }
}
