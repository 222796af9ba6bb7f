//! Leases: whoever was told "this blob exists" may rely on it for a while. A lease is one row per
//! digest and time bucket; it revives a condemned blob in its own transaction.

use std::time::Duration;

use hythe_oci::Digest;
use rusqlite::params;

use super::columns::DigestKey;
use super::{RecordError, Writer};
use crate::Timestamp;

/// A stretch of time that shares one lease row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseBucket(pub i64);

impl LeaseBucket {
    /// How long a bucket is.
    pub const LENGTH: Duration = Duration::from_mins(10);

    /// The bucket that holds a moment.
    pub fn at(moment: Timestamp) -> Self {
        Self(moment.as_secs().div_euclid(Self::LENGTH.as_secs().cast_signed()))
    }
}

impl Writer<'_> {
    /// Leases a digest for the bucket and clears a condemnation.
    pub fn lease(&mut self, digest: &Digest, bucket: LeaseBucket) -> Result<(), RecordError> {
        let sql = "INSERT INTO leases (digest, bucket) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        self.conn().prepare_cached(sql)?.execute(params![DigestKey::of(digest), bucket.0])?;
        let sql = "UPDATE blobs SET condemned = NULL WHERE digest = ?1 AND condemned IS NOT NULL";
        self.conn().prepare_cached(sql)?.execute([DigestKey::of(digest)])?;
        Ok(())
    }

    /// Forgets at most so many leases of buckets before `oldest`; how many.
    pub fn forget_leases(&mut self, oldest: LeaseBucket, most: u32) -> Result<usize, RecordError> {
        let sql = "DELETE FROM leases WHERE (digest, bucket) IN (
                     SELECT digest, bucket FROM leases WHERE bucket < ?1 LIMIT ?2)";
        Ok(self.conn().prepare_cached(sql)?.execute(params![oldest.0, most])?)
    }
}
