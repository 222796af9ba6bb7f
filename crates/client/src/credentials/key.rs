//! The names under which logins are kept.

use std::fmt;
use std::str::FromStr;

use hythe_oci::{NameError, RepositoryName};
use thiserror::Error;

use crate::image::{DOCKER_HUB, HostPort, ImageNameError, Registry};

/// What docker keeps a login to Docker Hub under.
const DOCKER_HUB_SERVER: &str = "https://index.docker.io/v1/";

/// Most bytes of a key.
const KEY_BYTES: usize = 1024;

/// What a login is for: a registry, or a path in one: `host[:port][/path]`.
///
/// `https://` and `http://` in front are understood, and so is `/v1/` or `/v2/` behind a key with one, because
/// docker once wrote them. The names of Docker Hub are one key. Two keys are equal when they are for the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LoginKey {
    host: String,
    port: Option<u16>,
    path: Option<RepositoryName>,
}

impl LoginKey {
    /// Reads a key.
    ///
    /// # Errors
    /// [`KeyError`] when there is no host, or the path is not one of repositories.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() > KEY_BYTES {
            return Err(KeyError::TooLong { found: text.len() });
        }
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let rest = bare.unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (authority, path) = match rest.split_once('/') {
            Some((authority, path)) => (authority, Some(path)),
            None => (rest, None),
        };
        let parsed = HostPort::parse(authority)?;
        let versions_are_no_path = bare.is_some() || parsed.is_docker_hub();
        let path = path.filter(|path| !(versions_are_no_path && matches!(*path, "v1" | "v2")));
        let path = path.map(RepositoryName::parse).transpose()?;
        if parsed.is_docker_hub() {
            return Ok(Self { host: DOCKER_HUB.to_owned(), port: None, path });
        }
        Ok(Self { host: parsed.host, port: parsed.port, path })
    }

    /// The key of a whole registry.
    pub fn of(registry: &Registry) -> Self {
        Self { host: registry.host().to_owned(), port: registry.port(), path: None }
    }

    /// The path in the registry, if the key is for no more than that.
    pub const fn path(&self) -> Option<&RepositoryName> {
        self.path.as_ref()
    }

    /// How many components the path has: the more, the more precisely the key says what it is for.
    pub(super) fn depth(&self) -> usize {
        self.path.as_ref().map_or(0, |path| path.as_str().split('/').count())
    }

    /// Whether a login under this key is for a repository of a registry; for the registry as such when
    /// `repository` is `None`, and then no key with a path is.
    pub fn is_for(&self, registry: &Registry, repository: Option<&RepositoryName>) -> bool {
        let default = registry.scheme().default_port();
        self.host == registry.host()
            && self.port.unwrap_or(default) == registry.port().unwrap_or(default)
            && match (&self.path, repository) {
                (None, _) => true,
                (Some(_), None) => false,
                (Some(path), Some(repository)) => repository
                    .as_str()
                    .strip_prefix(path.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            }
    }

    /// This key, then that of each path above, and the registry's at last.
    pub fn and_wider(&self) -> impl Iterator<Item = Self> + use<> {
        std::iter::successors(Some(self.clone()), |key| {
            let path = key.path.as_ref()?.as_str();
            // What stands before a slash of a repository's name is one itself.
            let path = path.rsplit_once('/').and_then(|(above, _)| RepositoryName::parse(above).ok());
            Some(Self { path, ..key.clone() })
        })
    }

    /// What docker calls the registry when it speaks with a credential helper.
    pub fn as_docker_server(&self) -> String {
        if self.host == DOCKER_HUB && self.port.is_none() && self.path.is_none() {
            DOCKER_HUB_SERVER.to_owned()
        } else {
            self.to_string()
        }
    }
}

impl fmt::Display for LoginKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        match &self.path {
            Some(path) => write!(f, "/{path}"),
            None => Ok(()),
        }
    }
}

impl FromStr for LoginKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Why a key was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// More bytes than a key has.
    #[error("The name of the server is {found} bytes long, and at most {KEY_BYTES} are allowed.")]
    TooLong {
        /// How many there are.
        found: usize,
    },
    /// The host or port is none.
    #[error(transparent)]
    Registry(#[from] ImageNameError),
    /// The path is outside the grammar of repository names.
    #[error(transparent)]
    Path(#[from] NameError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    fn key(text: &str) -> LoginKey {
        LoginKey::parse(text).unwrap()
    }

    #[test]
    fn every_spelling_of_a_registry_is_one_key() {
        for (texts, one, server) in [
            (
                &[
                    "a.example",
                    "A.example/",
                    "https://a.example",
                    "https://a.example/v1/",
                    "http://a.example/v2",
                ][..],
                "a.example",
                "a.example",
            ),
            (&["localhost:5000", "http://localhost:5000/"][..], "localhost:5000", "localhost:5000"),
            (&["[::1]:5000", "[0::1]:5000"][..], "[::1]:5000", "[::1]:5000"),
            (
                &[
                    "https://index.docker.io/v1/",
                    "index.docker.io",
                    "docker.io",
                    "registry-1.docker.io",
                    "index.docker.io/v1",
                ][..],
                "docker.io",
                "https://index.docker.io/v1/",
            ),
            (&["docker.io/grafana"][..], "docker.io/grafana", "docker.io/grafana"),
            // Without a scheme `/v2` is a path, and a login for a path is not one for the host.
            (&["a.example/v2"][..], "a.example/v2", "a.example/v2"),
            (&["registry"][..], "registry", "registry"),
        ] {
            for text in texts {
                assert_eq!(key(text).to_string(), one, "{text}");
                assert_eq!(key(text).as_docker_server(), server, "{text}");
            }
        }
        for bad in [
            "",
            "/",
            "a.example//x",
            "a.example/X",
            "https://",
            "user@a.example",
            "a.example:x",
            "a.example/../b",
        ] {
            assert!(LoginKey::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(LoginKey::parse(&"a/".repeat(1000)).is_err());
    }

    #[test]
    fn a_key_is_for_its_own_registry_and_path() {
        let repository: RepositoryName = "lab/gpu/train".parse().unwrap();
        let registry = Registry::parse("a.example").unwrap();
        for (text, repository_too, registry_as_such) in [
            ("a.example", true, true),
            ("a.example:443", true, true),
            ("a.example/lab", true, false),
            ("a.example/lab/gpu/train", true, false),
            ("a.example/lab/gpu/train/x", false, false),
            ("a.example/la", false, false),
            ("a.example/lab/gp", false, false),
            ("a.example:5000", false, false),
            ("a.example:80", false, false),
            ("b.example", false, false),
            ("a.example.evil", false, false),
            ("example", false, false),
            ("docker.io", false, false),
        ] {
            let key = key(text);
            assert_eq!(key.is_for(&registry, Some(&repository)), repository_too, "{text}");
            assert_eq!(key.is_for(&registry, None), registry_as_such, "{text}");
        }
        assert!(key("registry").is_for(&Registry::parse("https://registry").unwrap(), None));
        assert!(key("https://index.docker.io/v1/").is_for(&Registry::docker_hub(), None));
    }

    #[test]
    fn wider_keys_end_at_the_registry() {
        let keys: Vec<_> = key("a.example:1/b/c").and_wider().map(|key| key.to_string()).collect();
        assert_eq!(keys, ["a.example:1/b/c", "a.example:1/b", "a.example:1"]);
    }

    proptest! {
        #[test]
        fn a_key_reads_back(registry in arbitrary::registry(), path in prop::option::of(arbitrary::repository())) {
            let mut text = LoginKey::of(&registry).to_string();
            if let Some(path) = &path {
                text.push_str(&format!("/{path}"));
            }
            let read = key(&text);
            prop_assert_eq!(&key(&read.to_string()), &read);
            prop_assert_eq!(&key(&read.as_docker_server()), &read);
            let repository = path.unwrap_or_else(|| "a".parse().unwrap());
            prop_assert!(read.is_for(&registry, Some(&repository)));
            for wider in read.and_wider() {
                prop_assert!(wider.is_for(&registry, Some(&repository)));
            }
        }

        #[test]
        fn a_key_is_for_no_other_host(one in arbitrary::registry(), other in arbitrary::registry()) {
            // Those that are the same by chance are not so rare that they could be left out: that is limited for all cases together.
            prop_assert!(one.host() == other.host() || !LoginKey::of(&one).is_for(&other, None));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(https?://)?[a-c.:\\[\\]/v12@-]{0,16}|.{0,40}") {
            if let Ok(key) = LoginKey::parse(&text) {
                prop_assert_eq!(LoginKey::parse(&key.to_string()).unwrap(), key);
            }
        }
    }
}
