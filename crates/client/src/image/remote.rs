//! Names of images in registries.

use std::fmt;

use hythe_oci::{Digest, ProjectName, Reference, RepositoryName, Tag};

#[cfg(doc)]
use super::Profile;
use super::cluster::ClusterName;
use super::error::{ImageNameError, bad_name};
use super::reference::{ImageReference, push_tail, reference};
use super::registry::Registry;
use super::uri::ImageUri;
use super::{LocalImage, unique_tag};

/// An image in a registry.
///
/// A *platform* image lies in a project, and the project perhaps in an organisation: its repository is
/// `[org/]project/name`. An *external* image is anything else, and its name is its whole repository.
///
/// `Display` writes what [`Profile::resolve`] reads back as the same value: the `image:` address for an image
/// of a cluster, else the reference, with the scheme in front where it would be taken for another one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteImage {
    registry: Registry,
    repository: RepositoryName,
    place: Place,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    External,
    /// The repository has a component for the organisation, if there is one, one for the project and more.
    Platform {
        org: bool,
        cluster: Option<ClusterName>,
    },
}

impl RemoteImage {
    /// The image `name` of a project. `name` may hold slashes, but neither tag nor digest.
    ///
    /// # Errors
    /// [`ImageNameError::Repository`] when `name` is outside the grammar or the whole is too long.
    pub fn new_platform_image(
        name: &str,
        registry: Registry,
        org: Option<&ProjectName>,
        project: &ProjectName,
        tag: Option<Tag>,
    ) -> Result<Self, ImageNameError> {
        // The name by itself must be one: an empty one would make the project's name the image's.
        let name = RepositoryName::parse(name)?;
        let path = match org {
            Some(org) => format!("{org}/{project}/{name}"),
            None => format!("{project}/{name}"),
        };
        let repository = RepositoryName::parse(&path)?;
        let place = Place::Platform { org: org.is_some(), cluster: None };
        Ok(Self { registry, repository, place, tag, digest: None })
    }

    /// The image `name` of any registry, which it keeps. On Docker Hub `alpine` is `library/alpine`.
    ///
    /// # Errors
    /// [`ImageNameError::Repository`] when `name` is outside the grammar.
    pub fn new_external_image(
        name: &str,
        registry: Registry,
        tag: Option<Tag>,
    ) -> Result<Self, ImageNameError> {
        let reference = ImageReference::new(registry, RepositoryName::parse(name)?, tag, None)?;
        Ok(Self::external(reference))
    }

    pub(super) fn external(reference: ImageReference) -> Self {
        Self {
            registry: reference.registry().clone(),
            repository: reference.repository().clone(),
            place: Place::External,
            tag: reference.tag().cloned(),
            digest: reference.digest().copied(),
        }
    }

    /// An image of a repository that lies in no project, as its registry wrote it.
    pub(super) fn stray(registry: Registry, repository: RepositoryName) -> Self {
        Self { registry, repository, place: Place::External, tag: None, digest: None }
    }

    pub(super) fn in_cluster(self, name: ClusterName) -> Self {
        let place = match self.place {
            Place::External => Place::External,
            Place::Platform { org, .. } => Place::Platform { org, cluster: Some(name) },
        };
        Self { place, ..self }
    }

    pub(super) fn with_parts(self, tag: Option<Tag>, digest: Option<Digest>) -> Self {
        Self { tag, digest, ..self }
    }

    /// The name: in its project, or in the registry for an external image.
    pub fn name(&self) -> &str {
        let path = self.repository.as_str();
        let skipped = match self.place {
            Place::External => 0,
            Place::Platform { org, .. } => 1 + usize::from(org),
        };
        path.splitn(skipped + 1, '/').last().unwrap_or(path)
    }

    /// The tag, if one is written.
    pub const fn tag(&self) -> Option<&Tag> {
        self.tag.as_ref()
    }

    /// The digest, if one is written. It decides, and the tag is then only a remark.
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The organisation that a platform image's project lies in.
    pub fn org(&self) -> Option<ProjectName> {
        matches!(self.place, Place::Platform { org: true, .. }).then(|| self.repository.project())
    }

    /// The project of a platform image.
    pub fn project(&self) -> Option<ProjectName> {
        match self.place {
            Place::External => None,
            Place::Platform { org: false, .. } => Some(self.repository.project()),
            Place::Platform { org: true, .. } => {
                let rest = self.repository.rest()?;
                ProjectName::parse(rest.split('/').next()?).ok()
            }
        }
    }

    /// To whom a platform image belongs: its organisation, else its project. This is the first component of
    /// the repository, whose members, quota and rules hold for the image.
    pub fn owner(&self) -> Option<ProjectName> {
        matches!(self.place, Place::Platform { .. }).then(|| self.repository.project())
    }

    /// The registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The cluster whose profile named the image.
    pub const fn cluster(&self) -> Option<&ClusterName> {
        match &self.place {
            Place::Platform { cluster, .. } => cluster.as_ref(),
            Place::External => None,
        }
    }

    /// Whether the image lies in a project of a platform.
    pub const fn is_platform(&self) -> bool {
        matches!(self.place, Place::Platform { .. })
    }

    /// The repository in the registry: `[org/]project/name`, or the name of an external image.
    pub const fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// What names the manifest in the repository: the digest, else the tag, else `latest`.
    pub fn reference(&self) -> Reference {
        reference(self.tag.as_ref(), self.digest.as_ref())
    }

    /// The same image under another tag, without a digest.
    pub fn with_tag(self, tag: Tag) -> Self {
        self.with_parts(Some(tag), None)
    }

    /// The same name, pinned to a digest. The tag stays as a remark.
    pub fn with_digest(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// The same image under [a tag of its own](unique_tag): that of the image, else `latest`, and digits of
    /// `image_id`.
    ///
    /// # Errors
    /// [`ImageNameError::UniqueDigits`], and when the image is pinned to a digest, which no tag changes.
    pub fn with_unique_tag(self, image_id: &Digest, digits: usize) -> Result<Self, ImageNameError> {
        let Reference::Tag(tag) = self.reference() else {
            return Err(bad_name(
                &self.to_string(),
                "it is pinned to a digest, so it has no tag to make unique",
            ));
        };
        Ok(self.with_tag(unique_tag(&tag, image_id, digits)?))
    }

    /// `registry/[org/]project/name[:tag][@digest]`, as docker, podman and the rest take it; with the registry's
    /// true scheme in front if asked for, so `http://` for one that is spoken to in the clear.
    pub fn as_docker_url(&self, with_scheme: bool) -> String {
        let mut text = String::new();
        if with_scheme {
            text.push_str(self.registry.scheme().as_str());
            text.push_str("://");
        }
        text.push_str(&format!("{}/{}", self.registry, self.repository));
        push_tail(&mut text, self.tag.as_ref(), self.digest.as_ref());
        text
    }

    /// The name the image has on this machine after a pull unless another is asked for: its name in the project
    /// (the last component of an external one), and its tag.
    ///
    /// # Errors
    /// [`ImageNameError`] when that is no name for a local image, such as sixty-four hexadecimal digits.
    pub fn local(&self) -> Result<LocalImage, ImageNameError> {
        let name = match self.place {
            Place::External => self.name().rsplit('/').next().unwrap_or_default(),
            Place::Platform { .. } => self.name(),
        };
        LocalImage::new(name, self.tag.clone())
    }
}

impl fmt::Display for RemoteImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(uri) = ImageUri::of(self) {
            return uri.fmt(f);
        }
        let plain = Registry::parse(&self.registry.to_string());
        // A host may be called `image`, and have a port.
        let with_scheme =
            plain.as_ref() != Ok(&self.registry) || ImageUri::is_uri(&self.as_docker_url(false));
        f.pad(&self.as_docker_url(with_scheme))
    }
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn project(name: &str) -> ProjectName {
        ProjectName::parse(name).unwrap()
    }

    fn tag(name: &str) -> Tag {
        Tag::parse(name).unwrap()
    }

    #[test]
    fn a_registry_that_is_called_as_our_scheme_is_written_with_its_own() {
        let image = RemoteImage::external(ImageReference::parse("https://image:9/a/b:v1").unwrap());
        assert_eq!(image.to_string(), "https://image:9/a/b:v1");
        let other = RemoteImage::external(ImageReference::parse("https://images:9/a/b:v1").unwrap());
        assert_eq!(other.to_string(), "images:9/a/b:v1");
    }

    #[test]
    fn a_platform_image_knows_its_place() {
        let registry = Registry::parse("http://registry.example:5000").unwrap();
        let image = RemoteImage::new_platform_image(
            "team/app",
            registry.clone(),
            Some(&project("acme")),
            &project("proj"),
            Some(tag("v1")),
        )
        .unwrap();
        assert_eq!(image.name(), "team/app");
        assert_eq!(
            (image.org(), image.project(), image.owner()),
            (Some(project("acme")), Some(project("proj")), Some(project("acme")))
        );
        assert_eq!(image.repository().as_str(), "acme/proj/team/app");
        assert_eq!(image.as_docker_url(true), "http://registry.example:5000/acme/proj/team/app:v1");
        assert_eq!(image.as_docker_url(false), "registry.example:5000/acme/proj/team/app:v1");
        assert_eq!(image.local().unwrap().to_string(), "team/app:v1");

        let plain = RemoteImage::new_platform_image("app", registry, None, &project("proj"), None).unwrap();
        assert_eq!(
            (plain.org(), plain.project(), plain.owner()),
            (None, Some(project("proj")), Some(project("proj")))
        );
        assert_eq!((plain.name(), plain.reference().to_string().as_str()), ("app", "latest"));
    }

    #[test]
    fn an_external_image_keeps_its_registry() {
        let registry = Registry::parse("example.com:9999").unwrap();
        let image = RemoteImage::new_external_image("org/app", registry, Some(tag("v1"))).unwrap();
        assert_eq!(image.as_docker_url(true), "https://example.com:9999/org/app:v1");
        assert_eq!(
            (image.name(), image.org(), image.project(), image.owner()),
            ("org/app", None, None, None)
        );
        assert_eq!(image.local().unwrap().to_string(), "app:v1");
        let alpine = RemoteImage::new_external_image("alpine", Registry::docker_hub(), None).unwrap();
        assert_eq!(alpine.to_string(), "docker.io/library/alpine");
    }

    #[test]
    fn a_name_is_a_name_and_nothing_else() {
        let registry = Registry::parse("a.example").unwrap();
        for bad in ["", "App", "app:v1", "a//b", "../x", "/a", "a@sha256:00"] {
            assert!(
                RemoteImage::new_platform_image(bad, registry.clone(), None, &project("p"), None).is_err(),
                "{bad:?}"
            );
            assert!(RemoteImage::new_external_image(bad, registry.clone(), None).is_err(), "{bad:?}");
        }
        let long = "a".repeat(250);
        assert!(RemoteImage::new_platform_image(&long, registry, None, &project("project"), None).is_err());
    }

    #[test]
    fn tags_and_digests_replace_each_other_as_they_should() {
        let digest = Digest::of(Algorithm::Sha256, b"x");
        let registry = Registry::parse("a.example").unwrap();
        let image = RemoteImage::new_external_image("app", registry, Some(tag("v1"))).unwrap();
        let pinned = image.clone().with_digest(digest);
        assert_eq!(pinned.to_string(), format!("a.example/app:v1@{digest}"));
        assert_eq!(pinned.reference(), Reference::Digest(digest));
        assert_eq!(pinned.clone().with_tag(tag("v2")).to_string(), "a.example/app:v2");
        assert!(pinned.with_unique_tag(&digest, 10).is_err());
        let unique = image.with_unique_tag(&digest, 10).unwrap();
        assert_eq!(unique.to_string(), format!("a.example/app:v1-{}", &digest.hex()[..10]));
    }
}
