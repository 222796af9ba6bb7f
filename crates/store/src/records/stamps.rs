//! What is known of the stored copies: when each was last verified and how its file looked then, and
//! which are damaged. A damaged blob keeps its links, so that pushing it again heals every image that needs it.

use hythe_oci::Digest;
use rusqlite::types::Type;
use rusqlite::{OptionalExtension, Row, params};

use super::columns::{DigestKey, digest_at, size_at, time_at};
use super::repositories::RepositoryId;
use super::{Reader, RecordError, Topic, Writer};
use crate::{FileState, Timestamp};

/// Changes when what is known of a blob's stored copy changes.
pub fn blob_topic(digest: &Digest) -> Topic {
    Topic::new("blob", digest)
}

/// A verification: the bytes of a file that looked like this hashed to the digest at that time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// What the file looked like.
    pub file: FileState,
    /// When its bytes were compared.
    pub verified: Timestamp,
}

/// How a stored copy is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Its file is gone.
    Missing,
    /// Its file has other bytes.
    Corrupt,
    /// Its file cannot be read.
    Unreadable,
}

impl Damage {
    /// The word for it in records, reports and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Corrupt => "corrupt",
            Self::Unreadable => "unreadable",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        [Self::Missing, Self::Corrupt, Self::Unreadable].into_iter().find(|damage| damage.as_str() == word)
    }
}

/// A recorded blob and what is known of its stored copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredBlob {
    /// Its size in bytes.
    pub size: u64,
    /// Its last verification; `None` if there was none yet.
    pub stamp: Option<Stamp>,
    /// How its copy is damaged, if it is.
    pub damage: Option<Damage>,
}

/// The state of all stored copies in a few numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Since when the blob that has waited longest has waited for its verification: its last one,
    /// or its push. `None` without blobs.
    pub oldest: Option<Timestamp>,
    /// Blobs whose copies are damaged.
    pub damaged: u64,
}

const COLUMNS: &str = "b.size, b.modified, b.inode, b.verified, b.damage";

/// Reads [`COLUMNS`] from `first` on.
fn stored_at(row: &Row<'_>, first: usize) -> rusqlite::Result<StoredBlob> {
    let size = size_at(row, first)?;
    let inode: i64 = row.get(first + 2)?;
    let file = FileState { size, modified: row.get(first + 1)?, inode: inode.cast_unsigned() };
    let verified = time_at(row, first + 3)?;
    let word: Option<String> = row.get(first + 4)?;
    let damage = word
        .map(|word| {
            Damage::parse(&word).ok_or_else(|| {
                rusqlite::Error::FromSqlConversionFailure(first + 4, Type::Text, "no kind of damage".into())
            })
        })
        .transpose()?;
    let stamp = (verified.as_micros() != 0).then_some(Stamp { file, verified });
    Ok(StoredBlob { size, stamp, damage })
}

impl Reader<'_> {
    /// A recorded blob.
    pub fn stored_blob(&self, digest: &Digest) -> Result<Option<StoredBlob>, RecordError> {
        let sql = format!("SELECT {COLUMNS} FROM blobs b WHERE b.digest = ?1");
        let mut statement = self.conn().prepare_cached(&sql)?;
        Ok(statement.query_row([DigestKey::of(digest)], |row| stored_at(row, 0)).optional()?)
    }

    /// A blob that this repository holds, damaged or not.
    pub fn held_blob(
        &self,
        repository: RepositoryId,
        digest: &Digest,
    ) -> Result<Option<StoredBlob>, RecordError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM links l JOIN blobs b ON b.digest = l.digest
             WHERE l.repository_id = ?1 AND l.digest = ?2"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let key = DigestKey::of(digest);
        Ok(statement.query_row(params![repository.0, key], |row| stored_at(row, 0)).optional()?)
    }

    /// Recorded blobs after a digest, in order.
    pub fn stored_blobs(
        &self,
        after: Option<&Digest>,
        limit: u32,
    ) -> Result<Vec<(Digest, StoredBlob)>, RecordError> {
        let sql = format!(
            "SELECT b.digest, {COLUMNS} FROM blobs b
             WHERE b.digest > ?1 ORDER BY b.digest LIMIT ?2"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement.query_map(params![DigestKey::after(after), limit], |row| {
            Ok((digest_at(row, 0)?, stored_at(row, 1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Blobs not verified since `before`, those that have waited longest first.
    pub fn unverified_blobs(
        &self,
        before: Timestamp,
        limit: u32,
    ) -> Result<Vec<(Digest, StoredBlob)>, RecordError> {
        let sql = format!(
            "SELECT b.digest, {COLUMNS} FROM blobs b WHERE b.damaged IS NULL AND b.verified < ?1
             ORDER BY b.verified, b.created, b.digest LIMIT ?2"
        );
        let mut statement = self.conn().prepare_cached(&sql)?;
        let rows = statement
            .query_map(params![before, limit], |row| Ok((digest_at(row, 0)?, stored_at(row, 1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How well verified everything is. Takes time by the number of damaged blobs, not of all.
    pub fn verified(&self) -> Result<Verified, RecordError> {
        let sql = "SELECT verified, created FROM blobs WHERE damaged IS NULL
                   ORDER BY verified, created, digest LIMIT 1";
        let oldest = self
            .conn()
            .prepare_cached(sql)?
            .query_row([], |row| Ok((time_at(row, 0)?, time_at(row, 1)?)))
            .optional()?
            .map(|(verified, created)| if verified.as_micros() == 0 { created } else { verified });
        let sql = "SELECT count(*) FROM blobs WHERE damaged IS NOT NULL";
        let damaged = self.conn().prepare_cached(sql)?.query_row([], |row| size_at(row, 0))?;
        Ok(Verified { oldest, damaged })
    }
}

impl Writer<'_> {
    /// Notes a verification, unless what is known of the copy has changed since `seen` was read: then
    /// it was another file. A damaged copy that was found intact is damaged no more.
    pub fn stamp_blob(
        &mut self,
        digest: &Digest,
        seen: &StoredBlob,
        stamp: Stamp,
    ) -> Result<bool, RecordError> {
        if self.stored_blob(digest)?.as_ref() != Some(seen) {
            return Ok(false);
        }
        self.touch(blob_topic(digest));
        let sql = "UPDATE blobs SET modified = ?2, inode = ?3, verified = ?4, damaged = NULL, damage = NULL
                   WHERE digest = ?1";
        self.conn().prepare_cached(sql)?.execute(params![
            DigestKey::of(digest),
            stamp.file.modified,
            stamp.file.inode.cast_signed(),
            stamp.verified
        ])?;
        Ok(true)
    }

    /// Notes that a blob's copy is damaged; false if that is known, or the blob is not recorded.
    pub fn mark_damaged(
        &mut self,
        digest: &Digest,
        damage: Damage,
        now: Timestamp,
    ) -> Result<bool, RecordError> {
        self.touch(blob_topic(digest));
        let sql = "UPDATE blobs SET damaged = ?2, damage = ?3, verified = 0
                   WHERE digest = ?1 AND damage IS DISTINCT FROM ?3";
        let changed =
            self.conn().prepare_cached(sql)?.execute(params![DigestKey::of(digest), now, damage.as_str()])?;
        Ok(changed == 1)
    }
}
