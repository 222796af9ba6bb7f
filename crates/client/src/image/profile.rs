//! Profiles: the registries that a person works with, and what short names are short for.

use hythe_oci::ProjectName;
use hythe_outbound::Url;

use super::cluster::{Cluster, ClusterName};
use super::error::{ImageNameError, bad_uri, shown};
use super::reference::{ImageReference, Parts};
use super::uri::{Base, ImageUri};
use super::{LocalImage, RemoteImage};

/// The clusters that a person works with; one of them is the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    clusters: Vec<Cluster>,
    default: usize,
}

impl Profile {
    /// A profile of these clusters. The default is the one named `default`, else the first.
    ///
    /// # Errors
    /// Two clusters have one name, or there is none of the default's name.
    pub fn new(clusters: Vec<Cluster>, default: Option<&ClusterName>) -> Result<Self, ImageNameError> {
        for (at, cluster) in clusters.iter().enumerate() {
            if clusters.iter().skip(at + 1).any(|other| other.name() == cluster.name()) {
                return Err(bad_uri(
                    cluster.name().as_str(),
                    "two clusters have this name; rename one of them",
                ));
            }
        }
        let mut profile = Self { clusters, default: 0 };
        if let Some(name) = default {
            let at = profile.clusters.iter().position(|cluster| cluster.name() == name);
            profile.default = at.ok_or_else(|| profile.unknown(name))?;
        }
        Ok(profile)
    }

    /// A profile of one cluster, called `default`: the server that a person logged in to. Without a server it knows no
    /// cluster.
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] when `server` is not the address of a registry.
    pub fn of_server(server: Option<&Url>, project: Option<ProjectName>) -> Result<Self, ImageNameError> {
        let Some(server) = server else { return Ok(Self::default()) };
        Self::new(vec![Cluster::new(ClusterName::parse("default")?, server, None, project)?], None)
    }

    /// Every cluster, in the order given.
    pub fn clusters(&self) -> &[Cluster] {
        &self.clusters
    }

    /// The cluster that is meant where none is named.
    pub fn default_cluster(&self) -> Option<&Cluster> {
        self.clusters.get(self.default)
    }

    /// The cluster of that name.
    ///
    /// # Errors
    /// [`ImageNameError::UnknownCluster`] tells which ones there are.
    pub fn cluster(&self, name: &ClusterName) -> Result<&Cluster, ImageNameError> {
        self.clusters.iter().find(|cluster| cluster.name() == name).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &ClusterName) -> ImageNameError {
        let names = self.clusters.iter().map(|cluster| shown(cluster.name().as_str()));
        let known = match names.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => "it has none, so log in to a registry first".to_owned(),
            names => format!("it has {names}"),
        };
        ImageNameError::UnknownCluster { cluster: shown(name.as_str()), known }
    }

    /// Reads any name of a remote image: an [`image:` address](ImageUri), or a reference with or without a
    /// registry.
    ///
    /// A reference to the registry of a cluster is of that cluster (the default one first), with its scheme;
    /// any other is external, and without a registry it is of Docker Hub, as with docker. What has too few
    /// components for a project's image stays external too: nothing is put into a path that is
    /// written in full. Tag and digest are kept as written, so no tag stays no tag; see
    /// [`RemoteImage::reference`].
    ///
    /// # Errors
    /// [`ImageNameError`] tells what is missing, and where it could come from.
    pub fn resolve(&self, text: &str) -> Result<RemoteImage, ImageNameError> {
        if ImageUri::is_uri(text) {
            return self.resolve_uri(&ImageUri::parse(text)?);
        }
        let scheme = Parts::split(text)?.scheme;
        let reference = ImageReference::parse(text)?;
        let registry = reference.registry();
        let here: Vec<_> = self
            .default_first()
            .filter(|cluster| cluster.registry().answers_to(registry))
            .filter(|cluster| scheme.is_none_or(|scheme| scheme == cluster.registry().scheme()))
            .collect();
        let (tag, digest) = (reference.tag().cloned(), reference.digest().copied());
        if let Some(image) = here.iter().find_map(|cluster| cluster.image_at(reference.repository())) {
            return Ok(image.with_parts(tag, digest));
        }
        let registry = here.first().map_or(registry, |cluster| cluster.registry()).clone();
        let repository = reference.repository().clone();
        Ok(RemoteImage::external(ImageReference::new(registry, repository, tag, digest)?))
    }

    fn default_first(&self) -> impl Iterator<Item = &Cluster> {
        let others = self.clusters.iter().enumerate().filter(|(at, _)| *at != self.default);
        self.default_cluster().into_iter().chain(others.map(|(_, cluster)| cluster))
    }

    /// Completes an `image:` address.
    ///
    /// The rule of organisations: **whether one stands in the path is decided by the cluster, never by
    /// what its first component looks like.**
    ///
    /// - With a cluster (`image://cluster/…`) that has organisations, three components or more are
    ///   `org/project/name`, and two are `project/name` in the default organisation. So an image in another
    ///   organisation is named without doubt, and one whose name holds a slash needs its organisation written.
    /// - With a cluster that has none, the first component is the project, always.
    /// - Without a cluster (`image:/project/name`) the first component is the project, always, and the
    ///   organisation is the default one.
    ///
    /// # Errors
    /// [`ImageNameError::UnknownCluster`], [`ImageNameError::NoCluster`], [`ImageNameError::NoProject`], or
    /// the whole is too long.
    pub fn resolve_uri(&self, uri: &ImageUri) -> Result<RemoteImage, ImageNameError> {
        let cluster = match uri.cluster() {
            Some(name) => self.cluster(name)?,
            None => self
                .default_cluster()
                .ok_or_else(|| ImageNameError::NoCluster { shown: shown(&uri.to_string()) })?,
        };
        let path = &uri.path;
        let image = match (&uri.base, path.rest()) {
            (Base::Project, _) => cluster.image_by_name(path.as_str(), &uri.to_string())?,
            (Base::Cluster(_), Some(rest)) if cluster.org().is_some() && rest.contains('/') => {
                let (project, name) = rest.split_once('/').unwrap_or((rest, ""));
                cluster.image(Some(&path.project()), &ProjectName::parse(project)?, name)?
            }
            (Base::Org | Base::Cluster(_), Some(rest)) => cluster.image(None, &path.project(), rest)?,
            (Base::Org | Base::Cluster(_), None) => {
                return Err(bad_uri(
                    &uri.to_string(),
                    "it names a project and no image; write `PROJECT/NAME`",
                ));
            }
        };
        Ok(image.with_parts(uri.tag.clone(), uri.digest))
    }

    /// The remote name of a local image for which none was given: the same path in the default project. A name
    /// that bears the registry of a cluster already is that image; the host of any other registry is left out.
    ///
    /// # Errors
    /// [`ImageNameError::NoCluster`] and [`ImageNameError::NoProject`] say what to write.
    pub fn remote_for(&self, local: &LocalImage) -> Result<RemoteImage, ImageNameError> {
        if local.registry().is_some() {
            let there = self.resolve(&local.to_string())?;
            if there.is_platform() {
                return Ok(there);
            }
        }
        let cluster = self
            .default_cluster()
            .ok_or_else(|| ImageNameError::NoCluster { shown: shown(&local.to_string()) })?;
        let path = local.path().as_str();
        // `docker.io/library/alpine` is nothing but `alpine`.
        let official = local.registry().filter(|registry| registry.is_docker_hub());
        let path = official.and_then(|_| path.strip_prefix("library/")).unwrap_or(path);
        let image = cluster.image_by_name(path, &local.to_string())?;
        Ok(image.with_parts(local.tag().cloned(), local.digest().copied()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    fn cluster(name: &str, registry: &str, org: Option<&str>, project: Option<&str>) -> Cluster {
        let component = |name: &str| ProjectName::parse(name).unwrap();
        let url = Url::parse(registry).unwrap();
        Cluster::new(ClusterName::parse(name).unwrap(), &url, org.map(component), project.map(component))
            .unwrap()
    }

    fn profile() -> Profile {
        let main = cluster("main", "https://reg.example.org", Some("acme"), Some("proj"));
        let second = cluster("second", "http://127.0.0.1:5000", None, None);
        Profile::new(vec![main, second], None).unwrap()
    }

    #[test]
    fn addresses_resolve_as_documented() {
        let profile = profile();
        for (text, docker_url) in [
            ("image:app", "https://reg.example.org/acme/proj/app"),
            ("image:team/app:v1", "https://reg.example.org/acme/proj/team/app:v1"),
            ("image:latest:latest", "https://reg.example.org/acme/proj/latest:latest"),
            ("image:/other/app:v1", "https://reg.example.org/acme/other/app:v1"),
            ("image:///other/app:v1", "https://reg.example.org/acme/other/app:v1"),
            ("image:////other/app:v1", "https://reg.example.org/acme/other/app:v1"),
            // Without a cluster the first part is the project, even one that is called as the organisation is.
            ("image:/acme/proj/app:v1", "https://reg.example.org/acme/acme/proj/app:v1"),
            ("image://main/proj/app", "https://reg.example.org/acme/proj/app"),
            ("image://main/acme/proj/app", "https://reg.example.org/acme/proj/app"),
            ("image://main/otherorg/proj/app:v1", "https://reg.example.org/otherorg/proj/app:v1"),
            ("image://main/acme/proj/team/app", "https://reg.example.org/acme/proj/team/app"),
            ("image://second/proj/app", "http://127.0.0.1:5000/proj/app"),
            ("image://second/acme/proj/app", "http://127.0.0.1:5000/acme/proj/app"),
            ("image:a__b", "https://reg.example.org/acme/proj/a__b"),
            ("image:a--b", "https://reg.example.org/acme/proj/a--b"),
            ("reg.example.org/acme/proj/app:v1", "https://reg.example.org/acme/proj/app:v1"),
            ("reg.example.org:443/acme/proj/app:v1", "https://reg.example.org/acme/proj/app:v1"),
            ("127.0.0.1:5000/proj/app", "http://127.0.0.1:5000/proj/app"),
            ("ghcr.io/org/app:v1", "https://ghcr.io/org/app:v1"),
            ("example.com:9999/org/app", "https://example.com:9999/org/app"),
            ("alpine:3", "https://docker.io/library/alpine:3"),
        ] {
            let image = profile.resolve(text).unwrap();
            assert_eq!(image.as_docker_url(true), docker_url, "{text}");
            assert_eq!(profile.resolve(&image.to_string()).unwrap(), image, "{text} as {image}");
        }
    }

    #[test]
    fn a_digest_pins_an_address() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let image = profile().resolve(&format!("image:app@{digest}")).unwrap();
        assert_eq!(image.to_string(), format!("image://main/acme/proj/app@{digest}"));
        assert_eq!(image.reference().to_string(), digest);
    }

    #[test]
    fn platform_and_external_images_are_told_apart() {
        let profile = profile();
        let place = |text: &str| {
            let image = profile.resolve(text).unwrap();
            let (org, project) = (image.org(), image.project());
            let text = |name: Option<ProjectName>| name.map(|name| name.to_string());
            (image.cluster().map(ToString::to_string), text(org), text(project), image.name().to_owned())
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(place("image:team/app"), (some("main"), some("acme"), some("proj"), "team/app".into()));
        assert_eq!(place("reg.example.org/a/b/c/d"), (some("main"), some("a"), some("b"), "c/d".into()));
        // Written in full, so no organisation is put in: it lies in no project of the cluster.
        assert_eq!(place("reg.example.org/proj/app"), (None, None, None, "proj/app".into()));
        assert_eq!(place("127.0.0.1:5000/a/b/c"), (some("second"), None, some("a"), "b/c".into()));
        assert_eq!(place("ghcr.io/org/app"), (None, None, None, "org/app".into()));
        // Another scheme or port is another registry.
        assert_eq!(place("http://reg.example.org/a/b/c"), (None, None, None, "a/b/c".into()));
        assert_eq!(place("reg.example.org:5000/a/b/c"), (None, None, None, "a/b/c".into()));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (profile, text, part) in [
            (
                profile(),
                "image://nowhere/proj/app",
                "There is no cluster `nowhere` in the profile; it has `main`, `second`.",
            ),
            (Profile::default(), "image:app", "none is configured"),
            (Profile::default(), "image://main/p/app", "log in to a registry first"),
            (
                Profile::new(vec![cluster("c", "https://c.example", None, None)], None).unwrap(),
                "image:app",
                "has no default project; write `image:/PROJECT/app`, or set a default project.",
            ),
        ] {
            let error = profile.resolve(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let org = ProjectName::parse("acme").unwrap();
        let error = profile().clusters()[1].image(Some(&org), &org, "app").unwrap_err().to_string();
        assert!(error.contains("has no organisations"), "{error}");
        let twice = vec![
            cluster("c", "https://c.example", None, None),
            cluster("c", "https://d.example", None, None),
        ];
        assert!(Profile::new(twice, None).is_err());
        let absent = ClusterName::parse("x").unwrap();
        assert!(Profile::new(vec![cluster("c", "https://c.example", None, None)], Some(&absent)).is_err());
    }

    #[test]
    fn a_local_name_finds_its_place() {
        let profile = profile();
        for (local, remote) in [
            ("app", "image://main/acme/proj/app:latest"),
            ("team/app:v1", "image://main/acme/proj/team/app:v1"),
            ("localhost:5000/app", "image://main/acme/proj/app:latest"),
            ("docker.io/library/alpine:3", "image://main/acme/proj/alpine:3"),
            ("reg.example.org/acme/proj/app:v1", "image://main/acme/proj/app:v1"),
            ("127.0.0.1:5000/lab/app:v1", "image://second/lab/app:v1"),
        ] {
            let image = profile.remote_for(&LocalImage::parse(local).unwrap()).unwrap();
            assert_eq!(image.to_string(), remote, "{local}");
        }
        let app = LocalImage::parse("app").unwrap();
        assert!(matches!(Profile::default().remote_for(&app), Err(ImageNameError::NoCluster { .. })));
    }

    #[test]
    fn the_default_cluster_is_asked_first() {
        let one = cluster("one", "https://reg.example", None, Some("p"));
        let two = cluster("two", "https://reg.example", Some("acme"), Some("q"));
        let name = two.name().clone();
        let profile = Profile::new(vec![one, two], Some(&name)).unwrap();
        assert_eq!(profile.resolve("image:app").unwrap().repository().as_str(), "acme/q/app");
        assert_eq!(profile.resolve("reg.example/a/b/c").unwrap().org().unwrap().as_str(), "a");
        // Too short for the one with organisations, so it is the other's.
        assert_eq!(profile.resolve("reg.example/a/b").unwrap().cluster().unwrap().as_str(), "one");
    }

    proptest! {
        #[test]
        fn an_image_of_a_cluster_reads_back((profile, image) in arbitrary::profile_and_image()) {
            prop_assert_eq!(&profile.resolve(&image.to_string()).unwrap(), &image);
        }

        #[test]
        fn whatever_was_read_reads_back(
            profile in arbitrary::profile(),
            reference in arbitrary::reference(),
            image in arbitrary::repository(),
            shape in 0..5,
        ) {
            let text = match shape {
                0 => reference.to_string(),
                1 => reference.familiar(),
                2 => format!("image:{image}"),
                3 => format!("image:/{image}"),
                _ => format!("{}/{image}", profile.clusters()[0].registry()),
            };
            if let Ok(image) = profile.resolve(&text) {
                prop_assert_eq!(&profile.resolve(&image.to_string()).unwrap(), &image, "{}", text);
            }
        }

        #[test]
        fn a_docker_url_is_that_of_the_image((profile, image) in arbitrary::profile_and_image()) {
            let there = profile.resolve(&image.as_docker_url(true)).unwrap();
            prop_assert_eq!(there.registry(), image.registry());
            prop_assert_eq!(there.repository(), image.repository());
            prop_assert_eq!(there.reference(), image.reference());
        }
    }
}
