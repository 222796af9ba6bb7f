//! Deleting (distribution specification end-9, end-10).

use hythe_oci::{Digest, Reference, RepositoryName, Route};
use hythe_outbound::{Method, Request, StatusCode};

use crate::scope::{Access, scope};
use crate::{Remote, RemoteError};

/// How a deletion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    /// It was there, and is not any more.
    Done,
    /// It was not there.
    Absent,
    /// The registry does not delete such things.
    Unsupported,
}

impl Remote {
    /// Deletes a manifest with all its tags (by digest), or a tag alone. Many registries delete no tag.
    ///
    /// # Errors
    /// The registry refused.
    pub async fn delete_manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Deleted, RemoteError> {
        self.delete(repository, &Route::Manifest { name: repository.clone(), reference: reference.clone() })
            .await
    }

    /// Deletes a blob that no manifest needs.
    ///
    /// # Errors
    /// The registry refused.
    pub async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Deleted, RemoteError> {
        self.delete(repository, &Route::Blob { name: repository.clone(), digest: *digest }).await
    }

    async fn delete(&self, repository: &RepositoryName, what: &Route) -> Result<Deleted, RemoteError> {
        let url = self.url(&what.path())?;
        let scope = scope(repository, Access::Delete);
        let response = self.send(&scope, || Request::new(Method::DELETE, url.clone())).await?;
        match response.status() {
            StatusCode::ACCEPTED | StatusCode::OK | StatusCode::NO_CONTENT => Ok(Deleted::Done),
            StatusCode::NOT_FOUND => Ok(Deleted::Absent),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => Ok(Deleted::Unsupported),
            // distribution takes no tag here and says that it is no digest.
            StatusCode::BAD_REQUEST
                if matches!(what, Route::Manifest { reference: Reference::Tag(_), .. }) =>
            {
                Ok(Deleted::Unsupported)
            }
            _ => Err(self.refusal(response).await),
        }
    }
}
