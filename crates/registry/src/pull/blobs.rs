//! Blobs: seen only through their repository's link, handed out as a file to read from.

use hythe_oci::Digest;
use hythe_store::blobs::BlobFile;
use hythe_store::records::blobs::link_topic;
use hythe_store::records::leases::LeaseBucket;

use crate::access::{Permit, Pull};
use crate::{Error, Registry};

impl Registry {
    /// The size of a blob (HEAD of end-2). The answer is a promise that a push may build on, so
    /// the blob is leased first.
    pub async fn stat_blob(&self, permit: &Permit<Pull>, digest: Digest) -> Result<u64, Error> {
        let size = self.linked_size(permit, digest).await?;
        self.lease(digest).await?;
        // The lease protects from here on; what went between look and lease is gone.
        if self.linked_size(permit, digest).await? == size { Ok(size) } else { Err(unknown(permit, digest)) }
    }

    /// A blob to read from (GET of end-2).
    pub async fn open_blob(&self, permit: &Permit<Pull>, digest: Digest) -> Result<BlobFile, Error> {
        let size = self.linked_size(permit, digest).await?;
        match self.blobs().open(&digest).await? {
            Some(file) if file.size() == size => Ok(file),
            Some(_) => Err(Error::broken("a blob's file has not the recorded size")),
            // The collector may have been here since the link was looked up.
            None => {
                self.linked_size(permit, digest).await?;
                Err(Error::broken("a recorded blob has no file"))
            }
        }
    }

    async fn linked_size(&self, permit: &Permit<Pull>, digest: Digest) -> Result<u64, Error> {
        let Some(repository) = self.repository_id(permit.repository()).await? else {
            return Err(unknown(permit, digest));
        };
        self.caches()
            .links
            .get(&(repository, digest), &[link_topic(repository, &digest)], move |r| {
                Ok::<_, Error>(r.linked_blob(repository, &digest)?)
            })
            .await?
            .ok_or_else(|| unknown(permit, digest))
    }

    /// Keeps a digest from collection for a while. One row per digest and bucket: asking again
    /// writes nothing.
    ///
    /// A full disk stops pushes, for whose sake the lease is, and must not stop pulls: then there is
    /// none. Nothing is lost without it, for the manifest's push checks its parts again.
    pub(super) async fn lease(&self, digest: Digest) -> Result<(), Error> {
        let bucket = LeaseBucket::at(self.now());
        let key = (digest, bucket.0);
        if self.caches().leases.get(&key).is_some() {
            return Ok(());
        }
        match self.records().write(move |w| w.lease(&digest, bucket)).await.map_err(Error::from) {
            Ok(()) => self.caches().leases.insert(key, ()),
            Err(Error::NoSpace | Error::NotWritable) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn unknown(permit: &Permit<Pull>, digest: Digest) -> Error {
    Error::BlobUnknown { repository: permit.repository().clone(), digest }
}
