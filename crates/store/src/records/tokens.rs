//! Refresh tokens (by the SHA-256 of their text; the text itself is kept nowhere) and the secrets of the service.

use std::fmt;

use rusqlite::{OptionalExtension, Row, params};

use super::columns::time_at;
use super::{Reader, RecordError, Writer};
use crate::Timestamp;

/// A refresh token's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshTokenRow {
    /// The name by which the token is listed and revoked; no secret.
    pub id: String,
    /// The user it signs in.
    pub user: i64,
    /// The client that asked for it, as that client called itself.
    pub client: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last used, within the caller's resolution.
    pub used: Timestamp,
    /// When it ends.
    pub expires: Timestamp,
}

/// The SHA-256 of a refresh token's text. Its `Debug` shows nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl fmt::Debug for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenHash(…)")
    }
}

const COLUMNS: &str = "id, user_id, client, created, used, expires";

fn refresh_token(row: &Row<'_>) -> rusqlite::Result<RefreshTokenRow> {
    Ok(RefreshTokenRow {
        id: row.get(0)?,
        user: row.get(1)?,
        client: row.get(2)?,
        created: time_at(row, 3)?,
        used: time_at(row, 4)?,
        expires: time_at(row, 5)?,
    })
}

impl Reader<'_> {
    /// The refresh token with this hash, expired or not.
    pub fn refresh_token(&self, hash: TokenHash) -> Result<Option<RefreshTokenRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM refresh_tokens WHERE hash = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([&hash.0[..]], refresh_token).optional()?)
    }

    /// At most `limit` refresh tokens of a user after an id, in the order of their ids.
    pub fn refresh_tokens(
        &self,
        user: i64,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RefreshTokenRow>, RecordError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM refresh_tokens WHERE user_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![user, after.unwrap_or(""), limit], refresh_token)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The secret of the service of this name.
    pub fn secret(&self, name: &str) -> Result<Option<Vec<u8>>, RecordError> {
        let mut statement = self.conn().prepare_cached("SELECT value FROM secrets WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }
}

impl Writer<'_> {
    /// Records a refresh token, then deletes the user's expired ones and, beyond `keep` tokens, those that were used
    /// longest ago. False if the user is gone or has another epoch than the one who signed in.
    pub fn insert_refresh_token(
        &mut self,
        hash: TokenHash,
        row: &RefreshTokenRow,
        epoch: i64,
        keep: u32,
    ) -> Result<bool, RecordError> {
        let sql = "INSERT INTO refresh_tokens (hash, id, user_id, client, created, used, expires)
                   SELECT ?1, ?2, u.id, ?4, ?5, ?6, ?7 FROM users u WHERE u.id = ?3 AND u.epoch = ?8";
        let inserted = self.conn().prepare_cached(sql)?.execute(params![
            &hash.0[..],
            row.id,
            row.user,
            row.client,
            row.created,
            row.used,
            row.expires,
            epoch
        ])?;
        let sql = "DELETE FROM refresh_tokens WHERE user_id = ?1 AND (expires <= ?2 OR id IN (
                     SELECT id FROM refresh_tokens WHERE user_id = ?1 AND hash <> ?3
                     ORDER BY used DESC, id LIMIT 1000000 OFFSET ?4))";
        self.conn().prepare_cached(sql)?.execute(params![
            row.user,
            row.created,
            &hash.0[..],
            keep.saturating_sub(1)
        ])?;
        Ok(inserted == 1)
    }

    /// Notes a use at `now` unless one at `recent` or later is noted already.
    pub fn mark_refresh_token_used(
        &mut self,
        hash: TokenHash,
        now: Timestamp,
        recent: Timestamp,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE refresh_tokens SET used = ?2 WHERE hash = ?1 AND used < ?3";
        self.conn().prepare_cached(sql)?.execute(params![&hash.0[..], now, recent])?;
        Ok(())
    }

    /// Deletes a user's refresh token by its id; false if they have no such token.
    pub fn delete_refresh_token(&mut self, user: i64, id: &str) -> Result<bool, RecordError> {
        let sql = "DELETE FROM refresh_tokens WHERE user_id = ?1 AND id = ?2";
        Ok(self.conn().prepare_cached(sql)?.execute(params![user, id])? == 1)
    }

    /// Keeps `value` as the secret of this name unless there is one, and answers the one that holds: every replica
    /// that starts at the same time gets the same.
    pub fn secret_or_insert(
        &mut self,
        name: &str,
        value: &[u8],
        now: Timestamp,
    ) -> Result<Vec<u8>, RecordError> {
        let sql =
            "INSERT INTO secrets (name, value, created) VALUES (?1, ?2, ?3) ON CONFLICT (name) DO NOTHING";
        self.conn().prepare_cached(sql)?.execute(params![name, value, now])?;
        let mut statement = self.conn().prepare_cached("SELECT value FROM secrets WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0))?)
    }
}
