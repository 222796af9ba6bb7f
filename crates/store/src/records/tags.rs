//! Tags: names for manifests, moved in one transaction.

use hythe_oci::{Digest, MediaType, RepositoryName, Tag};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{DigestKey, digest_at, name_at, repository_at, size_at, tag_at, time_at};
use super::projects::ProjectId;
use super::repositories::RepositoryId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// A tag and what it names, as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedImage {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// The manifest it names.
    pub digest: Digest,
    /// The manifest's media type.
    pub media_type: MediaType,
    /// The bytes of everything the manifest names, each blob counted once.
    pub size: u64,
    /// When the tag was last set.
    pub updated: Timestamp,
}

/// Changes when this tag is set, moved or deleted.
pub fn tag_topic(repository: RepositoryId, tag: &Tag) -> Topic {
    Topic::new("tag", &(repository, tag))
}

fn tagged_image(row: &Row<'_>) -> rusqlite::Result<TaggedImage> {
    Ok(TaggedImage {
        repository: repository_at(row, 0)?,
        tag: tag_at(row, 1)?,
        digest: digest_at(row, 2)?,
        media_type: name_at(row, 3)?,
        size: size_at(row, 4)?,
        updated: time_at(row, 5)?,
    })
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

    /// Tagged images of one repository after a tag, in order.
    pub fn images(
        &self,
        repository: RepositoryId,
        after: Option<&Tag>,
        limit: u32,
    ) -> Result<Vec<TaggedImage>, RecordError> {
        let sql = "SELECT r.name, t.name, t.digest, m.media_type, m.content, t.updated FROM tags t
                   JOIN repositories r ON r.id = t.repository_id
                   JOIN manifests m ON m.repository_id = t.repository_id AND m.digest = t.digest
                   WHERE t.repository_id = ?1 AND t.name > ?2 ORDER BY t.name LIMIT ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows =
            statement.query_map(params![repository.0, after.map_or("", Tag::as_str), limit], tagged_image)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Tagged images of a project's repositories whose names come after `after`, by repository and tag.
    pub fn images_of_project(
        &self,
        project: ProjectId,
        after: Option<&RepositoryName>,
        limit: u32,
    ) -> Result<Vec<TaggedImage>, RecordError> {
        let sql = "SELECT r.name, t.name, t.digest, m.media_type, m.content, t.updated FROM repositories r
                   CROSS JOIN tags t ON t.repository_id = r.id
                   JOIN manifests m ON m.repository_id = t.repository_id AND m.digest = t.digest
                   WHERE r.project_id = ?1 AND r.name > ?2 ORDER BY r.name, t.name LIMIT ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let after = after.map_or("", RepositoryName::as_str);
        let rows = statement.query_map(params![project.0, after, limit], tagged_image)?;
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
