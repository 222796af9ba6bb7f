//! Tags: names for manifests, moved in one transaction.

use hythe_oci::{Digest, Tag};
use rusqlite::{OptionalExtension, params};

use super::columns::{DigestKey, digest_at, tag_at};
use super::repositories::RepositoryId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// Changes when this tag is set, moved or deleted.
pub fn tag_topic(repository: RepositoryId, tag: &Tag) -> Topic {
    Topic::new("tag", &(repository, tag))
}

impl Reader<'_> {
    /// The digest a tag names, as it was pushed.
    pub fn tag(&self, repository: RepositoryId, tag: &Tag) -> Result<Option<Digest>, RecordError> {
        let sql = "SELECT digest FROM tags WHERE repository_id = ?1 AND name = ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row(params![repository.0, tag.as_str()], |row| digest_at(row, 0)).optional()?)
    }

    /// Tags after `last` (which need not exist), bytewise in order.
    pub fn tags(
        &self,
        repository: RepositoryId,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Tag>, RecordError> {
        let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND name > ?2 ORDER BY name LIMIT ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows =
            statement.query_map(params![repository.0, last.unwrap_or(""), limit], |row| tag_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every tag on a manifest.
    pub fn tags_of(&self, repository: RepositoryId, digest: &Digest) -> Result<Vec<Tag>, RecordError> {
        let sql = "SELECT name FROM tags WHERE repository_id = ?1 AND digest = ?2 ORDER BY name";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map(params![repository.0, DigestKey::of(digest)], |row| tag_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

impl Writer<'_> {
    /// Sets or moves a tag. The manifest that loses its last tag notes when.
    pub fn set_tag(
        &mut self,
        repository: RepositoryId,
        tag: &Tag,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        self.touch(tag_topic(repository, tag));
        let before = self.tag(repository, tag)?;
        let sql = "INSERT INTO tags (repository_id, name, digest, updated) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (repository_id, name)
                   DO UPDATE SET digest = excluded.digest, updated = excluded.updated";
        self.conn().prepare_cached(sql)?.execute(params![
            repository.0,
            tag.as_str(),
            DigestKey::of(digest),
            now
        ])?;
        match before {
            Some(before) if before != *digest => self.note_untagged(repository, &before, now),
            _ => Ok(()),
        }
    }

    /// Deletes a tag and leaves its manifest; false if it was not there.
    pub fn delete_tag(
        &mut self,
        repository: RepositoryId,
        tag: &Tag,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        self.touch(tag_topic(repository, tag));
        let Some(digest) = self.tag(repository, tag)? else {
            return Ok(false);
        };
        let sql = "DELETE FROM tags WHERE repository_id = ?1 AND name = ?2";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, tag.as_str()])?;
        self.note_untagged(repository, &digest, now)?;
        self.note_change(repository, 0, now)?;
        Ok(true)
    }

    fn note_untagged(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE manifests SET untagged = ?3 WHERE repository_id = ?1 AND digest = ?2";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, DigestKey::of(digest), now])?;
        Ok(())
    }
}
