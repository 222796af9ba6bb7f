//! References: `[host[:port]/]path[:tag][@digest]`, as docker and its kin read them.

use std::fmt;
use std::str::FromStr;

use hythe_oci::{Digest, Reference, RepositoryName, Tag};

use super::IMAGE_NAME_BYTES;
use super::error::{ImageNameError, bad_name};
use super::registry::{Registry, Scheme};

/// A name in a registry, complete: what is not written has been filled in as docker does.
///
/// `alpine` is `docker.io/library/alpine`. The first part is a host when it holds `.`, `:` or an upper-case
/// letter, or is `localhost`; otherwise it belongs to a repository of Docker Hub. A scheme in front
/// is understood, so that a pasted address works. `Display` writes the whole name without a scheme.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageReference {
    registry: Registry,
    repository: RepositoryName,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl ImageReference {
    /// Reads a reference.
    ///
    /// # Errors
    /// [`ImageNameError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let parts = Parts::split(text)?;
        let registry = match parts.host {
            Some(host) => Registry::of_authority(parts.scheme, host)?,
            None => Registry::docker_hub(),
        };
        Self::new(registry, RepositoryName::parse(parts.path)?, parts.tag, parts.digest)
    }

    /// A reference of these parts. On Docker Hub a repository of one component is that of `library/`.
    ///
    /// # Errors
    /// The repository's name becomes too long by `library/`.
    pub fn new(
        registry: Registry,
        repository: RepositoryName,
        tag: Option<Tag>,
        digest: Option<Digest>,
    ) -> Result<Self, ImageNameError> {
        let repository = if registry.is_docker_hub() && repository.rest().is_none() {
            RepositoryName::parse(&format!("library/{repository}"))?
        } else {
            repository
        };
        Ok(Self { registry, repository, tag, digest })
    }

    /// The registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The repository in it.
    pub const fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The tag, if one is written.
    pub const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one is written. It decides, and the tag is then only a remark.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What names the manifest in its repository: the digest, else the tag, else `latest`.
    pub fn reference(&self) -> Reference {
        reference(self.tag.as_ref(), self.digest.as_ref())
    }

    /// The short form that people write: without `docker.io/` and `library/` where it reads the same.
    pub fn familiar(&self) -> String {
        let path = self.repository.as_str();
        let mut text = if !self.registry.is_docker_hub()
            || path.split_once('/').is_some_and(|(first, _)| is_host(first))
        {
            format!("{}/{path}", self.registry)
        } else {
            let official = path.strip_prefix("library/");
            official.filter(|short| !short.contains('/') && !is_image_id(short)).unwrap_or(path).to_owned()
        };
        push_tail(&mut text, self.tag.as_ref(), self.digest.as_ref());
        text
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}/{}", self.registry, self.repository);
        push_tail(&mut text, self.tag.as_ref(), self.digest.as_ref());
        f.pad(&text)
    }
}

impl FromStr for ImageReference {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// What names a manifest in its repository: the digest, else the tag, else `latest`.
pub(super) fn reference(tag: Option<&Tag>, digest: Option<&Digest>) -> Reference {
    match (digest, tag) {
        (Some(digest), _) => Reference::Digest(*digest),
        (None, Some(tag)) => Reference::Tag(tag.clone()),
        (None, None) => Reference::Tag(latest()),
    }
}

/// The tag that is meant where none is written.
pub(super) fn latest() -> Tag {
    // `latest` stands in the grammar; the fallback cannot be reached.
    Tag::parse("latest").unwrap_or_else(|_| unreachable!("`latest` is a tag"))
}

/// Writes `[:tag][@digest]`.
pub(super) fn push_tail(text: &mut String, tag: Option<&Tag>, digest: Option<&Digest>) {
    if let Some(tag) = tag {
        text.push(':');
        text.push_str(tag.as_str());
    }
    if let Some(digest) = digest {
        text.push('@');
        text.push_str(&digest.to_string());
    }
}

/// A name without its tag and digest.
pub(super) struct Tail<'a> {
    pub(super) name: &'a str,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Option<Digest>,
}

impl<'a> Tail<'a> {
    /// Takes `[:tag][@digest]` off the end. A colon before the last slash is that of a port.
    pub(super) fn take_off(text: &'a str) -> Result<Self, ImageNameError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let last_part = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest.get(last_part..).and_then(|part| part.find(':')) {
            Some(colon) => {
                let (name, tag) = rest.split_at(last_part + colon);
                (name, Some(Tag::parse(tag.get(1..).unwrap_or_default())?))
            }
            None => (rest, None),
        };
        Ok(Self { name, tag, digest })
    }
}

/// The pieces of a reference as written.
pub(super) struct Parts<'a> {
    /// The scheme, when one is written.
    pub(super) scheme: Option<Scheme>,
    /// The first component, when it is a host.
    pub(super) host: Option<&'a str>,
    /// What follows.
    pub(super) path: &'a str,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Option<Digest>,
}

impl<'a> Parts<'a> {
    pub(super) fn split(text: &'a str) -> Result<Self, ImageNameError> {
        if text.len() > IMAGE_NAME_BYTES {
            return Err(bad_name(text, format!("it is longer than {IMAGE_NAME_BYTES} bytes")));
        }
        if text.is_empty() {
            return Err(bad_name(text, "it is empty; give one such as `app:v1`"));
        }
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (Some(Scheme::Https), rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (Some(Scheme::Http), rest)
        } else {
            (None, text)
        };
        let Tail { name, tag, digest } = Tail::take_off(rest)?;
        let (host, path) = match name.split_once('/') {
            // After a scheme there is always a host, even one that looks like none.
            Some((first, path)) if scheme.is_some() || is_host(first) => (Some(first), path),
            _ if scheme.is_some() => {
                return Err(bad_name(text, "the repository after the registry's host is missing"));
            }
            _ => (None, name),
        };
        if host.is_none() && is_image_id(path) {
            return Err(bad_name(text, "it is the identifier of an image; give the name of one"));
        }
        Ok(Self { scheme, host, path, tag, digest })
    }
}

/// Whether the first component of a path is a registry's host rather than part of a repository.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(char::is_uppercase)
}

/// Whether engines take a name for the digits of an image's digest.
fn is_image_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    #[test]
    fn names_are_completed_as_docker_does() {
        let digest = Digest::of(Algorithm::Sha256, b"x").to_string();
        for (text, complete, familiar) in [
            ("alpine", "docker.io/library/alpine", "alpine"),
            ("alpine:3", "docker.io/library/alpine:3", "alpine:3"),
            ("docker.io/alpine", "docker.io/library/alpine", "alpine"),
            ("index.docker.io/library/alpine:3", "docker.io/library/alpine:3", "alpine:3"),
            ("grafana/loki", "docker.io/grafana/loki", "grafana/loki"),
            ("library/a/b", "docker.io/library/a/b", "library/a/b"),
            ("localhost/app", "localhost/app", "localhost/app"),
            ("localhost:5000/app:v1", "localhost:5000/app:v1", "localhost:5000/app:v1"),
            ("ghcr.io/org/app", "ghcr.io/org/app", "ghcr.io/org/app"),
            ("GHCR.io/org/app", "ghcr.io/org/app", "ghcr.io/org/app"),
            ("Host/app", "host:443/app", "host:443/app"),
            ("[::1]:5000/a/b:t", "[::1]:5000/a/b:t", "[::1]:5000/a/b:t"),
            ("https://reg.example/a/b:t", "reg.example/a/b:t", "reg.example/a/b:t"),
            ("https://reg/a/b:t", "reg:443/a/b:t", "reg:443/a/b:t"),
            ("docker.io/a.b/c", "docker.io/a.b/c", "docker.io/a.b/c"),
            ("a__b/c--d", "docker.io/a__b/c--d", "a__b/c--d"),
        ] {
            let reference = ImageReference::parse(text).unwrap();
            assert_eq!((reference.to_string().as_str(), reference.familiar().as_str()), (complete, familiar));
            let pinned = ImageReference::parse(&format!("{text}@{digest}")).unwrap();
            assert_eq!(pinned.reference().to_string(), digest);
            assert_eq!(pinned.tag, reference.tag);
        }
    }

    #[test]
    fn what_names_no_image_is_refused() {
        let hex = "0".repeat(64);
        for bad in [
            "",
            ":v1",
            "@sha256:00",
            "App",
            "a b",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:-v",
            "a@",
            "a@sha256:00",
            "a:b:c",
            "host:5000",
            "host:x/app",
            "reg.example/",
            "reg.example/App",
            "https://reg.example",
            "https:///a",
            "[::1/app",
            "::1/app",
            "a\0",
            "a?b",
            "user:pass@reg.example/app",
            &hex,
        ] {
            let read = ImageReference::parse(bad);
            // `host:5000` is the image `host` with the tag `5000`, as docker reads it.
            assert_eq!(read.is_ok(), bad == "host:5000", "{bad:?} became {read:?}");
        }
        assert!(ImageReference::parse(&"a".repeat(5000)).is_err());
        assert!(ImageReference::parse(&format!("a:{}", "t".repeat(129))).is_err());
    }

    #[test]
    fn no_tag_means_latest_and_a_digest_decides() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        assert_eq!(ImageReference::parse("app").unwrap().reference().to_string(), "latest");
        let both = ImageReference::parse(&format!("app:v1@{digest}")).unwrap();
        assert_eq!((both.reference(), both.tag().unwrap().as_str()), (Reference::Digest(digest), "v1"));
    }

    proptest! {
        #[test]
        fn a_reference_reads_back(reference in arbitrary::reference()) {
            let text = format!("{}://{reference}", reference.registry.scheme().as_str());
            prop_assert_eq!(&ImageReference::parse(&text).unwrap(), &reference);
        }

        #[test]
        fn the_familiar_form_means_the_same(reference in arbitrary::reference()) {
            let read = ImageReference::parse(&reference.familiar());
            if let Ok(read) = read {
                prop_assert_eq!(read.to_string(), reference.to_string());
            } else {
                prop_assert!(false, "{} is not read", reference.familiar());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-cA-C0-9._:/@\\[\\] -]{0,20}|.{0,40}") {
            if let Ok(reference) = ImageReference::parse(&text) {
                prop_assert_eq!(ImageReference::parse(&reference.to_string()).unwrap().repository, reference.repository);
            }
        }
    }
}
