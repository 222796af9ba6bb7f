//! The commands that work with images. Each asks the SDK; what is done is done there.

mod commit;
mod copy;
mod failed;
mod info;
mod list;
mod load;
mod page;
mod preview;
mod pull;
mod push;
mod remove;
mod save;
mod status;
mod tag;
mod tags;
mod view;

pub(super) use commit::commit;
pub(super) use copy::copy;
pub(super) use info::info;
pub(super) use list::list;
pub(super) use load::load;
pub(super) use pull::pull;
pub(super) use push::push;
pub(super) use remove::remove;
pub(super) use save::save;
pub(super) use status::{status, wait};
pub(super) use tag::tag;
pub(super) use tags::{digest, size, tags};

use hythe_client::credentials::{LoginPlaces, Logins};
use hythe_client::image::{ClusterName, Profile, RemoteImage};
use hythe_client::profiles::{Profiles, ProfilesError, StoredProfile};
use hythe_client::transfer::Target;
use hythe_client::{Api, Credentials};
use hythe_outbound::Outbound;
use hythe_remote::Remote;
use url::Url;

use super::profile::no_profile;
use super::session::{self, no_account, refused};
use crate::arguments::Registry;
use crate::failure::{Exit, Failure};
use crate::printer::Printer;
use failed::failed;

/// The registry that the arguments and stored logins describe, and what names mean there.
struct Place {
    outbound: Outbound,
    profile: Profile,
    registry: Registry,
}

impl Place {
    fn open(registry: Registry) -> Result<Self, Failure> {
        let stored = hythe_client::account::OwnLogins::load().map_err(no_account)?;
        let outbound = session::outbound(&registry.connection.server)?;
        let profile = clusters(&registry, stored.latest())?;
        Ok(Self { outbound, profile, registry })
    }

    /// The image of this name: of the default registry, unless another one stands in front.
    fn image(&self, text: &str) -> Result<RemoteImage, Failure> {
        if text.contains("://") || text.starts_with("image:") {
            return self.profile.resolve(text).map_err(unnamed);
        }
        let local = hythe_client::image::LocalImage::parse(text).map_err(unnamed)?;
        if local.registry().is_some() {
            return self.profile.resolve(text).map_err(unnamed);
        }
        // Without a server, nothing is taken for an image of Docker Hub.
        let Some(cluster) = self.profile.default_cluster() else {
            return Err(Failure::new(
                Exit::Usage,
                format!("No server is named and none is logged in to, so {text} is nowhere"),
            )
            .hint(
                "pass --server URL, set HYTHE_SERVER, run `hythe login` once, or write the registry in front",
            ));
        };
        // A path with a slash is whole; a bare name is one of the default project.
        if local.path().as_str().contains('/') {
            self.profile.resolve(&format!("{}/{text}", cluster.registry())).map_err(unnamed)
        } else {
            self.profile.remote_for(&local).map_err(unnamed)
        }
    }

    /// The way to a registry: that of the arguments, or the one that the registry's own profile says.
    fn outbound_to(&self, endpoint: &Url, own: bool) -> Result<Outbound, Failure> {
        if !own && let Ok(profiles) = Profiles::load() {
            let ca = profiles
                .entries()
                .iter()
                .find(|entry| entry.server == *endpoint)
                .and_then(|entry| entry.ca.clone());
            if ca.is_some() {
                return session::trusting(ca.as_deref());
            }
        }
        Ok(self.outbound.clone())
    }

    /// The repository of an image, as whoever may go there by the stored logins.
    async fn target(&self, image: &RemoteImage, printer: Printer) -> Result<(Target, Option<Api>), Failure> {
        let endpoint = image.registry().endpoint().map_err(unnamed)?;
        let own =
            self.profile.default_cluster().is_some_and(|cluster| cluster.registry() == image.registry());
        let stored = hythe_client::account::OwnLogins::load().map_err(no_account)?;
        let login = session::login(&self.registry.connection, &endpoint, &stored, own)?;
        let credentials = if let Some(login) = login {
            Credentials::Password { user: login.username, secret: login.secret }
        } else {
            let kept = Logins::read(&LoginPlaces::from_environment());
            let found = kept.find(image.registry(), Some(image.repository())).await;
            for warning in &found.warnings {
                printer.warn(&warning.to_string());
            }
            found.usable()
        };
        let outbound = self.outbound_to(&endpoint, own)?;
        let remote = Remote::new(outbound.clone(), &endpoint, &credentials).map_err(failed)?;
        let target = Target::new(remote, image.repository().clone());
        let api = Api::new(outbound, &endpoint, &credentials).map_err(refused)?;
        if api.is_hythe().await.map_err(refused)? {
            return Ok((target.with_api(api.clone()), Some(api)));
        }
        Ok((target, None))
    }
}

/// What names mean: the clusters of the profiles, and by default the server that the arguments describe, in their project.
fn clusters(registry: &Registry, latest: Option<&Url>) -> Result<Profile, Failure> {
    let server = &registry.connection.server;
    let others = match Profiles::load() {
        Ok(profiles) => profiles.entries().to_vec(),
        // Then there are none.
        Err(ProfilesError::NoPlace) => Vec::new(),
        Err(error) => return Err(no_profile(error)),
    };
    let chosen = match session::profile(server)? {
        Some(mut profile) => {
            profile.project = registry.project.clone().or(profile.project);
            Some(profile)
        }
        None => match server.url.as_ref().or(latest) {
            Some(url) => {
                let name = ClusterName::parse("default").map_err(unnamed)?;
                let mut profile = StoredProfile::new(name, url.clone());
                profile.project.clone_from(&registry.project);
                Some(profile)
            }
            None => None,
        },
    };
    let others = others.iter().filter(|other| chosen.as_ref().is_none_or(|chosen| chosen.name != other.name));
    let all = chosen.iter().chain(others).map(StoredProfile::cluster).collect::<Result<_, _>>();
    Profile::new(all.map_err(unnamed)?, None).map_err(unnamed)
}

/// What it means that a name cannot be understood.
fn unnamed(error: hythe_client::image::ImageNameError) -> Failure {
    Failure::new(Exit::Usage, error.to_string()).hint(
        "write PROJECT/NAME:TAG, set HYTHE_PROJECT, or run `hythe login --server URL --username NAME` once",
    )
}
