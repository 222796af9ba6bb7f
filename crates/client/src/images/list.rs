//! Every image that a person may read, without tags.

use futures_util::TryStreamExt as _;
use hythe_oci::{ProjectName, RepositoryName};

use super::Images;
use crate::image::{Cluster, ClusterName, RemoteImage};
use crate::{Api, ClientError};

/// Which images are meant: all, or those of a cluster, an organisation, a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    cluster: Option<ClusterName>,
    org: Option<ProjectName>,
    project: Option<ProjectName>,
}

impl Within {
    /// The images of all clusters of the profile.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Those of this cluster alone.
    pub fn cluster(self, name: ClusterName) -> Self {
        Self { cluster: Some(name), ..self }
    }

    /// Those of this organisation alone; a cluster without organisations has none of them.
    pub fn org(self, name: ProjectName) -> Self {
        Self { org: Some(name), ..self }
    }

    /// Those of projects of this name alone.
    pub fn project(self, name: ProjectName) -> Self {
        Self { project: Some(name), ..self }
    }

    fn holds(&self, image: &RemoteImage) -> bool {
        let fits = |asked: &Option<ProjectName>, is: Option<ProjectName>| asked.is_none() || *asked == is;
        fits(&self.org, image.org()) && fits(&self.project, image.project())
    }

    /// The first component of every repository that is meant, if there is but one: there the list is narrowed already.
    fn owner(&self, cluster: &Cluster) -> Option<&ProjectName> {
        if cluster.org().is_some() { self.org.as_ref() } else { self.project.as_ref() }
    }
}

impl Images {
    /// Every image that the caller may read, without tags: a name for each repository that holds something, cluster by
    /// cluster in the profile's order. What lies in no project, as the cluster has them, is an external image.
    ///
    /// A Hythe is asked for what is meant alone; another registry for its catalogue, which not every one has.
    ///
    /// # Errors
    /// The cluster is not in the profile; a registry does not answer, or keeps no catalogue.
    pub async fn list(&self, within: &Within) -> Result<Vec<RemoteImage>, ClientError> {
        let clusters = match &within.cluster {
            Some(name) => std::slice::from_ref(self.profile().cluster(name)?),
            None => self.profile().clusters(),
        };
        let mut images = Vec::new();
        for cluster in clusters {
            let door = self.door(cluster.registry(), None).await?;
            let repositories = match (&door.api, within.owner(cluster)) {
                (Some(api), Some(owner)) => filled(api, owner).await?,
                _ => door.remote.catalogue()?.into_stream().try_collect().await?,
            };
            let named = repositories.iter().map(|repository| cluster.image_in(repository));
            images.extend(named.filter(|image| within.holds(image)));
        }
        Ok(images)
    }
}

/// The repositories of a project that hold something.
async fn filled(api: &Api, project: &ProjectName) -> Result<Vec<RepositoryName>, ClientError> {
    let repositories = match api.repositories(project)?.all().await {
        Ok(repositories) => repositories,
        // None that the caller may know of: there is nothing to list.
        Err(error) if error.status() == Some(404) => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    Ok(repositories.into_iter().filter(|found| found.manifests > 0).map(|found| found.name).collect())
}

#[cfg(test)]
mod tests {
    use hythe_outbound::Url;

    use super::*;

    fn name(text: &str) -> ProjectName {
        ProjectName::parse(text).unwrap()
    }

    fn cluster(org: Option<&str>) -> Cluster {
        let url = Url::parse("https://reg.example.org").unwrap();
        Cluster::new(ClusterName::parse("main").unwrap(), &url, org.map(name), None).unwrap()
    }

    #[test]
    fn images_are_narrowed_by_exact_names() {
        let cluster = cluster(Some("acme"));
        let image = |path: &str| cluster.image_in(&RepositoryName::parse(path).unwrap());
        let images = [image("acme/lab/app"), image("acme/labs/app"), image("other/lab/app"), image("stray")];
        let held = |within: Within| -> Vec<bool> { images.iter().map(|image| within.holds(image)).collect() };
        assert_eq!(held(Within::everything()), [true; 4]);
        assert_eq!(held(Within::everything().project(name("lab"))), [true, false, true, false]);
        assert_eq!(held(Within::everything().org(name("acme"))), [true, true, false, false]);
        let both = Within::everything().org(name("acme")).project(name("lab"));
        assert_eq!(held(both), [true, false, false, false]);
    }

    #[test]
    fn a_list_is_narrowed_at_the_server_where_one_owner_is_meant() {
        let within = Within::everything().org(name("acme")).project(name("lab"));
        assert_eq!(within.owner(&cluster(Some("x"))), Some(&name("acme")));
        assert_eq!(within.owner(&cluster(None)), Some(&name("lab")));
        assert_eq!(Within::everything().project(name("lab")).owner(&cluster(Some("x"))), None);
    }
}
