//! Leases on background work, so that of several processes only one does it at a time.
//!
//! Whoever does the work renews its lease on the way. A step that must not overlap with the work of
//! another holder asks for the lease in its own transaction ([`Reader::holds_job`]), so that a process
//! which was asleep beyond its time cannot go on where another has begun.

use rusqlite::params;

use super::{Reader, RecordError, Writer};
use crate::Timestamp;

/// Work that one process at a time may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Removing what nothing needs. Whoever holds it may rely on everything staying where it is.
    Collect,
    /// Verifying what has not been verified for long.
    Scrub,
    /// Nothing: whether a claim can be written at all.
    Probe,
}

impl Job {
    fn as_str(self) -> &'static str {
        match self {
            Self::Collect => "collect",
            Self::Scrub => "scrub",
            Self::Probe => "probe",
        }
    }
}

/// A claim on a job; the holder is random, so that two claims are never mistaken for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobLease {
    /// The work.
    pub job: Job,
    /// Who does it.
    pub holder: i64,
}

impl Reader<'_> {
    /// Whether this claim stands.
    pub fn holds_job(&self, lease: JobLease, now: Timestamp) -> Result<bool, RecordError> {
        let sql = "SELECT 1 FROM job_leases WHERE job = ?1 AND holder = ?2 AND until > ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.exists(params![lease.job.as_str(), lease.holder, now])?)
    }
}

impl Writer<'_> {
    /// Claims a job, or keeps it for longer; false if another holder's time is not over.
    pub fn claim_job(
        &mut self,
        lease: JobLease,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, RecordError> {
        let sql = "INSERT INTO job_leases (job, holder, until) VALUES (?1, ?2, ?4)
                   ON CONFLICT (job) DO UPDATE SET holder = excluded.holder, until = excluded.until
                   WHERE job_leases.holder = excluded.holder OR job_leases.until <= ?3";
        let mut statement = self.conn().prepare_cached(sql)?;
        Ok(statement.execute(params![lease.job.as_str(), lease.holder, now, until])? == 1)
    }

    /// Gives a job up before its time.
    pub fn release_job(&mut self, lease: JobLease) -> Result<(), RecordError> {
        let sql = "DELETE FROM job_leases WHERE job = ?1 AND holder = ?2";
        self.conn().prepare_cached(sql)?.execute(params![lease.job.as_str(), lease.holder])?;
        Ok(())
    }
}
