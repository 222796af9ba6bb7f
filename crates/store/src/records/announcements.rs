//! Announced pushes: which image is on its way into which repository, what it consists of, and until when that is
//! believed.

use hythe_oci::{Digest, RepositoryName, Tag};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{DigestKey, digest_at, size_at, size_value};
use super::projects::ProjectId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// An announced push.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnouncementRow {
    /// The project it pushes into.
    pub project: ProjectId,
    /// The repository it pushes into; it may not exist yet.
    pub repository: RepositoryName,
    /// The manifest that will be there.
    pub digest: Digest,
    /// Who announced it.
    pub user: i64,
    /// The tag it will get.
    pub tag: Option<Tag>,
    /// When it was announced.
    pub announced: Timestamp,
    /// Until when it is believed.
    pub expires: Timestamp,
}

/// A blob or child manifest of an announced image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnouncedPart {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Changes when an image of this repository is announced or withdrawn, and when a manifest is pushed or deleted.
pub fn readiness_topic(repository: &RepositoryName) -> Topic {
    Topic::new("readiness", repository)
}

fn part(row: &Row<'_>) -> rusqlite::Result<AnnouncedPart> {
    Ok(AnnouncedPart { digest: digest_at(row, 0)?, size: size_at(row, 1)? })
}

impl Reader<'_> {
    /// What an image that is on its way at `now` consists of; `None` when nobody announced it.
    pub fn announced(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<Option<Vec<AnnouncedPart>>, RecordError> {
        let sql = "SELECT id FROM announcements WHERE repository = ?1 AND digest = ?2 AND expires > ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = params![repository.as_str(), DigestKey::of(digest), now];
        let Some(id) = statement.query_row(key, |row| row.get::<_, i64>(0)).optional()? else {
            return Ok(None);
        };
        let sql = "SELECT digest, size FROM announced_parts WHERE announcement = ?1 ORDER BY digest";
        let mut statement = self.conn().prepare_cached(sql)?;
        let parts = statement.query_map([id], part)?.collect::<Result<_, _>>()?;
        Ok(Some(parts))
    }

    /// The image that was announced last for a tag and is still on its way at `now`.
    pub fn announced_for_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        now: Timestamp,
    ) -> Result<Option<Digest>, RecordError> {
        let sql = "SELECT digest FROM announcements WHERE repository = ?1 AND tag = ?2 AND expires > ?3
                   ORDER BY announced DESC LIMIT 1";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = params![repository.as_str(), tag.as_str(), now];
        Ok(statement.query_row(key, |row| digest_at(row, 0)).optional()?)
    }

    /// How many announcements of a user are believed at `now`, counted no further than `most`.
    pub fn announcements_of(&self, user: i64, now: Timestamp, most: u32) -> Result<u32, RecordError> {
        let sql =
            "SELECT count(*) FROM (SELECT 1 FROM announcements WHERE user_id = ?1 AND expires > ?2 LIMIT ?3)";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row(params![user, now, most], |row| row.get(0))?)
    }

    /// Who announced this image, whether it is still believed or not.
    pub fn announcer(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<i64>, RecordError> {
        let sql = "SELECT user_id FROM announcements WHERE repository = ?1 AND digest = ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = params![repository.as_str(), DigestKey::of(digest)];
        Ok(statement.query_row(key, |row| row.get(0)).optional()?)
    }
}

impl Writer<'_> {
    /// Announces a push; a former announcement of the same image in the same repository is replaced.
    pub fn announce(&mut self, row: &AnnouncementRow, parts: &[AnnouncedPart]) -> Result<(), RecordError> {
        self.end_announcement(&row.repository, &row.digest)?;
        let sql =
            "INSERT INTO announcements (project_id, repository, digest, user_id, tag, announced, expires)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        self.conn().prepare_cached(sql)?.execute(params![
            row.project.0,
            row.repository.as_str(),
            DigestKey::of(&row.digest),
            row.user,
            row.tag.as_ref().map(Tag::as_str),
            row.announced,
            row.expires,
        ])?;
        let id = self.conn().last_insert_rowid();
        let sql = "INSERT INTO announced_parts (announcement, digest, size) VALUES (?1, ?2, ?3)
                   ON CONFLICT DO NOTHING";
        let mut statement = self.conn().prepare_cached(sql)?;
        for part in parts {
            statement.execute(params![id, DigestKey::of(&part.digest), size_value(part.size)])?;
        }
        Ok(())
    }

    /// Ends an announcement, because the image is here or will not come; false if there was none.
    pub fn end_announcement(
        &mut self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, RecordError> {
        self.touch(readiness_topic(repository));
        let sql = "DELETE FROM announcements WHERE repository = ?1 AND digest = ?2";
        let key = params![repository.as_str(), DigestKey::of(digest)];
        Ok(self.conn().prepare_cached(sql)?.execute(key)? == 1)
    }

    /// Forgets at most so many announcements that nobody believes any more; how many.
    pub fn forget_announcements(&mut self, now: Timestamp, most: u32) -> Result<usize, RecordError> {
        let sql = "DELETE FROM announcements WHERE id IN (
                     SELECT id FROM announcements WHERE expires <= ?1 LIMIT ?2)";
        Ok(self.conn().prepare_cached(sql)?.execute(params![now, most])?)
    }
}
