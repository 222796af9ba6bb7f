//! Members: which user holds which role in a project.

use hythe_oci::UserName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a member may do; each role includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Pusher,
    /// Pull, push, delete, and change the project and its members.
    Owner,
}

/// A member of a project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// The user's name.
    #[schema(value_type = String)]
    pub user: UserName,
    /// The user's role in this project.
    pub role: Role,
}

/// Gives a user a role in a project, in place of any earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// The role to hold from now on.
    pub role: Role,
}
