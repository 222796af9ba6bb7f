//! Names of repositories, projects and users.
//!
//! A value of one of these types has passed its grammar: it holds neither an empty component nor
//! `.`/`..`, no upper case and no byte outside ASCII, so it may stand in a path, a log line or a
//! scope as it is.

use std::fmt;
use std::sync::Arc;

use crate::limits::{NAME_BYTES, USER_NAME_BYTES};
use crate::quote::quoted;
use crate::text::text_form;

/// The name of a repository: lower-case components joined by `/`, at most [`NAME_BYTES`] bytes
/// (distribution specification, "Pulling manifests"). Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName(Arc<str>);

/// The name of a project: one component of a repository name. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Arc<str>);

/// The name of a user: a lower-case letter or digit, then up to 62 of those and `.`, `_`, `@`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(Arc<str>);

impl RepositoryName {
    /// Reads a repository name.
    ///
    /// # Errors
    /// [`NameError`] when `text` is empty, too long or outside the grammar.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |fault| NameError::new("repository name", text, fault);
        check_length(text, NAME_BYTES).map_err(refuse)?;
        text.split('/').try_for_each(check_component).map_err(refuse)?;
        Ok(Self(text.into()))
    }

    /// The repository `rest` of a project, or the one that bears the project's own name.
    ///
    /// # Errors
    /// [`NameError`] when `rest` is outside the grammar or the whole becomes too long.
    pub fn within(project: &ProjectName, rest: Option<&str>) -> Result<Self, NameError> {
        match rest {
            Some(rest) => Self::parse(&format!("{project}/{rest}")),
            None => Ok(Self(project.0.clone())),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The project the repository belongs to: its first component.
    pub fn project(&self) -> ProjectName {
        match self.0.split_once('/') {
            Some((project, _)) => ProjectName(project.into()),
            None => ProjectName(self.0.clone()),
        }
    }

    /// What follows the project's name, or `None` for the repository that bears just that name.
    pub fn rest(&self) -> Option<&str> {
        self.0.split_once('/').map(|(_, rest)| rest)
    }
}

impl ProjectName {
    /// Reads a project name.
    ///
    /// # Errors
    /// [`NameError`] when `text` is empty, too long or outside the grammar of one component.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |fault| NameError::new("project name", text, fault);
        check_length(text, NAME_BYTES).map_err(refuse)?;
        check_component(text).map_err(refuse)?;
        Ok(Self(text.into()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl UserName {
    /// Reads a user name.
    ///
    /// # Errors
    /// [`NameError`] when `text` is empty, longer than [`USER_NAME_BYTES`] or outside the grammar.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let refuse = |fault| NameError::new("user name", text, fault);
        check_length(text, USER_NAME_BYTES).map_err(refuse)?;
        let foreign = |&(at, character): &(usize, char)| {
            !is_alphanumeric(character) && (at == 0 || !matches!(character, '.' | '_' | '@' | '-'))
        };
        match text.chars().enumerate().find(foreign) {
            None => Ok(Self(text.into())),
            Some((_, character)) => Err(refuse(NameFault::UserCharacter(character))),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ProjectName> for RepositoryName {
    fn from(project: ProjectName) -> Self {
        Self(project.0)
    }
}

macro_rules! name_text {
    ($type:ty) => {
        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        text_form!($type, NameError);
    };
}

name_text!(RepositoryName);
name_text!(ProjectName);
name_text!(UserName);

/// Why a name was refused; its text is a sentence for the person who typed the name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The {kind} {shown} is not valid: {fault}.")]
pub struct NameError {
    kind: &'static str,
    shown: String,
    fault: NameFault,
}

impl NameError {
    fn new(kind: &'static str, text: &str, fault: NameFault) -> Self {
        Self { kind, shown: quoted(text), fault }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum NameFault {
    #[error("it is empty")]
    Empty,
    #[error("it is {found} bytes long, and at most {most} are allowed")]
    TooLong { found: usize, most: usize },
    #[error("one of the parts between `/` is empty")]
    EmptyComponent,
    #[error(
        "{} is not allowed in it; use lower-case letters and digits, joined by `.`, `_`, `__` or `-`",
        quoted(&.0.to_string())
    )]
    Character(char),
    #[error(
        "the part {0} must begin and end with a lower-case letter or digit, and between them only one `.`, \
         one or two `_`, or any number of `-` may stand together"
    )]
    Separator(String),
    #[error(
        "{} is not allowed there; use a lower-case letter or digit first, then those and `.`, `_`, `@`, `-`",
        quoted(&.0.to_string())
    )]
    UserCharacter(char),
}

fn check_length(text: &str, most: usize) -> Result<(), NameFault> {
    match text.len() {
        0 => Err(NameFault::Empty),
        found if found > most => Err(NameFault::TooLong { found, most }),
        _ => Ok(()),
    }
}

/// One component: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn check_component(component: &str) -> Result<(), NameFault> {
    if component.is_empty() {
        return Err(NameFault::EmptyComponent);
    }
    if let Some(foreign) = component.chars().find(|&c| !is_alphanumeric(c) && !matches!(c, '.' | '_' | '-')) {
        return Err(NameFault::Character(foreign));
    }
    // What stands between two alphanumeric characters is "" or one separator; what stands before the
    // first and after the last is nothing, so an empty first or last piece means a separator there.
    let mut separator = String::new();
    let mut begun = false;
    let mut well_formed = true;
    for character in component.chars() {
        if is_alphanumeric(character) {
            well_formed &= separator.is_empty() || (begun && is_separator(&separator));
            separator.clear();
            begun = true;
        } else {
            separator.push(character);
        }
    }
    if well_formed && separator.is_empty() { Ok(()) } else { Err(NameFault::Separator(quoted(component))) }
}

fn is_separator(run: &str) -> bool {
    matches!(run, "." | "_" | "__") || run.chars().all(|character| character == '-')
}

const fn is_alphanumeric(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    #[test]
    fn repository_names_follow_the_grammar() {
        for good in [
            "a",
            "0",
            "lab",
            "lab/app",
            "a.b",
            "a_b",
            "a__b",
            "a-b",
            "a--b",
            "a----b.c_d",
            "a/b/c/d/e/f/g/h",
            "blobs",
        ] {
            assert_eq!(RepositoryName::parse(good).unwrap().as_str(), good);
        }
        for bad in [
            "", "/", "a/", "/a", "a//b", "A", "lab/App", "a..b", "a___b", "a.-b", "a-.b", "a_-b", "-a", "a-",
            ".a", "a.", "_a", "a_", "..", "a/../b", "a b", "a:b", "ä", "a%2fb", "_catalog", "a\0b", "a\n",
        ] {
            assert!(RepositoryName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn names_are_bounded() {
        assert!(RepositoryName::parse(&"a".repeat(NAME_BYTES)).is_ok());
        let error = RepositoryName::parse(&"a".repeat(NAME_BYTES + 1)).unwrap_err().to_string();
        assert!(error.contains("256 bytes") && error.contains("255"), "{error}");
        let project = ProjectName::parse(&"a".repeat(NAME_BYTES - 1)).unwrap();
        assert!(RepositoryName::within(&project, Some("b")).is_err());
    }

    #[test]
    fn a_project_is_one_component() {
        let name = RepositoryName::parse("lab/gpu/train").unwrap();
        assert_eq!((name.project().as_str(), name.rest()), ("lab", Some("gpu/train")));
        let bare = RepositoryName::parse("lab").unwrap();
        assert_eq!((bare.project().as_str(), bare.rest()), ("lab", None));
        assert_eq!(RepositoryName::from(bare.project()), bare);
        for bad in ["", "a/b", "A", "a.", "a..b"] {
            assert!(ProjectName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn user_names_follow_their_grammar() {
        for good in ["admin", "0", "a.b@example.org", "a--b", "a-", &"a".repeat(USER_NAME_BYTES)] {
            assert_eq!(UserName::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "Admin", ".a", "-a", "@a", "_a", "a b", "a:b", "a/b", "é", &"a".repeat(USER_NAME_BYTES + 1)]
        {
            assert!(UserName::parse(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn an_error_says_what_and_why() {
        for (name, parts) in [
            ("Lab/x", ["`Lab/x`", "`L` is not allowed"]),
            ("a//b", ["`a//b`", "is empty"]),
            ("lab/a..b", ["`lab/a..b`", "the part `a..b` must begin and end"]),
            ("a\u{1b}[31m", ["`a\\u{1b}[31m`", "`\\u{1b}`"]),
        ] {
            let error = RepositoryName::parse(name).unwrap_err().to_string();
            for part in parts {
                assert!(error.contains(part), "{error}");
            }
            assert!(error.starts_with("The repository name ") && error.ends_with('.'), "{error}");
        }
    }

    #[test]
    fn serde_checks_the_grammar() {
        let name: RepositoryName = serde_json::from_str("\"lab/app\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"lab/app\"");
        assert!(serde_json::from_str::<RepositoryName>("\"Lab\"").is_err());
        assert!(serde_json::from_str::<UserName>("7").is_err());
    }

    proptest! {
        #[test]
        fn a_name_reads_back(name in arbitrary::repository_name()) {
            prop_assert_eq!(&RepositoryName::parse(&format!("{name}")).unwrap(), &name);
            prop_assert_eq!(&RepositoryName::within(&name.project(), name.rest()).unwrap(), &name);
        }

        #[test]
        fn a_project_or_user_reads_back(project in arbitrary::project_name(), user in arbitrary::user_name()) {
            prop_assert_eq!(&ProjectName::parse(&format!("{project}")).unwrap(), &project);
            prop_assert_eq!(&UserName::parse(&format!("{user}")).unwrap(), &user);
        }

        #[test]
        fn what_is_taken_is_safe_in_a_path(text in "[a-cA-C._/ -]{0,12}") {
            if let Ok(name) = RepositoryName::parse(&text) {
                prop_assert_eq!(name.as_str(), &text);
                prop_assert!(!text.split('/').any(|part| part.is_empty() || part.starts_with('.')));
            }
        }

        #[test]
        fn any_text_is_taken_as_it_is_or_refused(text in any::<String>()) {
            if let Ok(name) = RepositoryName::parse(&text) {
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
