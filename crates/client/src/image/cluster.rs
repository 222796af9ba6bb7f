//! Clusters: a registry under a name of its owner's, with the names that go without saying there.

use std::fmt;

use hythe_oci::{ProjectName, RepositoryName};
use hythe_outbound::Url;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::RemoteImage;
use super::error::{ImageNameError, bad_uri, shown};
use super::registry::Registry;

/// Most bytes of a cluster's name.
const CLUSTER_NAME_BYTES: usize = 100;

/// What an address quotes: all but the unreserved characters of RFC 3986 section 2.3.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The name a person gave to a cluster: 1 to 100 bytes without `/` and control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterName(String);

impl ClusterName {
    /// Reads a cluster's name.
    ///
    /// # Errors
    /// [`ImageNameError::Uri`] when it is empty, too long or holds `/` or a control character.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let bad = |problem: &str| bad_uri(text, format!("the name of a cluster {problem}"));
        if text.is_empty() {
            return Err(bad("is not empty"));
        }
        if text.len() > CLUSTER_NAME_BYTES {
            return Err(bad("has at most 100 bytes"));
        }
        if text.chars().any(|character| character == '/' || character.is_control()) {
            return Err(bad("has neither `/` nor control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn quoted(&self) -> impl fmt::Display + '_ {
        utf8_percent_encode(&self.0, QUOTED)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A registry with the names that go without saying there.
///
/// A cluster either has organisations, and then one of them is the default, or it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    name: ClusterName,
    registry: Registry,
    org: Option<ProjectName>,
    project: Option<ProjectName>,
}

impl Cluster {
    /// A cluster whose registry answers at `registry`. `org` is the default organisation; without one the
    /// cluster has none at all. `project` is the default project.
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] when `registry` is not the address of one.
    pub fn new(
        name: ClusterName,
        registry: &Url,
        org: Option<ProjectName>,
        project: Option<ProjectName>,
    ) -> Result<Self, ImageNameError> {
        Ok(Self::in_registry(name, Registry::of_url(registry)?, org, project))
    }

    /// The same, for an address that was read already.
    pub const fn in_registry(
        name: ClusterName,
        registry: Registry,
        org: Option<ProjectName>,
        project: Option<ProjectName>,
    ) -> Self {
        Self { name, registry, org, project }
    }

    /// Its name.
    pub const fn name(&self) -> &ClusterName {
        &self.name
    }

    /// Its registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Its default organisation; `None` when it has no organisations.
    pub const fn org(&self) -> Option<&ProjectName> {
        self.org.as_ref()
    }

    /// Its default project.
    pub const fn project(&self) -> Option<&ProjectName> {
        self.project.as_ref()
    }

    /// The image `name` of a project here, in the organisation `org` or else the default one.
    ///
    /// # Errors
    /// [`ImageNameError::Organisation`] when an organisation is named and the cluster has none;
    /// [`ImageNameError::Repository`] when `name` is outside the grammar.
    pub fn image(
        &self,
        org: Option<&ProjectName>,
        project: &ProjectName,
        name: &str,
    ) -> Result<RemoteImage, ImageNameError> {
        if let (Some(org), None) = (org, &self.org) {
            return Err(ImageNameError::Organisation {
                problem: format!(
                    "The cluster {} has no organisations, so {org} cannot be one; leave it out, or give the cluster a \
                     default organisation",
                    shown(self.name.as_str())
                ),
            });
        }
        let org = org.or(self.org.as_ref());
        let image = RemoteImage::new_platform_image(name, self.registry.clone(), org, project, None)?;
        Ok(image.in_cluster(self.name.clone()))
    }

    /// The image `name` of the default project.
    pub(super) fn image_by_name(&self, name: &str, shown_as: &str) -> Result<RemoteImage, ImageNameError> {
        let Some(project) = &self.project else {
            return Err(ImageNameError::NoProject {
                shown: shown(shown_as),
                cluster: shown(self.name.as_str()),
                name: name.to_owned(),
            });
        };
        self.image(None, project, name)
    }

    /// The image whose whole repository is known: the organisation, if there are any, is its first component.
    /// `None` when there are too few components.
    pub(super) fn image_at(&self, repository: &RepositoryName) -> Option<RemoteImage> {
        let (first, rest) = (repository.project(), repository.rest()?);
        if self.org.is_none() {
            return self.image(None, &first, rest).ok();
        }
        let (project, name) = rest.split_once('/')?;
        self.image(Some(&first), &ProjectName::parse(project).ok()?, name).ok()
    }

    /// The image of a repository that its registry told of: of this cluster, or an external one when there are too few
    /// components for a project's image.
    pub(crate) fn image_in(&self, repository: &RepositoryName) -> RemoteImage {
        self.image_at(repository)
            .unwrap_or_else(|| RemoteImage::stray(self.registry.clone(), repository.clone()))
    }
}
