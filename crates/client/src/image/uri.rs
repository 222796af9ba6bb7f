//! `image:` addresses: names that a profile makes complete.

use std::fmt;
use std::str::FromStr;

use hythe_oci::{Digest, RepositoryName, Tag};
use percent_encoding::percent_decode_str;

use super::cluster::ClusterName;
use super::error::{ImageNameError, bad_uri};
use super::reference::{Tail, push_tail};
use super::{IMAGE_NAME_BYTES, RemoteImage};

/// An `image:` address, not yet resolved; see [`Profile::resolve_uri`](super::Profile::resolve_uri) for the
/// rule of organisations.
///
/// | written | lies in |
/// |---|---|
/// | `image:app:v1`, `image:team/app` | the default cluster, organisation and project |
/// | `image:/project/app:v1` | the default cluster and organisation |
/// | `image://cluster/…` | the cluster of that name, percent-quoted where it holds more than letters, digits, `-._~` |
///
/// Each may end in `@sha256:…`. Parts of the path may be percent-quoted; as no name needs it, none is written so.
/// A query, a fragment, a user or a port is refused by its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageUri {
    pub(super) base: Base,
    pub(super) path: RepositoryName,
    pub(super) tag: Option<Tag>,
    pub(super) digest: Option<Digest>,
}

/// Where the path of an address begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Base {
    /// In the default project.
    Project,
    /// In the default organisation of the default cluster, or in that cluster if it has none.
    Org,
    /// In a cluster.
    Cluster(ClusterName),
}

impl ImageUri {
    /// What every address begins with.
    pub const SCHEME: &'static str = "image:";

    /// Whether a text is meant as an address.
    pub fn is_uri(text: &str) -> bool {
        text.starts_with(Self::SCHEME)
    }

    /// Reads an address.
    ///
    /// # Errors
    /// [`ImageNameError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let bad = |problem: &str| bad_uri(text, problem);
        if text.len() > IMAGE_NAME_BYTES {
            return Err(bad("it is too long"));
        }
        let rest = text.strip_prefix(Self::SCHEME).ok_or_else(|| bad("it does not begin with `image:`"))?;
        for (mark, part) in [('?', "a query (`?`)"), ('#', "a fragment (`#`)")] {
            if rest.contains(mark) {
                return Err(bad(&format!("it has {part}, which an image address does not have")));
            }
        }
        let (base, path) = match rest.strip_prefix("//") {
            Some(rest) => {
                let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
                if authority.is_empty() {
                    // `image:///project/app` and the like: no cluster is named.
                    (Base::Org, path.trim_start_matches('/'))
                } else {
                    (Base::Cluster(cluster_of(text, authority)?), path)
                }
            }
            None => match rest.strip_prefix('/') {
                Some(path) => (Base::Org, path),
                None => (Base::Project, rest),
            },
        };
        let Tail { name, tag, digest } = Tail::take_off(path)?;
        if name.is_empty() {
            return Err(bad("it names no image"));
        }
        let path = RepositoryName::parse(&unquote_path(text, name)?)?;
        if base == Base::Project && path.as_str() == "latest" && tag.is_none() && digest.is_none() {
            return Err(bad(
                "`latest` may be meant as a tag; write `image:NAME:latest`, or `image:latest:latest` for an image of \
                 that name",
            ));
        }
        if base != Base::Project && path.rest().is_none() {
            return Err(bad("it names a project and no image; write `PROJECT/NAME`"));
        }
        Ok(Self { base, path, tag, digest })
    }

    /// The address of an image that a cluster's profile named; `None` for any other.
    pub fn of(image: &RemoteImage) -> Option<Self> {
        Some(Self {
            base: Base::Cluster(image.cluster()?.clone()),
            path: image.repository().clone(),
            tag: image.tag().cloned(),
            digest: image.digest().copied(),
        })
    }

    /// The cluster, if one is named.
    pub const fn cluster(&self) -> Option<&ClusterName> {
        match &self.base {
            Base::Cluster(name) => Some(name),
            Base::Project | Base::Org => None,
        }
    }
}

/// The cluster that stands where other addresses have a host.
fn cluster_of(text: &str, authority: &str) -> Result<ClusterName, ImageNameError> {
    let bad = |problem: &str| bad_uri(text, problem);
    if authority.contains('@') {
        return Err(bad("it has a user in front of the cluster, which an image address does not have"));
    }
    if authority.contains(':') {
        return Err(bad("it has a port behind the cluster, which an image address does not have"));
    }
    ClusterName::parse(&unquote(text, authority)?)
}

/// The path without percent-quoting. A quoted slash would make two parts of one, so it is refused.
fn unquote_path(text: &str, path: &str) -> Result<String, ImageNameError> {
    let parts = path.split('/').map(|part| {
        let part = unquote(text, part)?;
        if part.contains('/') {
            Err(bad_uri(text, "a quoted `/` (`%2F`) joins no parts; write `/`"))
        } else {
            Ok(part)
        }
    });
    Ok(parts.collect::<Result<Vec<_>, _>>()?.join("/"))
}

fn unquote(text: &str, part: &str) -> Result<String, ImageNameError> {
    let mut after_percent = part.split('%').skip(1);
    let quoted = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !after_percent.all(quoted) {
        return Err(bad_uri(text, "a `%` is not followed by two hexadecimal digits"));
    }
    let plain = percent_decode_str(part).decode_utf8();
    Ok(plain.map_err(|_| bad_uri(text, "what is percent-quoted is not UTF-8"))?.into_owned())
}

impl fmt::Display for ImageUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::from(Self::SCHEME);
        match &self.base {
            Base::Project => {}
            Base::Org => text.push('/'),
            Base::Cluster(name) => text.push_str(&format!("//{}/", name.quoted())),
        }
        text.push_str(self.path.as_str());
        push_tail(&mut text, self.tag.as_ref(), self.digest.as_ref());
        f.pad(&text)
    }
}

impl FromStr for ImageUri {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    fn uri() -> impl Strategy<Value = ImageUri> {
        let base = prop_oneof![
            Just(Base::Project),
            Just(Base::Org),
            arbitrary::cluster_name().prop_map(Base::Cluster)
        ];
        let tail = (prop::option::of(arbitrary::tag()), prop::option::of(arbitrary::digest()));
        (base, arbitrary::repository(), tail)
            .prop_map(|(base, path, (tag, digest))| ImageUri { base, path, tag, digest })
            .prop_filter("names no image", |uri| match uri.base {
                Base::Project => uri.path.as_str() != "latest" || uri.tag.is_some() || uri.digest.is_some(),
                _ => uri.path.rest().is_some(),
            })
    }

    #[test]
    fn what_an_address_does_not_have_is_named() {
        for (text, part) in [
            ("image:latest", "image:latest:latest"),
            ("image://main/p/app?x=1", "query"),
            ("image://main/p/app#x", "fragment"),
            ("image://ada@main/p/app", "user"),
            ("image://ada:pw@main/p/app", "user"),
            ("image://main:5000/p/app", "port"),
            ("image:", "names no image"),
            ("image:/app", "project and no image"),
            ("image://main/app", "project and no image"),
            ("image://main", "names no image"),
            ("image://main/", "names no image"),
            ("image://main//app", "empty"),
            ("image:App", "`A` is not allowed"),
            ("image:app:-v", "begins with `-`"),
            ("image:app:", "tag is empty"),
            ("image:app@sha256:00", "sha256:00"),
            ("image:a%2Fb", "quoted `/`"),
            ("image:a%2", "hexadecimal"),
            ("image://%ff/p/app", "UTF-8"),
            ("app:v1", "does not begin with `image:`"),
        ] {
            let error = ImageUri::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(ImageUri::parse(&format!("image:app:{}", "t".repeat(129))).is_err());
    }

    #[test]
    fn quoting_is_understood() {
        let plain = ImageUri::parse("image://Campus%20West/p/app:v1").unwrap();
        assert_eq!(plain.cluster().unwrap().as_str(), "Campus West");
        assert_eq!(plain.to_string(), "image://Campus%20West/p/app:v1");
        assert_eq!(ImageUri::parse("image:%61pp").unwrap(), ImageUri::parse("image:app").unwrap());
    }

    proptest! {
        #[test]
        fn an_address_reads_back(uri in uri()) {
            prop_assert_eq!(&ImageUri::parse(&uri.to_string()).unwrap(), &uri);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "image:[a-c%0-9A@:/?#.-]{0,16}|.{0,40}") {
            if let Ok(uri) = ImageUri::parse(&text) {
                prop_assert_eq!(ImageUri::parse(&uri.to_string()).unwrap(), uri);
            }
        }
    }
}
