//! What the collector asks and does. Every removal states its proof again in the statement that
//! removes, so that a reference, link or lease that appeared meanwhile wins.

use hythe_oci::Digest;
use rusqlite::params;

use super::blobs::link_topic;
use super::columns::{DigestKey, digest_at, size_at};
use super::leases::LeaseBucket;
use super::projects::ProjectId;
use super::repositories::RepositoryId;
use super::{Reader, RecordError, Writer};
use crate::Timestamp;

/// What protects a thing from collection: being younger than `before`, or leased in `leased_since`
/// or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// Only what is older than this may go.
    pub before: Timestamp,
    /// A lease of this bucket or a later one protects.
    pub leased_since: LeaseBucket,
}

/// One link of a page and whether nothing keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkCandidate {
    /// The repository.
    pub repository: RepositoryId,
    /// The blob.
    pub digest: Digest,
    /// No manifest of the repository names it, it is old enough and not leased.
    pub garbage: bool,
}

/// One blob of a page and whether nothing keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobCandidate {
    /// The blob.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// No repository holds it, it is old enough and not leased.
    pub garbage: bool,
}

/// A manifest that a project's untagged policy gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UntaggedManifest {
    /// The row's position in the walk.
    pub position: i64,
    /// The repository.
    pub repository: RepositoryId,
    /// The manifest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

// A manifest is kept by a tag, by an index that lists it, or by a subject that is present.
const UNTAGGED: &str = "m.untagged < ?2
    AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository_id = m.repository_id AND t.digest = m.digest)
    AND NOT EXISTS (SELECT 1 FROM manifest_references f
                    WHERE f.repository_id = m.repository_id AND f.target = m.digest)
    AND (m.subject IS NULL OR NOT EXISTS (SELECT 1 FROM manifests s
                    WHERE s.repository_id = m.repository_id AND s.digest = m.subject))
    AND NOT EXISTS (SELECT 1 FROM leases e WHERE e.digest = m.digest AND e.bucket >= ?3)";

const LINK_IS_GARBAGE: &str = "l.created < ?1
    AND NOT EXISTS (SELECT 1 FROM manifest_references f
                    WHERE f.repository_id = l.repository_id AND f.target = l.digest)
    AND NOT EXISTS (SELECT 1 FROM leases e WHERE e.digest = l.digest AND e.bucket >= ?2)";

const BLOB_IS_GARBAGE: &str = "b.created < ?1
    AND NOT EXISTS (SELECT 1 FROM links l WHERE l.digest = b.digest)
    AND NOT EXISTS (SELECT 1 FROM leases e WHERE e.digest = b.digest AND e.bucket >= ?2)";

impl Reader<'_> {
    /// Manifests of a project that its untagged policy gives up, after a position.
    pub fn untagged_manifests(
        &self,
        project: ProjectId,
        protection: Protection,
        after: i64,
        limit: u32,
    ) -> Result<Vec<UntaggedManifest>, RecordError> {
        let sql = format!(
            "SELECT m.id, m.repository_id, m.digest, m.size FROM manifests m
             JOIN repositories r ON r.id = m.repository_id
             WHERE r.project_id = ?1 AND {UNTAGGED} AND m.id > ?4 ORDER BY m.id LIMIT ?5"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![project.0, protection.before, protection.leased_since.0, after, limit],
            |row| {
                Ok(UntaggedManifest {
                    position: row.get(0)?,
                    repository: RepositoryId(row.get(1)?),
                    digest: digest_at(row, 2)?,
                    size: size_at(row, 3)?,
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The next links after a key, each judged. A short page is the last.
    pub fn link_candidates(
        &self,
        protection: Protection,
        after: Option<(RepositoryId, Digest)>,
        limit: u32,
    ) -> Result<Vec<LinkCandidate>, RecordError> {
        let sql = format!(
            "SELECT l.repository_id, l.digest, ({LINK_IS_GARBAGE}) FROM links l
             WHERE (l.repository_id, l.digest) > (?3, ?4)
             ORDER BY l.repository_id, l.digest LIMIT ?5"
        );
        let repository = after.map_or(i64::MIN, |(repository, _)| repository.0);
        let digest = DigestKey::after(after.as_ref().map(|(_, digest)| digest));
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(
            params![protection.before, protection.leased_since.0, repository, digest, limit],
            |row| {
                Ok(LinkCandidate {
                    repository: RepositoryId(row.get(0)?),
                    digest: digest_at(row, 1)?,
                    garbage: row.get(2)?,
                })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The next blobs after a key, each judged. A short page is the last.
    pub fn blob_candidates(
        &self,
        protection: Protection,
        after: Option<Digest>,
        limit: u32,
    ) -> Result<Vec<BlobCandidate>, RecordError> {
        let sql = format!(
            "SELECT b.digest, b.size, ({BLOB_IS_GARBAGE}) FROM blobs b
             WHERE b.digest > ?3 ORDER BY b.digest LIMIT ?4"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let after = DigestKey::after(after.as_ref());
        let rows = statement.query_map(
            params![protection.before, protection.leased_since.0, after, limit],
            |row| {
                Ok(BlobCandidate { digest: digest_at(row, 0)?, size: size_at(row, 1)?, garbage: row.get(2)? })
            },
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Blobs condemned at or before a moment.
    pub fn condemned(&self, until: Timestamp, limit: u32) -> Result<Vec<Digest>, RecordError> {
        let sql = "SELECT digest FROM blobs WHERE condemned IS NOT NULL AND condemned <= ?1
                   ORDER BY condemned LIMIT ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map(params![until, limit], |row| digest_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Files whose records are gone and that still have to leave the disk.
    pub fn trash(&self, limit: u32) -> Result<Vec<Digest>, RecordError> {
        let sql = "SELECT digest FROM trash ORDER BY digest LIMIT ?1";
        let mut statement = self.conn().prepare_cached(sql)?;
        let rows = statement.query_map([limit], |row| digest_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a digest waits in the trash.
    pub fn in_trash(&self, digest: &Digest) -> Result<bool, RecordError> {
        let sql = "SELECT 1 FROM trash WHERE digest = ?1";
        Ok(self.conn().prepare_cached(sql)?.exists([DigestKey::of(digest)])?)
    }
}

impl Writer<'_> {
    /// Deletes an untagged manifest if its project's policy still gives it up.
    pub fn collect_untagged(
        &mut self,
        candidate: &UntaggedManifest,
        protection: Protection,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let sql = format!("SELECT 1 FROM manifests m WHERE m.id = ?1 AND {UNTAGGED}");
        let lost = self.conn().prepare_cached(&sql)?.exists(params![
            candidate.position,
            protection.before,
            protection.leased_since.0
        ])?;
        if lost { self.delete_manifest(candidate.repository, &candidate.digest, now) } else { Ok(false) }
    }

    /// Takes a link away if still nothing keeps it.
    pub fn collect_link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        protection: Protection,
    ) -> Result<bool, RecordError> {
        self.touch(link_topic(repository, digest));
        let sql = format!(
            "DELETE FROM links AS l WHERE l.repository_id = ?3 AND l.digest = ?4 AND {LINK_IS_GARBAGE}"
        );
        let changed = self.conn().prepare_cached(&sql)?.execute(params![
            protection.before,
            protection.leased_since.0,
            repository.0,
            DigestKey::of(digest)
        ])?;
        Ok(changed == 1)
    }

    /// First step: condemns a blob that nothing keeps.
    pub fn condemn(
        &mut self,
        digest: &Digest,
        protection: Protection,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        let sql = format!(
            "UPDATE blobs AS b SET condemned = ?4
             WHERE b.digest = ?3 AND b.condemned IS NULL AND {BLOB_IS_GARBAGE}"
        );
        let changed = self.conn().prepare_cached(&sql)?.execute(params![
            protection.before,
            protection.leased_since.0,
            DigestKey::of(digest),
            now
        ])?;
        Ok(changed == 1)
    }

    /// Second step: removes the record of a blob that is still condemned and still kept by
    /// nothing, and owes its file to the trash. The caller holds the digest's latch until the
    /// file is gone. Gives the size that becomes free.
    pub fn remove_condemned(
        &mut self,
        digest: &Digest,
        protection: Protection,
        now: Timestamp,
    ) -> Result<Option<u64>, RecordError> {
        let sql = format!(
            "DELETE FROM blobs AS b WHERE b.digest = ?3 AND b.condemned IS NOT NULL
             AND {BLOB_IS_GARBAGE} RETURNING size"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let mut rows =
            statement.query(params![protection.before, protection.leased_since.0, DigestKey::of(digest)])?;
        let Some(size) = rows.next()?.map(|row| size_at(row, 0)).transpose()? else {
            return Ok(None);
        };
        drop(rows);
        let sql = "INSERT INTO trash (digest, size, removed) VALUES (?1, ?2, ?3)
                   ON CONFLICT (digest) DO NOTHING";
        self.conn().prepare_cached(sql)?.execute(params![
            DigestKey::of(digest),
            super::columns::size_value(size),
            now
        ])?;
        Ok(Some(size))
    }

    /// Notes that a file has left the disk.
    pub fn forget_trash(&mut self, digest: &Digest) -> Result<(), RecordError> {
        let sql = "DELETE FROM trash WHERE digest = ?1";
        self.conn().prepare_cached(sql)?.execute([DigestKey::of(digest)])?;
        Ok(())
    }
}
