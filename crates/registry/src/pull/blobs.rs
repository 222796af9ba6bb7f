//! Blobs: seen only through their repository's link, handed out to read from; a damaged copy is refused.

use hythe_oci::Digest;
use hythe_store::BlobError;
use hythe_store::records::blobs::link_topic;
use hythe_store::records::leases::LeaseBucket;
use hythe_store::records::stamps::{StoredBlob, blob_topic};

use super::OpenBlob;
use crate::access::{Permit, Pull};
use crate::check::Finding;
use crate::seeded::defect;
use crate::{Error, Registry};

impl Registry {
    /// The size of a blob (HEAD of end-2). The answer is a promise that a push may build on, so
    /// the blob is leased first, and a damaged copy is no blob: the push shall bring it again.
    pub async fn stat_blob(&self, permit: &Permit<Pull>, digest: Digest) -> Result<u64, Error> {
        let stored = self.held_blob(permit, digest).await?;
        if !self.looks_sound(digest, &stored).await? {
            return Err(unknown(permit, digest));
        }
        self.lease(digest).await?;
        // The lease protects from here on; what went between look and lease is gone.
        match self.held_blob(permit, digest).await? {
            again if again.size == stored.size && again.damage.is_none() => Ok(again.size),
            _ => Err(unknown(permit, digest)),
        }
    }

    /// A blob to read from (GET of end-2).
    pub async fn open_blob(&self, permit: &Permit<Pull>, digest: Digest) -> Result<OpenBlob, Error> {
        let stored = self.held_blob(permit, digest).await?;
        match self.blobs().open(&digest).await {
            Ok(Some(file)) if stored.damage.is_none() && file.size() == stored.size => {
                Ok(self.judge(digest, file, stored))
            }
            // Not as recorded; or known to be damaged, and something may lie in its place again.
            Ok(_) | Err(BlobError::Unreadable(_)) => match self.examine(digest).await? {
                Finding::Intact(stamp) => self.reopen(digest, stamp).await.map(OpenBlob::Trusted),
                Finding::Damaged(_) => Err(Error::BlobDamaged(digest)),
                // The collector has been here since the link was looked up.
                Finding::Unrecorded => Err(unknown(permit, digest)),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn held_blob(&self, permit: &Permit<Pull>, digest: Digest) -> Result<StoredBlob, Error> {
        let Some(repository) = self.repository_id(permit.repository()).await? else {
            return Err(unknown(permit, digest));
        };
        self.caches()
            .links
            .get(&(repository, digest), &[link_topic(repository, &digest), blob_topic(&digest)], move |r| {
                Ok::<_, Error>(r.held_blob(repository, &digest)?)
            })
            .await?
            .ok_or_else(|| unknown(permit, digest))
    }

    /// Keeps a digest from collection for a while. One row per digest and bucket: asking again
    /// writes nothing.
    ///
    /// A disk that takes no writes stops pushes, for whose sake the lease is, and must not stop pulls: then there is
    /// none. Nothing is lost without it, for the manifest's push checks its parts again.
    pub(super) async fn lease(&self, digest: Digest) -> Result<(), Error> {
        if defect("defect-no-lease") {
            return Ok(());
        }
        let bucket = LeaseBucket::at(self.now());
        let key = (digest, bucket.0);
        if self.caches().leases.get(&key).is_some() {
            return Ok(());
        }
        match self.records().write(move |w| w.lease(&digest, bucket)).await.map_err(Error::from) {
            Ok(()) => self.caches().leases.insert(key, ()),
            Err(error) if error.is_storage_fault() => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn unknown(permit: &Permit<Pull>, digest: Digest) -> Error {
    Error::BlobUnknown { repository: permit.repository().clone(), digest }
}
