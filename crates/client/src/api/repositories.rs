//! Repositories of a project.

use hythe_api::{NewRepository, Repository};
use hythe_oci::{ProjectName, RepositoryName};
use hythe_outbound::Method;

use super::{Api, Pages};
use crate::ApiError;

impl Api {
    /// Creates an empty repository.
    pub async fn create_repository(&self, repository: &NewRepository) -> Result<Repository, ApiError> {
        self.ask(Method::POST, self.url(&[&"repositories"])?, repository).await
    }

    /// The repositories of a project, by name, empty ones included.
    pub fn repositories(&self, project: &ProjectName) -> Result<Pages<'_, Repository>, ApiError> {
        self.pages(&[&"projects", project, &"repositories"])
    }

    /// Deletes a repository with all its tags and manifests.
    pub async fn delete_repository(&self, name: &RepositoryName) -> Result<(), ApiError> {
        self.delete(self.url(&[&"repositories", name])?).await
    }
}
