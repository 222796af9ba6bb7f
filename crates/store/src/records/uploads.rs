//! Upload sessions: who may go on with which upload, into which repository, until when.

use hythe_oci::{Algorithm, RepositoryName, UploadId};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{name_at, repository_at, time_at, upload_id_at};
use super::projects::ProjectId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// An upload session's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRow {
    /// Its unguessable id.
    pub id: UploadId,
    /// The project it pushes into.
    pub project: ProjectId,
    /// The repository it pushes into; it may not exist yet.
    pub repository: RepositoryName,
    /// The user who opened it: nobody else may use it.
    pub user: i64,
    /// The algorithm its bytes are hashed with.
    pub algorithm: Algorithm,
    /// The access token that opened it, if one did.
    pub token: Option<String>,
    /// When it was opened.
    pub started: Timestamp,
    /// When it is given up.
    pub expires: Timestamp,
}

const COLUMNS: &str =
    "u.id, u.project_id, u.repository, u.user_id, u.algorithm, u.token_id, u.started, u.expires";

fn upload(row: &Row<'_>) -> rusqlite::Result<UploadRow> {
    Ok(UploadRow {
        id: upload_id_at(row, 0)?,
        project: ProjectId(row.get(1)?),
        repository: repository_at(row, 2)?,
        user: row.get(3)?,
        algorithm: name_at(row, 4)?,
        token: row.get(5)?,
        started: time_at(row, 6)?,
        expires: time_at(row, 7)?,
    })
}

/// Changes when this upload ends.
pub fn upload_topic(id: &UploadId) -> Topic {
    Topic::new("upload", id)
}

/// Which open uploads a listing shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadFilter {
    /// Those that this user opened.
    User(i64),
    /// Those into this project.
    Project(ProjectId),
}

impl Reader<'_> {
    /// An open upload.
    pub fn upload(&self, id: &UploadId) -> Result<Option<UploadRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM uploads u WHERE u.id = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([&id.as_bytes()[..]], upload).optional()?)
    }

    /// Open uploads after an id, in order.
    pub fn uploads(
        &self,
        filter: UploadFilter,
        after: Option<&UploadId>,
        limit: u32,
    ) -> Result<Vec<UploadRow>, RecordError> {
        let (column, value) = match filter {
            UploadFilter::User(id) => ("user_id", id),
            UploadFilter::Project(id) => ("project_id", id.0),
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM uploads u WHERE u.{column} = ?1 AND u.id > ?2 ORDER BY u.id LIMIT ?3"
        );
        let after = after.map_or(&[][..], |id| &id.as_bytes()[..]);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![value, after, limit], upload)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many uploads of a user are open at `now`, counted no further than `most`.
    pub fn open_uploads_of(&self, user: i64, now: Timestamp, most: u32) -> Result<u32, RecordError> {
        let sql = "SELECT count(*) FROM (SELECT 1 FROM uploads WHERE user_id = ?1 AND expires > ?2 LIMIT ?3)";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row(params![user, now, most], |row| row.get(0))?)
    }

    /// How many uploads are open at `now`.
    pub fn open_uploads(&self, now: Timestamp) -> Result<u64, RecordError> {
        let mut statement = self.conn().prepare_cached("SELECT count(*) FROM uploads WHERE expires > ?1")?;
        Ok(statement.query_row([now], |row| row.get::<_, i64>(0))?.unsigned_abs())
    }

    /// Uploads whose time is over, the oldest first.
    pub fn expired_uploads(&self, now: Timestamp, limit: u32) -> Result<Vec<UploadRow>, RecordError> {
        let sql =
            format!("SELECT {COLUMNS} FROM uploads u WHERE u.expires <= ?1 ORDER BY u.expires LIMIT ?2");
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![now, limit], upload)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Until when an expired token still works for this repository.
    pub fn token_extension(
        &self,
        token: &str,
        repository: &RepositoryName,
    ) -> Result<Option<Timestamp>, RecordError> {
        let sql = "SELECT until FROM extended_tokens WHERE token_id = ?1 AND repository = ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row(params![token, repository.as_str()], |row| time_at(row, 0)).optional()?)
    }

    fn other_upload_of_token(&self, ended: &UploadRow, token: &str) -> Result<bool, RecordError> {
        let sql = "SELECT 1 FROM uploads WHERE token_id = ?1 AND repository = ?2 AND id <> ?3 LIMIT 1";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.exists(params![token, ended.repository.as_str(), &ended.id.as_bytes()[..]])?)
    }
}

impl Writer<'_> {
    /// Opens an upload. A token that opens one works for its repository until `extend`, even
    /// beyond its own expiry.
    pub fn insert_upload(&mut self, row: &UploadRow, extend: Timestamp) -> Result<(), RecordError> {
        self.touch(upload_topic(&row.id));
        let sql = "INSERT INTO uploads (id, project_id, repository, user_id, algorithm, token_id,
                     started, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        self.conn().prepare_cached(sql)?.execute(params![
            &row.id.as_bytes()[..],
            row.project.0,
            row.repository.as_str(),
            row.user,
            row.algorithm.as_str(),
            row.token,
            row.started,
            row.expires,
        ])?;
        match &row.token {
            Some(token) => self.extend_token(token, &row.repository, extend),
            None => Ok(()),
        }
    }

    /// Ends an upload, whether finished, cancelled or given up; false if it was over already.
    /// Its token's extension shrinks to `tail` unless another upload of that token is open.
    pub fn end_upload(&mut self, row: &UploadRow, tail: Timestamp) -> Result<bool, RecordError> {
        self.touch(upload_topic(&row.id));
        if let Some(token) = &row.token
            && !self.other_upload_of_token(row, token)?
        {
            let sql = "UPDATE extended_tokens SET until = ?3
                       WHERE token_id = ?1 AND repository = ?2 AND until > ?3";
            self.conn().prepare_cached(sql)?.execute(params![token, row.repository.as_str(), tail])?;
        }
        let sql = "DELETE FROM uploads WHERE id = ?1";
        Ok(self.conn().prepare_cached(sql)?.execute([&row.id.as_bytes()[..]])? == 1)
    }

    /// Forgets every upload, and what is owed to the disk for blobs that are gone: a copy of the records has the
    /// bytes of neither.
    pub fn forget_uploads_and_trash(&mut self) -> Result<(), RecordError> {
        Ok(self.conn().execute_batch("DELETE FROM uploads; DELETE FROM trash")?)
    }

    fn extend_token(
        &mut self,
        token: &str,
        repository: &RepositoryName,
        until: Timestamp,
    ) -> Result<(), RecordError> {
        let sql = "INSERT INTO extended_tokens (token_id, repository, until) VALUES (?1, ?2, ?3)
                   ON CONFLICT (token_id, repository) DO UPDATE SET until = excluded.until";
        self.conn().prepare_cached(sql)?.execute(params![token, repository.as_str(), until])?;
        Ok(())
    }

    /// Forgets extensions that are over.
    pub fn forget_token_extensions(&mut self, now: Timestamp) -> Result<usize, RecordError> {
        let sql = "DELETE FROM extended_tokens WHERE until <= ?1";
        Ok(self.conn().prepare_cached(sql)?.execute([now])?)
    }
}
