//! What a token may be used for: actions on repositories, in the grammar of token scopes
//! (`repository:lab/app:pull,push`).
//!
//! A scope is a wish. Reading one never fails: what is not understood is left out, because clients
//! ask for plugins, foreign hosts and things not yet invented, and still expect a token.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use crate::limits::SCOPE_REPOSITORIES;
use crate::name::RepositoryName;

/// Something done to a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Reading.
    Pull,
    /// Writing: uploads, manifests, tags.
    Push,
    /// Removing.
    Delete,
}

impl Action {
    /// Every action, in the order in which they are written.
    pub const ALL: [Self; 3] = [Self::Pull, Self::Push, Self::Delete];

    /// Its name in a scope.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
        }
    }

    /// The action of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Pull => 1,
            Self::Push => 2,
            Self::Delete => 4,
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A set of [`Action`]s; its text is `pull,push,delete` or a part of it, in that order.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Actions(u8);

impl Actions {
    /// No action.
    pub const NONE: Self = Self(0);
    /// Pulling alone.
    pub const PULL: Self = Self(Action::Pull.bit());
    /// Pushing alone.
    pub const PUSH: Self = Self(Action::Push.bit());
    /// Deleting alone.
    pub const DELETE: Self = Self(Action::Delete.bit());
    /// Every action: what `*` means.
    pub const ALL: Self = Self::PULL.union(Self::PUSH).union(Self::DELETE);

    /// Every action: [`Actions::ALL`].
    pub const fn all() -> Self {
        Self::ALL
    }

    /// The set of these actions.
    pub fn of(actions: &[Action]) -> Self {
        actions.iter().copied().collect()
    }

    /// What is understood of a comma-separated list; `*` stands for every action.
    fn understood(list: &str) -> Self {
        list.split(',').fold(Self::NONE, |actions, word| match word.trim() {
            "*" => Self::ALL,
            word => Action::parse(word).map_or(actions, |action| actions.with(action)),
        })
    }

    /// This set and `action`.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | action.bit())
    }

    /// What is in either set.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersect(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `action` is in the set.
    pub const fn contains(self, action: Action) -> bool {
        self.0 & action.bit() != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The actions, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |&action| self.contains(action))
    }
}

impl From<Action> for Actions {
    fn from(action: Action) -> Self {
        Self(action.bit())
    }
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, action) in self.iter().enumerate() {
            if at > 0 {
                formatter.write_str(",")?;
            }
            formatter.write_str(action.as_str())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Actions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Actions({self})")
    }
}

/// What a token was asked for, or is good for: actions per repository, and the catalog.
///
/// Each repository appears once, with at least one action.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet {
    repositories: BTreeMap<RepositoryName, Actions>,
    catalog: bool,
}

impl ScopeSet {
    /// A set without any right.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the `scope` parameters of a token request, each of which may hold several scopes joined
    /// by blanks.
    ///
    /// A scope is `type[(class)]:name:actions`. The name may hold colons (`host:port/…`), so the type
    /// ends at the first and the actions begin after the last one. The class is deprecated and
    /// ignored. Scopes of one repository are united; what is not understood is left out.
    pub fn parse<'a>(parameters: impl IntoIterator<Item = &'a str>) -> Self {
        let mut scopes = Self::new();
        for scope in parameters.into_iter().flat_map(str::split_ascii_whitespace) {
            scopes.add(scope);
        }
        scopes
    }

    fn add(&mut self, scope: &str) {
        let Some((kind, rest)) = scope.split_once(':') else { return };
        let Some((name, actions)) = rest.rsplit_once(':') else { return };
        match without_class(kind) {
            "repository" => {
                if let Ok(name) = RepositoryName::parse(name) {
                    self.insert(name, Actions::understood(actions));
                }
            }
            "registry" if name == "catalog" => {
                self.catalog |= actions.split(',').any(|action| action.trim() == "*");
            }
            _ => {}
        }
    }

    /// Adds `actions` to what the set holds for `name`. Without actions, or for a new repository past
    /// [`SCOPE_REPOSITORIES`], nothing changes.
    pub fn insert(&mut self, name: RepositoryName, actions: Actions) {
        if actions.is_empty() {
            return;
        }
        let full = self.repositories.len() >= SCOPE_REPOSITORIES;
        match self.repositories.entry(name) {
            Entry::Occupied(mut held) => *held.get_mut() = held.get().union(actions),
            Entry::Vacant(place) if !full => {
                place.insert(actions);
            }
            Entry::Vacant(_) => {}
        }
    }

    /// Adds the list of all repositories (`registry:catalog:*`).
    pub fn insert_catalog(&mut self) {
        self.catalog = true;
    }

    /// Whether the list of all repositories is included.
    pub const fn catalog(&self) -> bool {
        self.catalog
    }

    /// What both sets hold.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let mut both = Self { catalog: self.catalog && other.catalog, ..Self::new() };
        for (name, actions) in self.repositories() {
            both.insert(name.clone(), actions.intersect(other.get(name)));
        }
        both
    }

    /// What the set holds for one repository.
    pub fn get(&self, name: &RepositoryName) -> Actions {
        self.repositories.get(name).copied().unwrap_or_default()
    }

    /// The repositories in order of their names, each with its actions.
    pub fn repositories(&self) -> impl Iterator<Item = (&RepositoryName, Actions)> {
        self.repositories.iter().map(|(name, &actions)| (name, actions))
    }

    /// How many repositories the set holds; the catalog is not counted.
    pub fn len(&self) -> usize {
        self.repositories.len()
    }

    /// Whether the set holds no right at all.
    pub fn is_empty(&self) -> bool {
        self.repositories.is_empty() && !self.catalog
    }
}

/// `repository(plugin)` → `repository`.
fn without_class(kind: &str) -> &str {
    match kind.split_once('(') {
        Some((bare, class)) if class.ends_with(')') => bare,
        _ => kind,
    }
}

impl fmt::Display for ScopeSet {
    /// The scopes joined by blanks, repositories first; [`ScopeSet::parse`] reads it back.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, actions)) in self.repositories().enumerate() {
            let blank = if at > 0 { " " } else { "" };
            write!(formatter, "{blank}repository:{name}:{actions}")?;
        }
        if self.catalog {
            let blank = if self.repositories.is_empty() { "" } else { " " };
            write!(formatter, "{blank}registry:catalog:*")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::arbitrary;

    #[test]
    fn scopes_are_read_in_every_spelling() {
        for (parameters, understood) in [
            (vec!["repository:lab/app:pull"], "repository:lab/app:pull"),
            (vec!["repository:lab/app:push,pull"], "repository:lab/app:pull,push"),
            (vec!["repository:a:pull repository:b:push"], "repository:a:pull repository:b:push"),
            (vec!["repository:b:push", "repository:a:pull"], "repository:a:pull repository:b:push"),
            (vec!["repository:a:pull", "repository:a:pull,push"], "repository:a:pull,push"),
            (vec!["repository:a:*"], "repository:a:pull,push,delete"),
            (vec!["repository:a:pull,fly,DELETE"], "repository:a:pull"),
            (vec!["repository(plugin):a:pull"], "repository:a:pull"),
            (vec!["registry:catalog:*"], "registry:catalog:*"),
            (vec!["  repository:a:pull\t registry:catalog:*\n"], "repository:a:pull registry:catalog:*"),
        ] {
            assert_eq!(ScopeSet::parse(parameters.iter().copied()).to_string(), understood, "{parameters:?}");
        }
    }

    #[test]
    fn what_is_not_understood_is_left_out() {
        for junk in [
            "",
            " ",
            ":",
            "::",
            ":::",
            "repository",
            "repository:a",
            "repository:a:",
            "repository::pull",
            "repository:a:fly",
            "repository:A:pull",
            "repository:host:5000/a:pull",
            "repository(:a:pull",
            "repository)x(:a:pull",
            "Repository:a:pull",
            "registry:catalog:pull",
            "registry:other:*",
            "image:a:pull",
            "repository:../a:pull",
            "\u{0}",
        ] {
            assert!(ScopeSet::parse([junk]).is_empty(), "{junk:?} was understood");
            let beside = ScopeSet::parse([junk, "repository:a:pull"]).to_string();
            assert_eq!(beside, "repository:a:pull", "beside {junk:?}");
        }
    }

    #[test]
    fn repositories_are_bounded() {
        let many: Vec<_> =
            (0..SCOPE_REPOSITORIES + 5).map(|at| format!("repository:r{at:05}:pull")).collect();
        let mut scopes = ScopeSet::parse(many.iter().map(String::as_str));
        assert_eq!(scopes.len(), SCOPE_REPOSITORIES);
        // One that is in already still grows.
        let first = RepositoryName::parse("r00000").unwrap();
        scopes.insert(first.clone(), Actions::PUSH);
        assert_eq!(scopes.get(&first), Actions::PULL.with(Action::Push));
    }

    #[test]
    fn nothing_asked_is_nothing_held() {
        let mut scopes = ScopeSet::new();
        let name = RepositoryName::parse("a").unwrap();
        scopes.insert(name.clone(), Actions::NONE);
        assert!(scopes.is_empty());
        assert_eq!(scopes.get(&name), Actions::NONE);
        scopes.insert_catalog();
        assert!(!scopes.is_empty());
        assert_eq!(scopes.len(), 0);
    }

    #[test]
    fn an_intersection_keeps_what_both_hold() {
        let one = ScopeSet::parse(["repository:a:pull,push repository:b:pull registry:catalog:*"]);
        let other = ScopeSet::parse(["repository:a:push,delete repository:b:push repository:c:pull"]);
        assert_eq!(one.intersect(&other).to_string(), "repository:a:push");
    }

    proptest! {
        #[test]
        fn a_scope_set_reads_back(scopes in arbitrary::scope_set()) {
            let text = scopes.to_string();
            prop_assert_eq!(&ScopeSet::parse([text.as_str()]), &scopes);
            // Each scope as a parameter of its own means the same.
            prop_assert_eq!(ScopeSet::parse(text.split(' ')), scopes);
        }

        #[test]
        fn any_text_is_read_without_failing(text in "(repository|registry)?[a-c:,()* ]{0,20}(pull)?|.*") {
            let scopes = ScopeSet::parse([text.as_str()]);
            prop_assert!(scopes.repositories().all(|(_, actions)| !actions.is_empty()));
            let again = scopes.to_string();
            prop_assert_eq!(ScopeSet::parse([again.as_str()]), scopes);
        }

        #[test]
        fn actions_are_a_set(one in arbitrary::actions(), other in arbitrary::actions()) {
            for action in Action::ALL {
                let (in_one, in_other) = (one.contains(action), other.contains(action));
                prop_assert_eq!(one.union(other).contains(action), in_one || in_other);
                prop_assert_eq!(one.intersect(other).contains(action), in_one && in_other);
                prop_assert_eq!(Action::parse(action.as_str()), Some(action));
            }
            prop_assert_eq!(Actions::understood(&one.to_string()), one);
            prop_assert_eq!(one.iter().collect::<Actions>(), one);
        }
    }
}
