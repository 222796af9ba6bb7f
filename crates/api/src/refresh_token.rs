//! Refresh tokens: the device sessions that `docker login` and its kind leave behind.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A refresh token, without the secret: that is shown once, when it is issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefreshToken {
    /// The id by which it is revoked.
    pub id: String,
    /// The program that asked for it, as it named itself.
    pub client: String,
    /// When it was issued (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub created: String,
    /// When it was last exchanged for an access token (RFC 3339, UTC); `null` when never.
    #[schema(format = DateTime)]
    pub last_used: Option<String>,
    /// When it ends by itself (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub expires: String,
}
