//! Refresh tokens: what a client keeps instead of the password.
//!
//! A token is 256 random bits with a recognisable prefix. Only its SHA-256 is kept; its text is shown once. It opens
//! nothing by itself: it buys access tokens, at the token service or as a Basic password.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hythe_store::Timestamp;
use hythe_store::records::tokens::{RefreshTokenRow, TokenHash};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::error::{IdentityError, SignInError};
use crate::identity::Identity;
use crate::random;
use crate::who::{TokenId, User, UserId};

/// How every refresh token begins, so that people and secret scanners recognise one.
pub const REFRESH_PREFIX: &str = "hyr_";
/// Tokens kept per user; a further one replaces the one that was used longest ago.
const KEPT_PER_USER: u32 = 200;
/// Longest name of a client that is kept, in characters.
const LONGEST_CLIENT: usize = 100;
/// A use is noted at most this often, so that reading stays free of writes.
const USE_RESOLUTION: Duration = Duration::from_hours(1);

/// A refresh token as it is listed: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The identifier by which it is revoked.
    pub id: TokenId,
    /// What the client that asked for it called itself.
    pub client: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, to the hour.
    pub used: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

impl Identity {
    /// Makes a refresh token for a user who has just signed in, at the wish of `client` (its own name for itself).
    ///
    /// # Errors
    /// [`IdentityError::Ended`] when the user was deleted or the password changed meanwhile; else a fault.
    pub async fn issue_refresh(&self, user: &User, client: &str) -> Result<SecretString, IdentityError> {
        let text = random::secret_text(REFRESH_PREFIX)?;
        let hash = hash_of(&text);
        let now = self.inner.store.clock.now();
        let row = RefreshTokenRow {
            id: TokenId::random()?.to_string(),
            user: user.id.0,
            client: printable(client),
            created: now,
            used: now,
            expires: now.plus(self.inner.refresh_lifetime),
        };
        let epoch = user.epoch;
        let records = &self.inner.store.records;
        let inserted = records
            .write::<_, IdentityError>(move |writer| {
                Ok(writer.insert_refresh_token(hash, &row, epoch, KEPT_PER_USER)?)
            })
            .await?;
        if inserted { Ok(text) } else { Err(IdentityError::Ended) }
    }

    /// The user whom a refresh token signs in.
    ///
    /// Failures are not throttled, only logged with the address: 256 random bits cannot be guessed, and an old token
    /// in one place must not lock the user out of another behind the same address.
    ///
    /// # Errors
    /// [`SignInError::TokenRefused`] when it is unknown, revoked or expired; else a fault.
    pub async fn redeem_refresh(&self, token: &SecretString, from: IpAddr) -> Result<Arc<User>, SignInError> {
        let hash = hash_of(token);
        let now = self.inner.store.clock.now();
        let records = &self.inner.store.records;
        let row = records.read::<_, IdentityError>(move |reader| Ok(reader.refresh_token(hash)?)).await?;
        let Some(row) = row.filter(|row| now < row.expires) else {
            tracing::info!(%from, "a refresh token was refused: unknown, revoked or expired");
            return Err(SignInError::TokenRefused);
        };
        let user = self.inner.users.by_id(UserId(row.user)).await.map_err(IdentityError::from)?;
        let user = user.ok_or(SignInError::TokenRefused)?;
        let recent = now.minus(USE_RESOLUTION);
        if row.used < recent {
            let noted = records.write(move |writer| writer.mark_refresh_token_used(hash, now, recent)).await;
            if let Err(error) = noted {
                // On a full disk pulls go on: an old date in a listing is the lesser evil.
                tracing::warn!(%error, "the use of a refresh token could not be noted");
            }
        }
        Ok(user)
    }

    /// At most `limit` refresh tokens of a user after the one called `after`, expired ones included.
    ///
    /// # Errors
    /// Fails when the records cannot be read.
    pub async fn list_refresh(
        &self,
        user: UserId,
        after: Option<TokenId>,
        limit: u32,
    ) -> Result<Vec<RefreshToken>, IdentityError> {
        let after = after.map(|id| id.to_string());
        let rows = self
            .inner
            .store
            .records
            .read::<_, IdentityError>(move |reader| {
                Ok(reader.refresh_tokens(user.0, after.as_deref(), limit)?)
            })
            .await?;
        rows.into_iter().map(listed).collect()
    }

    /// Revokes a refresh token; false if the user has no such token. Access tokens it bought live on until they
    /// end.
    ///
    /// # Errors
    /// Fails when the records cannot be written.
    pub async fn revoke_refresh(&self, user: UserId, id: TokenId) -> Result<bool, IdentityError> {
        let records = &self.inner.store.records;
        let id = id.to_string();
        records.write(move |writer| Ok(writer.delete_refresh_token(user.0, &id)?)).await
    }
}

/// Whether a secret given as password is meant as a refresh token.
pub(crate) fn looks_like_refresh_token(secret: &SecretString) -> bool {
    secret.expose_secret().starts_with(REFRESH_PREFIX)
}

fn hash_of(token: &SecretString) -> TokenHash {
    TokenHash(Sha256::digest(token.expose_secret().as_bytes()).into())
}

fn listed(row: RefreshTokenRow) -> Result<RefreshToken, IdentityError> {
    let RefreshTokenRow { id, client, created, used, expires, .. } = row;
    let id = id.parse().map_err(|_| {
        hythe_store::RecordError::Unreadable("the identifier of a refresh token has a wrong form".to_owned())
    })?;
    Ok(RefreshToken { id, client, created, used, expires })
}

/// A client's name for itself without control characters, cut to a sane length.
fn printable(client: &str) -> String {
    let name: String = client.chars().filter(|c| !c.is_control()).take(LONGEST_CLIENT).collect();
    if name.trim().is_empty() { "unnamed client".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_names_are_printable_and_short() {
        assert_eq!(printable("docker"), "docker");
        assert_eq!(printable("do\u{1b}[31mcker\n"), "do[31mcker");
        assert_eq!(printable(" \t"), "unnamed client");
        assert_eq!(printable(&"é".repeat(500)).chars().count(), LONGEST_CLIENT);
    }
}
