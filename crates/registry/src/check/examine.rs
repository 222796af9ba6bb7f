//! Looking closely at one stored copy: the only place where a blob is found intact or damaged.
//!
//! Invariants: a copy is called damaged only after its bytes were read for that under the digest's latch, so a
//! slip of memory or a push in between is no damage; it is marked in the records before its file is
//! moved aside; what is damaged keeps its links, so that pushing it again heals it everywhere.

use hythe_oci::Digest;
use hythe_store::Latch;
use hythe_store::blobs::Verdict;
use hythe_store::records::stamps::{Damage, Stamp, StoredBlob};

use crate::{Error, Registry};

/// What a close look showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The bytes are right; this was seen at that time in a file that looked like that.
    Intact(Stamp),
    /// They are not there, or not right.
    Damaged(Damage),
    /// The blob is not recorded (any more).
    Unrecorded,
}

impl Registry {
    /// Looks closely at a blob's copy and records what it shows. Whoever asks meanwhile shares the look,
    /// which goes on to its end even if nobody waits for it any more.
    pub(crate) async fn examine(&self, digest: Digest) -> Result<Finding, Error> {
        let registry = self.clone();
        let look = tokio::spawn(async move { registry.examine_here(digest).await });
        look.await.map_err(|error| Error::Internal(Box::new(error)))?
    }

    async fn examine_here(&self, digest: Digest) -> Result<Finding, Error> {
        let asked = self.now();
        let latch = self.blobs().latch(&digest).await;
        let Some(stored) = self.records().read(move |r| r.stored_blob(&digest)).await? else {
            return Ok(Finding::Unrecorded);
        };
        // Somebody may have looked while this look waited for the latch.
        if let Some(stamp) = self.stamp_of(&digest, &stored).filter(|stamp| stamp.verified > asked)
            && self.blobs().state(&digest).await.is_ok_and(|state| state == Some(stamp.file))
        {
            return Ok(Finding::Intact(stamp));
        }
        let now = self.now();
        let damage = match self.blobs().verify(&digest, stored.size).await? {
            Verdict::Intact(file) => {
                let stamp = Stamp { file, verified: now };
                self.renew(digest, stored, stamp).await?;
                return Ok(Finding::Intact(stamp));
            }
            Verdict::Corrupt => Damage::Corrupt,
            Verdict::Missing if stored.damage == Some(Damage::Corrupt) => Damage::Corrupt,
            Verdict::Missing => Damage::Missing,
            Verdict::Unreadable => Damage::Unreadable,
        };
        self.quarantine(&latch, &stored, damage).await?;
        Ok(Finding::Damaged(damage))
    }

    /// Marks a copy as damaged and moves its file aside. A disk that takes no more must not make a
    /// wrong answer of it: the caller refuses either way, and the next look tries again.
    async fn quarantine(&self, latch: &Latch, stored: &StoredBlob, damage: Damage) -> Result<(), Error> {
        let digest = *latch.digest();
        self.caches().stamps.remove(&digest);
        if stored.damage != Some(damage) {
            tracing::error!(%digest, damage = damage.as_str(), "a stored blob is damaged; pushing it again heals it");
            let now = self.now();
            match self
                .records()
                .write(move |w| w.mark_damaged(&digest, damage, now))
                .await
                .map_err(Error::from)
            {
                Ok(true) => self.integrity().damaged(),
                Ok(false) => {}
                Err(error) if error.is_storage_fault() => {
                    tracing::warn!(%digest, error = &error as &dyn std::error::Error, "a damaged blob cannot be marked");
                }
                Err(error) => return Err(error),
            }
        }
        // What cannot be read may be whole, and only out of reach: it stays for the operator to mend.
        if damage == Damage::Corrupt
            && let Err(error) = self.blobs().set_aside(latch).await
        {
            tracing::warn!(%digest, error = &error as &dyn std::error::Error, "a damaged file cannot be moved aside");
        }
        Ok(())
    }

    /// Notes that a copy was found intact. A disk that takes no more must not stop a pull: then this process
    /// remembers it alone.
    pub(crate) async fn renew(&self, digest: Digest, seen: StoredBlob, stamp: Stamp) -> Result<(), Error> {
        match self.records().write(move |w| w.stamp_blob(&digest, &seen, stamp)).await.map_err(Error::from) {
            Ok(_) => Ok(()),
            Err(error) if error.is_storage_fault() => {
                self.caches().stamps.insert(digest, stamp);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// The latest verification of a copy that is not known to be damaged.
    pub(crate) fn stamp_of(&self, digest: &Digest, stored: &StoredBlob) -> Option<Stamp> {
        if stored.damage.is_some() {
            return None;
        }
        let remembered = self.caches().stamps.get(digest);
        remembered.into_iter().chain(stored.stamp).max_by_key(|stamp| stamp.verified)
    }

    /// Whether a copy may be relied on without reading it: its file is there and looks as it did when
    /// it was last verified, or at least as recorded where it never was.
    pub(crate) async fn looks_sound(&self, digest: Digest, stored: &StoredBlob) -> Result<bool, Error> {
        if stored.damage.is_some() {
            return Ok(false);
        }
        let untouched = match (self.blobs().state(&digest).await, self.stamp_of(&digest, stored)) {
            (Ok(Some(file)), Some(stamp)) => file == stamp.file,
            (Ok(Some(file)), None) => file.size == stored.size,
            (Ok(None) | Err(hythe_store::BlobError::Unreadable(_)), _) => false,
            (Err(error), _) => return Err(error.into()),
        };
        Ok(untouched || matches!(self.examine(digest).await?, Finding::Intact(_)))
    }
}
