//! Names of images on this machine.

use std::fmt;
use std::str::FromStr;

use hythe_oci::{Digest, Reference, RepositoryName, Tag};

use super::error::{ImageNameError, bad_name};
use super::reference::{ImageReference, Parts, latest, push_tail, reference};
use super::registry::Registry;

/// An image in an engine or archive on this machine, such as `app:v1` or `host:5000/team/app`.
///
/// The name is kept as it is written, because archives and engines compare it in that form;
/// [`LocalImage::complete`] fills it in. No tag means `latest`, unless a digest names the image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalImage {
    host: Option<Registry>,
    path: RepositoryName,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

impl LocalImage {
    /// Reads `[host[:port]/]path[:tag][@digest]`.
    ///
    /// # Errors
    /// [`ImageNameError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let parts = Parts::split(text)?;
        if parts.scheme.is_some() {
            return Err(bad_name(text, "the name of a local image has no `http://` or `https://` in front"));
        }
        let host = parts.host.map(|host| Registry::of_authority(None, host)).transpose()?;
        let path = RepositoryName::parse(parts.path)?;
        let tag = parts.tag.or_else(|| parts.digest.is_none().then(latest));
        Ok(Self { host, path, tag, digest: parts.digest })
    }

    /// The image `name` with the tag, or with `latest` if there is none. The name may hold a registry's
    /// host, but neither tag nor digest.
    ///
    /// # Errors
    /// [`ImageNameError`] names the part that is wrong.
    pub fn new(name: &str, tag: Option<Tag>) -> Result<Self, ImageNameError> {
        let named = Self::parse(name)?;
        if named.digest.is_some() || named.name() != name.to_ascii_lowercase() {
            return Err(bad_name(name, "a tag or digest does not belong into the name; give it apart"));
        }
        Ok(Self { tag: Some(tag.unwrap_or_else(latest)), ..named })
    }

    /// The name without tag and digest, such as `app` or `host:5000/team/app`.
    pub fn name(&self) -> String {
        match &self.host {
            Some(host) => format!("{host}/{}", self.path),
            None => self.path.to_string(),
        }
    }

    /// The path behind the host, such as `team/app`.
    pub const fn path(&self) -> &RepositoryName {
        &self.path
    }

    /// The registry in front, if one is written.
    pub const fn registry(&self) -> Option<&Registry> {
        self.host.as_ref()
    }

    /// The tag; `None` only when a digest names the image.
    pub const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one is written.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What tells the image from others of its name: the digest, else the tag.
    pub fn reference(&self) -> Reference {
        reference(self.tag.as_ref(), self.digest.as_ref())
    }

    /// The same image under another tag, without a digest.
    pub fn with_tag(self, tag: Tag) -> Self {
        Self { tag: Some(tag), digest: None, ..self }
    }

    /// The whole name that engines compare: `app` is `docker.io/library/app`.
    ///
    /// # Errors
    /// The name becomes too long by what is filled in.
    pub fn complete(&self) -> Result<ImageReference, ImageNameError> {
        let registry = self.host.clone().unwrap_or_else(Registry::docker_hub);
        ImageReference::new(registry, self.path.clone(), self.tag.clone(), self.digest)
    }
}

impl fmt::Display for LocalImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.name();
        push_tail(&mut text, self.tag.as_ref(), self.digest.as_ref());
        f.pad(&text)
    }
}

impl FromStr for LocalImage {
    type Err = ImageNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    #[test]
    fn no_tag_means_latest() {
        for (text, name, tag) in [
            ("app", "app", "latest"),
            ("app:v1", "app", "v1"),
            ("team/app:v1", "team/app", "v1"),
            ("localhost:5000/app", "localhost:5000/app", "latest"),
            ("localhost:5000/x:tag", "localhost:5000/x", "tag"),
            ("[::1]:5000/x:tag", "[::1]:5000/x", "tag"),
            ("docker.io/library/alpine:3", "docker.io/library/alpine", "3"),
        ] {
            let image = LocalImage::parse(text).unwrap();
            assert_eq!((image.name().as_str(), image.tag().unwrap().as_str()), (name, tag), "{text}");
            assert_eq!(LocalImage::new(name, Some(tag.parse().unwrap())).unwrap(), image);
        }
        assert_eq!(LocalImage::new("app", None).unwrap(), LocalImage::parse("app:latest").unwrap());
        assert_eq!(
            LocalImage::parse("app").unwrap().complete().unwrap().to_string(),
            "docker.io/library/app:latest"
        );
    }

    #[test]
    fn a_digest_needs_no_tag() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let pinned = LocalImage::parse(&format!("app@{digest}")).unwrap();
        assert_eq!((pinned.tag(), pinned.digest()), (None, Some(&digest)));
        assert_eq!(pinned.to_string(), format!("app@{digest}"));
        let tagged = pinned.with_tag(Tag::parse("v2").unwrap());
        assert_eq!(tagged.to_string(), "app:v2");
    }

    #[test]
    fn what_is_no_local_name_is_refused() {
        for bad in [
            "",
            "App",
            "http://localhost/app",
            "app:",
            "app@",
            "a b",
            "-a",
            "image:/a/b",
            "../x",
            "$(id)",
            "a;b",
        ] {
            assert!(LocalImage::parse(bad).is_err(), "{bad:?} was taken");
        }
        for bad in ["app:v1", "app:latest", "https://a.b/c"] {
            assert!(LocalImage::new(bad, None).is_err(), "{bad:?} was taken");
        }
    }

    proptest! {
        #[test]
        fn a_local_name_reads_back(reference in arbitrary::reference()) {
            for text in [reference.to_string(), reference.familiar()] {
                let image = LocalImage::parse(&text).unwrap();
                prop_assert_eq!(&LocalImage::parse(&image.to_string()).unwrap(), &image);
                let complete = image.complete().unwrap();
                prop_assert_eq!(complete.repository(), reference.repository());
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a-cA-C0-9._:/@\\[\\] -]{0,20}|.{0,40}") {
            if let Ok(image) = LocalImage::parse(&text) {
                prop_assert_eq!(LocalImage::parse(&image.to_string()).unwrap(), image);
            }
        }
    }
}
