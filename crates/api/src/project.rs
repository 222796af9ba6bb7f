//! Projects: the first path component of every repository, with its visibility and policies.

use hythe_oci::ProjectName;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::Role;

/// Who may pull from a project without being its member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody, signed in or not.
    Public,
    /// Everybody who is signed in.
    Internal,
    /// Members and administrators alone; to all others the project does not exist.
    Private,
}

/// How clients should pack the layers they push, where nobody tells them otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// What every client unpacks.
    #[default]
    Gzip,
    /// Smaller and faster; clients before 2021 cannot unpack it.
    Zstd,
}

/// A project as its reader sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// The name: one path component of a repository name.
    #[schema(value_type = String)]
    pub name: ProjectName,
    /// Who may pull without being a member.
    pub visibility: Visibility,
    /// Untagged manifests are removed after so many days; `null` keeps them.
    pub untagged_days: Option<u32>,
    /// How clients should pack the layers they push. A server that does not say so has no wish but `gzip`.
    #[serde(default)]
    pub compression: Compression,
    /// When the project was created (RFC 3339, UTC).
    #[schema(format = DateTime)]
    pub created: String,
    /// The role of the caller, `null` when the caller is no member.
    pub role: Option<Role>,
}

/// Asks for a new project; whoever asks becomes its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// The name: lower-case letters and digits, with single `.`, `_`, `__` or dashes between them.
    #[schema(value_type = String, example = "lab")]
    pub name: ProjectName,
    /// Who may pull without being a member.
    pub visibility: Visibility,
}

/// Changes to a project; what is left out stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectChanges {
    /// The new visibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Remove untagged manifests after so many days; `null` keeps them for ever.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>)]
    pub untagged_days: Option<Option<u32>>,
    /// How clients should pack the layers they push from now on; what is there stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
}

#[expect(clippy::option_option, reason = "absent, null and a number are three different wishes")]
/// Reads a field that is there, so that `null` (set to nothing) differs from absent (leave alone).
fn present<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_a_number_are_three_different_changes() {
        let read = |text: &str| serde_json::from_str::<ProjectChanges>(text).unwrap().untagged_days;
        assert_eq!(read("{}"), None);
        assert_eq!(read(r#"{"untagged_days":null}"#), Some(None));
        assert_eq!(read(r#"{"untagged_days":14}"#), Some(Some(14)));
    }

    #[test]
    fn the_three_changes_survive_the_way_there_and_back() {
        for untagged_days in [None, Some(None), Some(Some(14))] {
            let sent = ProjectChanges { untagged_days, ..ProjectChanges::default() };
            let text = serde_json::to_string(&sent).unwrap();
            assert_eq!(serde_json::from_str::<ProjectChanges>(&text).unwrap(), sent, "{text}");
        }
    }

    #[test]
    fn a_mistyped_field_is_refused() {
        let refused = serde_json::from_str::<ProjectChanges>(r#"{"visibilty":"public"}"#).unwrap_err();
        assert!(refused.to_string().contains("visibilty"), "{refused}");
    }
}
