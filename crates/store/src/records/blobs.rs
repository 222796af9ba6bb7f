//! Blob records and the links through which repositories see them.

use hythe_oci::{Digest, RepositoryName};
use rusqlite::{OptionalExtension, params};

use super::columns::{DigestKey, repository_at, size_at, size_value};
use super::leases::LeaseBucket;
use super::repositories::{CatalogueView, RepositoryId};
use super::stamps::blob_topic;
use super::{Reader, RecordError, Topic, Writer};
use crate::{FileState, Timestamp};

/// Changes when a repository gains or loses a blob.
pub fn link_topic(repository: RepositoryId, digest: &Digest) -> Topic {
    Topic::new("link", &(repository, digest))
}

impl Reader<'_> {
    /// The size in bytes of a blob that this repository holds and whose copy is not known to be damaged.
    pub fn linked_blob(&self, repository: RepositoryId, digest: &Digest) -> Result<Option<u64>, RecordError> {
        let sql = "SELECT b.size FROM links l JOIN blobs b ON b.digest = l.digest
                   WHERE l.repository_id = ?1 AND l.digest = ?2 AND b.damaged IS NULL";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = DigestKey::of(digest);
        Ok(statement.query_row(params![repository.0, key], |row| size_at(row, 0)).optional()?)
    }

    /// A repository that holds the blob and that the caller may pull from, for a mount without
    /// `from`.
    pub fn find_linked(
        &self,
        digest: &Digest,
        view: CatalogueView,
    ) -> Result<Option<RepositoryName>, RecordError> {
        let (everything, user) = match view {
            CatalogueView::Everything => (true, None),
            CatalogueView::User(id) => (false, Some(id)),
            CatalogueView::Anonymous => (false, None),
        };
        let sql = "SELECT r.name FROM links l JOIN repositories r ON r.id = l.repository_id
                   JOIN projects p ON p.id = r.project_id
                   JOIN blobs b ON b.digest = l.digest
                   WHERE l.digest = ?1 AND b.damaged IS NULL AND (?2 = 1 OR p.visibility = 'public'
                     OR (p.visibility = 'internal' AND ?3 IS NOT NULL)
                     OR EXISTS (SELECT 1 FROM members m WHERE m.project_id = p.id AND m.user_id = ?3))
                   LIMIT 1";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = DigestKey::of(digest);
        Ok(statement.query_row(params![key, everything, user], |row| repository_at(row, 0)).optional()?)
    }

    /// A manifest of this repository that names the digest as config, layer or child.
    pub fn referrer_of(
        &self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<Digest>, RecordError> {
        let sql = "SELECT manifest FROM manifest_references
                   WHERE repository_id = ?1 AND target = ?2 LIMIT 1";
        let mut statement = self.conn().prepare_cached(sql)?;
        let key = DigestKey::of(digest);
        Ok(statement
            .query_row(params![repository.0, key], |row| super::columns::digest_at(row, 0))
            .optional()?)
    }
}

impl Reader<'_> {
    /// The bytes of all recorded blobs. Looks at every record.
    pub fn blob_bytes(&self) -> Result<u64, RecordError> {
        let sql = "SELECT coalesce(sum(size), 0) FROM blobs";
        Ok(self.conn().prepare_cached(sql)?.query_row([], |row| size_at(row, 0))?)
    }

    /// Whether a blob is recorded.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool, RecordError> {
        let sql = "SELECT 1 FROM blobs WHERE digest = ?1";
        Ok(self.conn().prepare_cached(sql)?.exists([DigestKey::of(digest)])?)
    }

    /// Those of these digests that have no record.
    pub fn unrecorded(&self, digests: Vec<Digest>) -> Result<Vec<Digest>, RecordError> {
        let mut unrecorded = Vec::new();
        for digest in digests {
            if !self.has_blob(&digest)? {
                unrecorded.push(digest);
            }
        }
        Ok(unrecorded)
    }
}

impl Writer<'_> {
    /// Records a blob whose file is in place and was hashed on its way there. Clears a condemnation and
    /// any damage.
    pub fn put_blob(&mut self, digest: &Digest, file: FileState, now: Timestamp) -> Result<(), RecordError> {
        self.touch(blob_topic(digest));
        let key = DigestKey::of(digest);
        let sql = "INSERT INTO blobs (digest, size, created, modified, inode, verified)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?3)
                   ON CONFLICT (digest) DO UPDATE SET
                     size = excluded.size, condemned = NULL, modified = excluded.modified,
                     inode = excluded.inode, verified = excluded.verified, damaged = NULL, damage = NULL";
        self.conn().prepare_cached(sql)?.execute(params![
            key,
            size_value(file.size),
            now,
            file.modified,
            file.inode.cast_signed()
        ])?;
        self.conn().prepare_cached("DELETE FROM trash WHERE digest = ?1")?.execute([key])?;
        Ok(())
    }

    /// Gives a repository a recorded blob and keeps it until `hold` for the manifest that will name it:
    /// the link's grace begins then, or earlier with that manifest ([`Writer::put_manifest`]).
    ///
    /// Whoever links a blob that is linked already shares its link with somebody whose manifest may come
    /// and go first, so such a blob is leased as well.
    pub fn link(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
        hold: Timestamp,
    ) -> Result<(), RecordError> {
        self.touch(link_topic(repository, digest));
        let key = DigestKey::of(digest);
        if self.linked_blob(repository, digest)?.is_some() {
            self.lease(digest, LeaseBucket::at(now))?;
        }
        let sql = "INSERT INTO links (repository_id, digest, created) VALUES (?1, ?2, ?3)
                   ON CONFLICT (repository_id, digest) DO UPDATE SET created = excluded.created";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, key, hold])?;
        let sql = "UPDATE blobs SET condemned = NULL WHERE digest = ?1 AND condemned IS NOT NULL";
        self.conn().prepare_cached(sql)?.execute([DigestKey::of(digest)])?;
        Ok(())
    }

    /// Ends the wait of a link whose manifest has come: its reference rows keep it from now on.
    pub(super) fn end_hold(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE links SET created = ?3 WHERE repository_id = ?1 AND digest = ?2 AND created > ?3";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, DigestKey::of(digest), now])?;
        Ok(())
    }

    /// Takes a blob from a repository; false if it was not there. If no other one has it, its grace begins now.
    pub fn unlink(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        self.touch(link_topic(repository, digest));
        let sql = "DELETE FROM links WHERE repository_id = ?1 AND digest = ?2";
        let changed =
            self.conn().prepare_cached(sql)?.execute(params![repository.0, DigestKey::of(digest)])?;
        // Only whoever had it: else anybody could keep what others have given up.
        if changed == 1 {
            let sql = "UPDATE blobs SET created = max(created, ?2) WHERE digest = ?1";
            self.conn().prepare_cached(sql)?.execute(params![DigestKey::of(digest), now])?;
        }
        Ok(changed == 1)
    }
}
