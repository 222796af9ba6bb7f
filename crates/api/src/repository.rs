//! Repositories of a project, empty ones included.

use hythe_oci::RepositoryName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A repository of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Repository {
    /// The full name, project first.
    #[schema(value_type = String)]
    pub name: RepositoryName,
    /// When it was created (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub created: String,
    /// When an image in it was last pushed or deleted (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub updated: String,
    /// How many manifests it holds.
    pub manifests: u64,
}

/// Asks for an empty repository; a push creates one by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRepository {
    /// The full name, project first; the project must exist.
    #[schema(value_type = String, example = "lab/solver")]
    pub name: RepositoryName,
}
