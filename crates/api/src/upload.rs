//! Uploads that were begun and not finished.

use hythe_oci::{Digest, RepositoryName, UserName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An open upload session of `/v2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenUpload {
    /// The session's id, the last part of its `/v2/…/blobs/uploads/` address.
    pub id: String,
    /// The repository it belongs to.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The user who began it.
    #[schema(value_type = String)]
    pub user: UserName,
    /// Bytes that are here so far.
    pub received: u64,
    /// When it was begun (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub started: String,
    /// When the server gives it up (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub expires: String,
    /// Where it goes on, as a path on this server.
    #[schema(example = "/v2/lab/solver/blobs/uploads/…")]
    pub location: String,
    /// The digest of the blob it is going to be, if its client said so when it began (`Hythe-Blob-Digest`).
    #[schema(value_type = Option<String>)]
    pub expected_digest: Option<Digest>,
    /// The size in bytes of that blob, if its client said so (`Hythe-Blob-Size`).
    pub expected_size: Option<u64>,
}
