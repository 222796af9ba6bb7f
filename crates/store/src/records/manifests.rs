//! Manifests, byte for byte as pushed, and the reference rows that keep their parts alive.

use std::sync::Arc;

use hythe_oci::{Digest, MediaType};
use rusqlite::{OptionalExtension, params};

use super::columns::{DigestKey, digest_at, name_at, size_at, size_value};
use super::repositories::RepositoryId;
use super::{Reader, RecordError, Topic, Writer};
use crate::Timestamp;

/// A manifest as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// The digest it was pushed under.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: MediaType,
    /// Its bytes, exactly as received.
    pub bytes: Arc<[u8]>,
}

/// A manifest about to be recorded.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// Its digest and bytes.
    pub stored: StoredManifest,
    /// The manifest it refers to.
    pub subject: Option<Digest>,
    /// Its type in a referrers listing.
    pub artifact_type: Option<String>,
    /// Its annotations as a JSON object, kept only when it has a subject.
    pub annotations: Option<String>,
    /// Everything that must live as long as it does: config, layers, children.
    pub references: Vec<Digest>,
    /// The bytes of all blobs below it, its children's included, each counted once; `None` where it has no children.
    /// Told by the caller, because following children may take long, and all writes wait for one another.
    pub content: Option<u64>,
}

/// What a repository holds under a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// A manifest of so many bytes.
    Manifest(u64),
    /// A blob of so many bytes.
    Blob(u64),
    /// A blob of so many bytes, whose copy is known to be damaged.
    Damaged(u64),
    /// Nothing.
    Nothing,
}

/// One line of a referrers listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerRow {
    /// The referring manifest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: MediaType,
    /// Its size in bytes.
    pub size: u64,
    /// Its artifact type, if it has one.
    pub artifact_type: Option<String>,
    /// Its annotations as a JSON object.
    pub annotations: Option<String>,
}

impl ReferrerRow {
    /// Bytes of text that a person of the outside world chose: what makes a listing long.
    fn length(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        optional(&self.artifact_type) + optional(&self.annotations) + self.media_type.as_str().len()
    }
}

/// Changes when this manifest is pushed or deleted.
pub fn manifest_topic(repository: RepositoryId, digest: &Digest) -> Topic {
    Topic::new("manifest", &(repository, digest))
}

impl Reader<'_> {
    /// A manifest with its bytes.
    pub fn manifest(
        &self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<StoredManifest>, RecordError> {
        let sql = "SELECT media_type, bytes FROM manifests WHERE repository_id = ?1 AND digest = ?2";
        let mut statement = self.conn().prepare_cached(sql)?;
        let row = statement.query_row(params![repository.0, DigestKey::of(digest)], |row| {
            Ok(StoredManifest {
                digest: *digest,
                media_type: name_at(row, 0)?,
                bytes: Arc::from(row.get_ref(1)?.as_blob()?),
            })
        });
        Ok(row.optional()?)
    }

    /// Whether the repository holds this manifest.
    pub fn has_manifest(&self, repository: RepositoryId, digest: &Digest) -> Result<bool, RecordError> {
        let sql = "SELECT 1 FROM manifests WHERE repository_id = ?1 AND digest = ?2";
        Ok(self.conn().prepare_cached(sql)?.exists(params![repository.0, DigestKey::of(digest)])?)
    }

    /// What the repository holds under a digest; a manifest where it is both.
    pub fn held(&self, repository: RepositoryId, digest: &Digest) -> Result<Held, RecordError> {
        let sql = "SELECT m.size, b.size, b.damaged IS NULL FROM (SELECT 1)
                   LEFT JOIN manifests m ON m.repository_id = ?1 AND m.digest = ?2
                   LEFT JOIN links l ON l.repository_id = ?1 AND l.digest = ?2
                   LEFT JOIN blobs b ON b.digest = l.digest";
        let mut statement = self.conn().prepare_cached(sql)?;
        let held = statement.query_row(params![repository.0, DigestKey::of(digest)], |row| {
            let size = |column| row.get::<_, Option<i64>>(column)?.map(|_| size_at(row, column)).transpose();
            Ok(match (size(0)?, size(1)?) {
                (Some(manifest), _) => Held::Manifest(manifest),
                (None, Some(blob)) if row.get(2)? => Held::Blob(blob),
                (None, Some(blob)) => Held::Damaged(blob),
                (None, None) => Held::Nothing,
            })
        })?;
        Ok(held)
    }

    /// What a manifest of this repository names: config, layers, children. None, if the manifest is not here. At
    /// most `limit`.
    pub fn references(
        &self,
        repository: RepositoryId,
        manifest: &Digest,
        limit: usize,
    ) -> Result<Vec<Digest>, RecordError> {
        let sql =
            "SELECT target FROM manifest_references WHERE repository_id = ?1 AND manifest = ?2 LIMIT ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![repository.0, DigestKey::of(manifest), limit], |row| digest_at(row, 0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Manifests whose subject is `subject`, after a digest in stored order, filtered by type: at most
    /// `limit`, and no further one once their text has passed `bytes`. The flag says whether more follow.
    pub fn referrers(
        &self,
        repository: RepositoryId,
        subject: &Digest,
        artifact_type: Option<&str>,
        after: Option<&Digest>,
        limit: u32,
        bytes: usize,
    ) -> Result<(Vec<ReferrerRow>, bool), RecordError> {
        let sql = "SELECT digest, media_type, size, artifact_type, annotations FROM manifests
                   WHERE repository_id = ?1 AND subject = ?2 AND (?3 IS NULL OR artifact_type = ?3)
                     AND digest > ?4
                   ORDER BY digest LIMIT ?5";
        let mut statement = self.conn().prepare_cached(sql)?;
        let after = DigestKey::after(after);
        let rows = statement.query_map(
            params![repository.0, DigestKey::of(subject), artifact_type, after, i64::from(limit) + 1],
            |row| {
                Ok(ReferrerRow {
                    digest: digest_at(row, 0)?,
                    media_type: name_at(row, 1)?,
                    size: size_at(row, 2)?,
                    artifact_type: row.get(3)?,
                    annotations: row.get(4)?,
                })
            },
        )?;
        let mut found = Vec::new();
        let mut length = 0;
        for row in rows {
            if found.len() == limit as usize || length > bytes {
                return Ok((found, true));
            }
            let row: ReferrerRow = row?;
            length += row.length();
            found.push(row);
        }
        Ok((found, false))
    }
}

impl Writer<'_> {
    /// Records a manifest and what it references, in one transaction with everything else the
    /// caller does. Pushing it again changes only its media type and restarts its untagged time.
    /// Its parts no longer wait for it.
    pub fn put_manifest(
        &mut self,
        repository: RepositoryId,
        new: &NewManifest,
        now: Timestamp,
    ) -> Result<(), RecordError> {
        let digest = &new.stored.digest;
        self.touch(manifest_topic(repository, digest));
        let known = self.has_manifest(repository, digest)?;
        if known {
            let sql = "UPDATE manifests SET media_type = ?3, untagged = ?4
                       WHERE repository_id = ?1 AND digest = ?2";
            self.conn().prepare_cached(sql)?.execute(params![
                repository.0,
                DigestKey::of(digest),
                new.stored.media_type.as_str(),
                now
            ])?;
        } else {
            let sql = "INSERT INTO manifests (repository_id, digest, media_type, size, subject,
                         artifact_type, annotations, created, untagged, bytes)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?9)";
            self.conn().prepare_cached(sql)?.execute(params![
                repository.0,
                DigestKey::of(digest),
                new.stored.media_type.as_str(),
                size_value(new.stored.bytes.len() as u64),
                new.subject.as_ref().map(DigestKey::of),
                new.artifact_type,
                new.annotations,
                now,
                &new.stored.bytes[..],
            ])?;
            let sql = "INSERT INTO manifest_references (repository_id, target, manifest)
                       VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            let mut statement = self.conn().prepare_cached(sql)?;
            for target in &new.references {
                statement.execute(params![repository.0, DigestKey::of(target), DigestKey::of(digest)])?;
            }
            self.note_content(repository, digest, new.content)?;
        }
        for part in &new.references {
            self.end_hold(repository, part, now)?;
        }
        self.note_change(repository, i64::from(!known), now)
    }

    /// Notes the bytes below a manifest that is here: those told, else those of the blobs it names itself.
    fn note_content(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        content: Option<u64>,
    ) -> Result<(), RecordError> {
        let sql = "UPDATE manifests SET content = coalesce(?3, (
                     SELECT sum(b.size) FROM manifest_references f JOIN blobs b ON b.digest = f.target
                      WHERE f.repository_id = ?1 AND f.manifest = ?2
                   ), 0) WHERE repository_id = ?1 AND digest = ?2";
        let content = content.map(size_value);
        self.conn().prepare_cached(sql)?.execute(params![repository.0, DigestKey::of(digest), content])?;
        Ok(())
    }

    /// Deletes a manifest, its reference rows and every tag on it; false if it was not there.
    pub fn delete_manifest(
        &mut self,
        repository: RepositoryId,
        digest: &Digest,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        for tag in self.tags_of(repository, digest)? {
            self.delete_tag(repository, &tag, now)?;
        }
        self.touch(manifest_topic(repository, digest));
        let key = params![repository.0, DigestKey::of(digest)];
        // What it named is without use from now on: that is when its grace begins.
        let sql = "UPDATE links SET created = max(created, ?3) WHERE repository_id = ?1 AND digest IN (
                     SELECT target FROM manifest_references WHERE repository_id = ?1 AND manifest = ?2)";
        self.conn().prepare_cached(sql)?.execute(params![repository.0, DigestKey::of(digest), now])?;
        let sql = "DELETE FROM manifest_references WHERE repository_id = ?1 AND manifest = ?2";
        self.conn().prepare_cached(sql)?.execute(key)?;
        let sql = "DELETE FROM manifests WHERE repository_id = ?1 AND digest = ?2";
        let gone = self.conn().prepare_cached(sql)?.execute(key)? == 1;
        if gone {
            self.note_change(repository, -1, now)?;
        }
        Ok(gone)
    }
}
