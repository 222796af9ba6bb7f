//! Local users.
//!
//! Every change of a user touches both topics, by name and by id, so that no cache keyed by either can show an old
//! password hash or a deleted user.

use std::fmt;

use hythe_oci::UserName;
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{name_at, time_at};
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// A password hash in PHC form. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredHash(pub String);

impl fmt::Debug for StoredHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("StoredHash(…)")
    }
}

/// A user's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// The random positive id: a deleted and re-created name gets another.
    pub id: i64,
    /// The name, unique.
    pub name: UserName,
    /// The password's hash; `None` for a user who cannot sign in with a password.
    pub password_hash: Option<StoredHash>,
    /// Whether the user may do everything.
    pub admin: bool,
    /// When the user was made.
    pub created: Timestamp,
    /// Counts the changes that end the user's tokens; a token carries the number it was made under.
    pub epoch: i64,
}

/// What became of an order to delete a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserDeletion {
    /// The user is gone, with their refresh tokens, memberships and open uploads.
    Deleted,
    /// There was no such user.
    Missing,
    /// Nothing was deleted: nobody else is administrator.
    LastAdministrator,
}

/// Changes when a user of this name is made, changed or deleted.
pub fn user_name_topic(name: &UserName) -> Topic {
    Topic::new("user-name", name)
}

/// Changes when the user of this id is made, changed or deleted.
pub fn user_topic(id: i64) -> Topic {
    Topic::new("user", &id)
}

const COLUMNS: &str = "id, name, password_hash, admin, created, epoch";

fn user(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get(0)?,
        name: name_at(row, 1)?,
        password_hash: row.get::<_, Option<String>>(2)?.map(StoredHash),
        admin: row.get::<_, i64>(3)? != 0,
        created: time_at(row, 4)?,
        epoch: row.get(5)?,
    })
}

impl Reader<'_> {
    /// The user of this name.
    pub fn user_by_name(&self, name: &UserName) -> Result<Option<UserRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE name = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([name.as_str()], user).optional()?)
    }

    /// The user of this id.
    pub fn user_by_id(&self, id: i64) -> Result<Option<UserRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE id = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([id], user).optional()?)
    }

    /// At most `limit` users after a name, in the order of their names.
    pub fn users(&self, after: Option<&UserName>, limit: u32) -> Result<Vec<UserRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM users WHERE name > ?1 ORDER BY name LIMIT ?2");
        let after = after.map_or("", UserName::as_str);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, limit], user)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether there is any user yet.
    pub fn has_users(&self) -> Result<bool, RecordError> {
        let mut statement = self.conn().prepare_cached("SELECT 1 FROM users LIMIT 1")?;
        Ok(statement.exists([])?)
    }
}

impl Writer<'_> {
    /// Makes a user; false if the name (or, all but impossible, the random id) is taken.
    pub fn insert_user(&mut self, row: &UserRow) -> Result<bool, RecordError> {
        self.touch(user_name_topic(&row.name));
        self.touch(user_topic(row.id));
        let sql = "INSERT INTO users (id, name, password_hash, admin, created, epoch)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        let changed = self.conn().prepare_cached(sql)?.execute(params![
            row.id,
            row.name.as_str(),
            row.password_hash.as_ref().map(|hash| &hash.0),
            i64::from(row.admin),
            row.created,
            row.epoch
        ])?;
        Ok(changed == 1)
    }

    /// Sets a user's password, ends their access tokens by the epoch and deletes their refresh tokens; false if there
    /// is no such user.
    pub fn set_user_password(&mut self, name: &UserName, hash: &StoredHash) -> Result<bool, RecordError> {
        let Some(id) = self.touch_user(name)? else { return Ok(false) };
        let sql = "UPDATE users SET password_hash = ?2, epoch = epoch + 1 WHERE id = ?1";
        self.conn().prepare_cached(sql)?.execute(params![id, hash.0])?;
        self.conn().prepare_cached("DELETE FROM refresh_tokens WHERE user_id = ?1")?.execute([id])?;
        Ok(true)
    }

    /// Deletes a user unless that would leave no administrator.
    pub fn delete_user(&mut self, name: &UserName) -> Result<UserDeletion, RecordError> {
        let Some(id) = self.touch_user(name)? else { return Ok(UserDeletion::Missing) };
        let sql = "DELETE FROM users WHERE id = ?1
                   AND (admin = 0 OR EXISTS (SELECT 1 FROM users WHERE admin = 1 AND id <> ?1))";
        match self.conn().prepare_cached(sql)?.execute([id])? {
            0 => Ok(UserDeletion::LastAdministrator),
            _ => Ok(UserDeletion::Deleted),
        }
    }

    /// Touches both topics of the user of this name and answers their id.
    fn touch_user(&mut self, name: &UserName) -> Result<Option<i64>, RecordError> {
        let mut statement = self.conn().prepare_cached("SELECT id FROM users WHERE name = ?1")?;
        let id = statement.query_row([name.as_str()], |row| row.get(0)).optional()?;
        drop(statement);
        self.touch(user_name_topic(name));
        if let Some(id) = id {
            self.touch(user_topic(id));
        }
        Ok(id)
    }
}
