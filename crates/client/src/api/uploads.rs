//! Uploads that were begun and not finished.

use hythe_api::{OpenUpload, Page};
use hythe_oci::{Digest, ProjectName, UploadId};

use super::{Api, Pages};
use crate::ApiError;

impl Api {
    /// The open uploads of a project that the caller may see, by id.
    pub fn uploads(&self, project: &ProjectName) -> Result<Pages<'_, OpenUpload>, ApiError> {
        self.pages(&[&"projects", project, &"uploads"])
    }

    /// The caller's own open uploads in all projects, by id.
    pub fn own_uploads(&self) -> Result<Pages<'_, OpenUpload>, ApiError> {
        self.pages(&[&"uploads"])
    }

    /// The caller's own open uploads that were begun for this blob, wherever they were begun.
    pub async fn own_uploads_of(&self, blob: &Digest) -> Result<Vec<OpenUpload>, ApiError> {
        let mut url = self.url(&[&"uploads"])?;
        url.query_pairs_mut().append_pair("digest", &blob.to_string());
        Ok(self.get::<Page<OpenUpload>>(url).await?.items)
    }

    /// Cancels an upload and discards its bytes.
    pub async fn cancel_upload(&self, id: &UploadId) -> Result<(), ApiError> {
        self.delete(self.url(&[&"uploads", id])?).await
    }
}
