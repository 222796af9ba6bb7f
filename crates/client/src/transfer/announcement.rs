//! Saying that an image is on its way, for as long as it is.

use std::time::Duration;

use hythe_api::{NewAnnouncement, Part};
use hythe_oci::{Digest, RepositoryName, Tag};
use tokio::task::AbortHandle;

use super::Target;
use crate::Api;

/// The server forgets an announcement after ten minutes without a word.
const RENEWED_EVERY: Duration = Duration::from_mins(3);

/// An announced push. Dropped, it is no longer renewed, and forgotten some minutes later; a push that failed in order
/// withdraws it.
pub(super) struct Announced {
    api: Api,
    repository: RepositoryName,
    digest: Digest,
    renewal: AbortHandle,
}

impl Target {
    /// Announces an image, where the registry knows such a thing. A server that does not take it is no reason not to
    /// push.
    pub(super) async fn announced(
        &self,
        digest: Digest,
        tag: Option<&Tag>,
        parts: Vec<Part>,
    ) -> Option<Announced> {
        let api = self.api.clone()?;
        let repository = self.repository.clone();
        let announcement = NewAnnouncement { tag: tag.cloned(), parts };
        if let Err(error) = api.announce(&repository, &digest, &announcement).await {
            tracing::debug!(%error, "the push is not announced");
            return None;
        }
        let renewal = {
            let (api, repository) = (api.clone(), repository.clone());
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(RENEWED_EVERY).await;
                    if let Err(error) = api.announce(&repository, &digest, &announcement).await {
                        tracing::debug!(%error, "the announcement is not renewed");
                    }
                }
            })
        };
        Some(Announced { api, repository, digest, renewal: renewal.abort_handle() })
    }
}

impl Announced {
    /// Says that the image will not come.
    pub(super) async fn withdraw(self) {
        if let Err(error) = self.api.withdraw(&self.repository, &self.digest).await {
            tracing::debug!(%error, "the announcement is not withdrawn");
        }
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}
