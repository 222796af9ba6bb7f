//! Local users and their passwords.

use hythe_oci::UserName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Secret;

/// A user as administrators, and the user, see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// The name used to sign in.
    #[schema(value_type = String)]
    pub name: UserName,
    /// Whether the user administers the whole server.
    pub admin: bool,
}

/// Asks for a new user (administrators only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name used to sign in: lower-case letters, digits and `.`, `_`, `@`, `-`; 63 characters at most.
    #[schema(value_type = String, example = "ada")]
    pub name: UserName,
    /// The first password.
    pub password: Secret,
    /// Whether the user administers the whole server.
    #[serde(default)]
    pub admin: bool,
}

/// Sets the password of another user (administrators only).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password that counts from now on.
    pub password: Secret,
}

/// Changes one's own password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password that counted until now: a stolen token alone must not be able to change it.
    pub current: Secret,
    /// The password that counts from now on.
    pub password: Secret,
}
