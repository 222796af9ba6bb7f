//! Pulling: blobs, manifests, tags, referrers, and the catalogue.

mod blobs;
mod catalogue;
mod manifests;
mod open;
mod referrers;
mod tags;

pub use hythe_store::blobs::BlobFile;
pub use hythe_store::records::manifests::StoredManifest;
pub use open::{OpenBlob, TrustedBlob, UntrustedBlob};
pub use referrers::Referrer;

use hythe_oci::RepositoryName;
use hythe_store::records::repositories::{RepositoryId, repository_topic};

use crate::{Error, Registry};

impl Registry {
    pub(crate) async fn repository_id(&self, name: &RepositoryName) -> Result<Option<RepositoryId>, Error> {
        let wanted = name.clone();
        self.caches()
            .repositories
            .get(name, &[repository_topic(name)], move |r| {
                Ok::<_, Error>(r.repository(&wanted)?.map(|row| row.id))
            })
            .await
    }
}
