//! Which names begin like what is being typed. Pure.

use super::names::Names;

/// The most offers of one answer: more are no help, and slow a shell down.
const MOST_OFFERS: usize = 300;

/// What a name on the command line is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A project.
    Project,
    /// A repository.
    Repository,
    /// A repository, or an image in it.
    Image,
    /// A project, a repository, or an image.
    Anything,
}

/// The names that begin with `typed`, one step further: projects first, then the repositories of one, then the tags of one.
pub(super) fn matching(
    names: &Names,
    typed: &str,
    wanted: Wanted,
    default_project: Option<&str>,
) -> Vec<String> {
    let mut found = match wanted {
        Wanted::Project => beginning(names.projects.iter().map(String::as_str), typed),
        Wanted::Repository | Wanted::Image | Wanted::Anything => {
            let mut found = paths(names, typed, "", wanted);
            // A bare name is one of the default project.
            if let Some(project) = default_project {
                let prefix = format!("{project}/");
                found.extend(paths(names, typed, &prefix, wanted));
            }
            found
        }
    };
    found.truncate(MOST_OFFERS);
    found
}

fn beginning<'a>(names: impl Iterator<Item = &'a str>, typed: &str) -> Vec<String> {
    names.filter(|name| name.starts_with(typed)).take(MOST_OFFERS).map(ToOwned::to_owned).collect()
}

/// The offers among the names below `prefix`, which is not typed.
fn paths(names: &Names, typed: &str, prefix: &str, wanted: Wanted) -> Vec<String> {
    let below =
        || names.repositories.iter().filter_map(|(name, tags)| Some((name.strip_prefix(prefix)?, tags)));
    if let Some((repository, tag)) = typed.split_once(':') {
        if wanted == Wanted::Repository {
            return Vec::new();
        }
        let tags = below()
            .find(|(name, _)| *name == repository)
            .map(|(_, tags)| tags.as_slice())
            .unwrap_or_default();
        let tags = beginning(tags.iter().map(String::as_str), tag);
        return tags.into_iter().map(|tag| format!("{repository}:{tag}")).collect();
    }
    let whole: Vec<_> = below().filter(|(name, _)| name.starts_with(typed)).collect();
    if prefix.is_empty() && !typed.contains('/') {
        let projects = beginning(names.projects.iter().map(String::as_str), typed);
        if let [_, _, ..] = projects.as_slice() {
            return projects.into_iter().map(|project| format!("{project}/")).collect();
        }
        if wanted == Wanted::Anything {
            let mut found = projects;
            found.extend(step(&whole, wanted));
            return found;
        }
        if whole.is_empty() {
            return projects.into_iter().map(|project| format!("{project}/")).collect();
        }
    }
    step(&whole, wanted)
}

/// Many repositories by their names, a single one with its tags.
fn step(whole: &[(&str, &Vec<String>)], wanted: Wanted) -> Vec<String> {
    let mut found: Vec<_> = whole.iter().take(MOST_OFFERS).map(|(name, _)| (*name).to_owned()).collect();
    if let ([(name, tags)], Wanted::Image | Wanted::Anything) = (whole, wanted) {
        found.extend(tags.iter().take(MOST_OFFERS).map(|tag| format!("{name}:{tag}")));
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Names {
        let repository =
            |name: &str, tags: &[&str]| (name.to_owned(), tags.iter().map(ToString::to_string).collect());
        Names {
            projects: vec!["lab".to_owned(), "library".to_owned(), "zoo".to_owned()],
            repositories: [
                repository("lab/solver", &["v1", "v2", "w"]),
                repository("lab/sort", &[]),
                repository("zoo/ape", &["v1"]),
            ]
            .into(),
        }
    }

    #[test]
    fn each_step_leads_further() {
        for (typed, wanted, offers) in [
            ("", Wanted::Image, vec!["lab/", "library/", "zoo/"]),
            ("li", Wanted::Image, vec!["library/"]),
            ("z", Wanted::Image, vec!["zoo/ape", "zoo/ape:v1"]),
            ("lab/so", Wanted::Image, vec!["lab/solver", "lab/sort"]),
            ("lab/sol", Wanted::Image, vec!["lab/solver", "lab/solver:v1", "lab/solver:v2", "lab/solver:w"]),
            ("lab/sol", Wanted::Repository, vec!["lab/solver"]),
            ("lab/solver:v", Wanted::Image, vec!["lab/solver:v1", "lab/solver:v2"]),
            ("lab/none:", Wanted::Image, vec![]),
            ("zo", Wanted::Anything, vec!["zoo", "zoo/ape", "zoo/ape:v1"]),
            ("la", Wanted::Project, vec!["lab"]),
        ] {
            assert_eq!(matching(&sample(), typed, wanted, None), offers, "{typed} {wanted:?}");
        }
        assert_eq!(matching(&sample(), "sol", Wanted::Repository, Some("lab")), ["solver"]);
        assert_eq!(matching(&sample(), "solver:w", Wanted::Image, Some("lab")), ["solver:w"]);
    }

    proptest! {
        #[test]
        fn an_offer_begins_with_what_was_typed(typed in "[a-z]{0,2}/?[a-z]{0,3}:?[a-z0-9]{0,2}") {
            for wanted in [Wanted::Project, Wanted::Repository, Wanted::Image, Wanted::Anything] {
                for offer in matching(&sample(), &typed, wanted, Some("lab")) {
                    prop_assert!(offer.starts_with(&typed), "{offer} for {typed}");
                }
            }
        }
    }
}
