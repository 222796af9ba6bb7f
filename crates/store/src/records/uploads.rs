//! Upload sessions: who may go on with which upload, into which repository, until when.

use hythe_oci::{Algorithm, Digest, RepositoryName, UploadId};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{
    DigestKey, name_at, optional_digest_at, repository_at, size_at, size_value, time_at, upload_id_at,
};
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
    /// What it is going to be, as its client announced.
    pub expected: Option<Expected>,
}

/// The blob that an upload is going to be. Announced, not promised: what counts is the digest that closes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes, if that was said.
    pub size: Option<u64>,
}

const COLUMNS: &str =
    "u.id, u.project_id, u.repository, u.user_id, u.algorithm, u.token_id, u.started, u.expires,
    u.expected, u.expected_size";

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
        expected: match optional_digest_at(row, 8)? {
            Some(digest) => {
                let size = row.get::<_, Option<i64>>(9)?.is_some().then(|| size_at(row, 9)).transpose()?;
                Some(Expected { digest, size })
            }
            None => None,
        },
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
    /// Those that this user opened for this blob.
    UserAndBlob(i64, Digest),
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
        let after = after.map_or(&[][..], |id| &id.as_bytes()[..]);
        let select = |condition: &str| {
            format!("SELECT {COLUMNS} FROM uploads u WHERE {condition} AND u.id > ?2 ORDER BY u.id LIMIT ?3")
        };
        let rows = match filter {
            UploadFilter::User(user) => self
                .conn()
                .prepare_cached(&select("u.user_id = ?1"))?
                .query_map(params![user, after, limit], upload)?
                .collect::<Result<_, _>>(),
            UploadFilter::UserAndBlob(user, digest) => self
                .conn()
                .prepare_cached(&select("u.user_id = ?1 AND u.expected = ?4"))?
                .query_map(params![user, after, limit, DigestKey::of(&digest)], upload)?
                .collect::<Result<_, _>>(),
            UploadFilter::Project(project) => self
                .conn()
                .prepare_cached(&select("u.project_id = ?1"))?
                .query_map(params![project.0, after, limit], upload)?
                .collect::<Result<_, _>>(),
        };
        Ok(rows?)
    }

    /// An upload into this repository that is going to be this blob.
    pub fn upload_of_part(
        &self,
        repository: &RepositoryName,
        part: &Digest,
    ) -> Result<Option<UploadId>, RecordError> {
        let sql = "SELECT id FROM uploads WHERE repository = ?1 AND expected = ?2 ORDER BY id LIMIT 1";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = params![repository.as_str(), DigestKey::of(part)];
        Ok(statement.query_row(key, |row| upload_id_at(row, 0)).optional()?)
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
                     started, expires, expected, expected_size)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        self.conn().prepare_cached(sql)?.execute(params![
            &row.id.as_bytes()[..],
            row.project.0,
            row.repository.as_str(),
            row.user,
            row.algorithm.as_str(),
            row.token,
            row.started,
            row.expires,
            row.expected.map(|expected| DigestKey::of(&expected.digest)),
            row.expected.and_then(|expected| expected.size).map(size_value),
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

    /// Forgets every upload and announcement, and what is owed to the disk for blobs that are gone: a copy of the records has the
    /// bytes of neither.
    pub fn forget_uploads_and_trash(&mut self) -> Result<(), RecordError> {
        Ok(self.conn().execute_batch("DELETE FROM uploads; DELETE FROM announcements; DELETE FROM trash")?)
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

    /// Forgets at most so many extensions that are over; how many.
    pub fn forget_token_extensions(&mut self, now: Timestamp, most: u32) -> Result<usize, RecordError> {
        let sql = "DELETE FROM extended_tokens WHERE (token_id, repository) IN (
                     SELECT token_id, repository FROM extended_tokens WHERE until <= ?1 LIMIT ?2)";
        Ok(self.conn().prepare_cached(sql)?.execute(params![now, most])?)
    }
}
