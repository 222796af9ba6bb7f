//! Repositories: they appear with their first blob or manifest, or are made empty.

use hythe_oci::{Digest, ProjectName, RepositoryName, Tag};
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{digest_at, name_at, repository_at, size_at, time_at};
use super::projects::ProjectId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// The random id of a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RepositoryId(pub i64);

/// A repository's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryRow {
    /// Its id.
    pub id: RepositoryId,
    /// Its project.
    pub project: ProjectId,
    /// Its full name.
    pub name: RepositoryName,
    /// How many manifests it holds.
    pub manifests: u64,
    /// When it appeared.
    pub created: Timestamp,
    /// When a manifest or tag in it last changed.
    pub updated: Timestamp,
}

/// Something that a repository holds.
enum Entry {
    Tag(Tag),
    Manifest(Digest),
    Link(Digest),
}

type ReadEntry = fn(&Row<'_>) -> rusqlite::Result<Entry>;

/// How the entries of a repository are read, in the order in which they may go.
const CONTENT: [(&str, ReadEntry); 3] = [
    ("SELECT name FROM tags WHERE repository_id = ?1 LIMIT ?2", |row| name_at(row, 0).map(Entry::Tag)),
    ("SELECT digest FROM manifests WHERE repository_id = ?1 ORDER BY id DESC LIMIT ?2", |row| {
        digest_at(row, 0).map(Entry::Manifest)
    }),
    ("SELECT digest FROM links WHERE repository_id = ?1 LIMIT ?2", |row| digest_at(row, 0).map(Entry::Link)),
];

const COLUMNS: &str = "r.id, r.project_id, r.name, r.manifests, r.created, r.updated";

fn repository(row: &Row<'_>) -> rusqlite::Result<RepositoryRow> {
    Ok(RepositoryRow {
        id: RepositoryId(row.get(0)?),
        project: ProjectId(row.get(1)?),
        name: repository_at(row, 2)?,
        manifests: size_at(row, 3)?,
        created: time_at(row, 4)?,
        updated: time_at(row, 5)?,
    })
}

/// Changes when a repository of this name appears or goes.
pub fn repository_topic(name: &RepositoryName) -> Topic {
    Topic::new("repository", name)
}

/// Whose repositories a catalogue lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogueView {
    /// Every project's.
    Everything,
    /// Those of public and internal projects and of this user's own.
    User(i64),
    /// Those of public projects.
    Anonymous,
}

impl Reader<'_> {
    /// The repository of this name.
    pub fn repository(&self, name: &RepositoryName) -> Result<Option<RepositoryRow>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM repositories r WHERE r.name = ?1");
        Ok(self.conn().prepare_cached(&sql)?.query_row([name.as_str()], repository).optional()?)
    }

    /// The repositories of a project after a name, in order, empty ones included.
    pub fn repositories(
        &self,
        project: ProjectId,
        after: Option<&RepositoryName>,
        limit: u32,
    ) -> Result<Vec<RepositoryRow>, RecordError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM repositories r WHERE r.project_id = ?1 AND r.name > ?2
             ORDER BY r.name LIMIT ?3"
        );
        let after = after.map_or("", RepositoryName::as_str);
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![project.0, after, limit], repository)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Names after `last` of repositories that hold a manifest, bytewise in order.
    pub fn catalogue(
        &self,
        view: CatalogueView,
        last: Option<&str>,
        limit: u32,
    ) -> Result<Vec<RepositoryName>, RecordError> {
        let (everything, user) = match view {
            CatalogueView::Everything => (true, None),
            CatalogueView::User(id) => (false, Some(id)),
            CatalogueView::Anonymous => (false, None),
        };
        let sql = "SELECT r.name FROM repositories r JOIN projects p ON p.id = r.project_id
             WHERE r.manifests > 0 AND r.name > ?1 AND (?2 = 1 OR p.visibility = 'public'
               OR (p.visibility = 'internal' AND ?3 IS NOT NULL)
               OR EXISTS (SELECT 1 FROM members m WHERE m.project_id = p.id AND m.user_id = ?3))
             ORDER BY r.name LIMIT ?4";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement
            .query_map(params![last.unwrap_or(""), everything, user, limit], |row| repository_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The id of the project of this name.
    pub fn project_id(&self, name: &ProjectName) -> Result<Option<ProjectId>, RecordError> {
        let sql = "SELECT id FROM projects WHERE name = ?1";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.query_row([name.as_str()], |row| row.get(0).map(ProjectId)).optional()?)
    }
}

impl Writer<'_> {
    /// The repository of this name, made if absent with `fresh` as its id.
    pub fn ensure_repository(
        &mut self,
        project: ProjectId,
        name: &RepositoryName,
        fresh: RepositoryId,
        now: Timestamp,
    ) -> Result<RepositoryId, RecordError> {
        if let Some(row) = self.repository(name)? {
            return Ok(row.id);
        }
        self.insert_repository(project, name, fresh, now)?;
        Ok(fresh)
    }

    /// Makes an empty repository; false if the name is taken.
    pub fn insert_repository(
        &mut self,
        project: ProjectId,
        name: &RepositoryName,
        fresh: RepositoryId,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        self.touch(repository_topic(name));
        let sql = "INSERT INTO repositories (id, project_id, name, manifests, created, updated)
                   VALUES (?1, ?2, ?3, 0, ?4, ?4) ON CONFLICT (name) DO NOTHING";
        let changed =
            self.conn().prepare_cached(sql)?.execute(params![fresh.0, project.0, name.as_str(), now])?;
        Ok(changed == 1)
    }

    /// Takes away at most so much of what a repository holds, and answers whether it is empty then: tags first, then
    /// manifests, the youngest first, so that no image that is left misses a part, and links when no manifest needs them.
    pub fn empty_repository(
        &mut self,
        repository: RepositoryId,
        most: u32,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let mut left = most;
        for (sql, read) in CONTENT {
            let page: Vec<Entry> = self
                .conn()
                .prepare_cached(sql)?
                .query_map(params![repository.0, left], read)?
                .collect::<Result<_, _>>()?;
            for entry in &page {
                match entry {
                    Entry::Tag(tag) => self.delete_tag(repository, tag, now)?,
                    Entry::Manifest(digest) => self.delete_manifest(repository, digest, now)?,
                    Entry::Link(digest) => self.unlink(repository, digest, now)?,
                };
            }
            left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
            if left == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Deletes a repository with its links, manifests and tags, which takes as long as there are many: see
    /// [`Writer::empty_repository`]. Its blobs become garbage by losing their links.
    pub fn delete_repository(&mut self, row: &RepositoryRow) -> Result<bool, RecordError> {
        self.touch(repository_topic(&row.name));
        let sql = "DELETE FROM repositories WHERE id = ?1";
        Ok(self.conn().prepare_cached(sql)?.execute([row.id.0])? == 1)
    }

    /// Notes a change and corrects the count of manifests by `added`.
    pub(crate) fn note_change(
        &mut self,
        repository: RepositoryId,
        added: i64,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE repositories SET manifests = manifests + ?2, updated = ?3 WHERE id = ?1";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, added, now])?;
        Ok(())
    }
}
