//! How a registry is reached: with which login, and whether it is a Hythe.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hythe_oci::RepositoryName;
use hythe_outbound::{Outbound, Url};
use hythe_remote::Remote;

use super::Images;
use crate::account::OwnLogin;
use crate::image::Registry;
use crate::{Api, ClientError, Credentials};

/// A registry seen with a login.
#[derive(Clone, Debug)]
pub(super) struct Door {
    pub(super) remote: Remote,
    /// The server's own interface, where it is a Hythe.
    pub(super) api: Option<Api>,
}

impl Images {
    /// The way to a registry, or to one repository of it.
    pub(super) async fn door(
        &self,
        registry: &Registry,
        repository: Option<&RepositoryName>,
    ) -> Result<Door, ClientError> {
        if let Some(door) = locked(&self.doors).get(registry) {
            return Ok(door.clone());
        }
        let endpoint = registry.endpoint()?;
        let outbound = self.outbounds.get(registry).unwrap_or(&self.outbound);
        let own = self.own_login(registry, &endpoint);
        let credentials = match &own {
            Some(login) => {
                Credentials::Password { user: login.username.clone(), secret: login.secret.clone() }
            }
            None => self.other_login(registry, repository).await,
        };
        let remote = Remote::new(outbound.clone(), &endpoint, &credentials)?;
        let is_hythe = self.is_hythe(registry, &endpoint, outbound).await?;
        let api = is_hythe.then(|| Api::new(outbound.clone(), &endpoint, &credentials)).transpose()?;
        let door = Door { remote, api };
        // Another program's login may be a token that ends, or be for this repository alone: it is asked for anew.
        if own.is_some() {
            locked(&self.doors).insert(registry.clone(), door.clone());
        }
        Ok(door)
    }

    fn own_login(&self, registry: &Registry, endpoint: &Url) -> Option<OwnLogin> {
        let given = self.given.get(registry).cloned();
        given.or_else(|| self.own.as_ref()?.for_server(endpoint))
    }

    async fn other_login(&self, registry: &Registry, repository: Option<&RepositoryName>) -> Credentials {
        let Some(logins) = &self.others else { return Credentials::Anonymous };
        let found = logins.find(registry, repository).await;
        for warning in &found.warnings {
            tracing::warn!("{warning}");
        }
        found.usable()
    }

    /// Whether a registry has our own interface; asked once, and without a login, which is none of its business.
    async fn is_hythe(
        &self,
        registry: &Registry,
        endpoint: &Url,
        outbound: &Outbound,
    ) -> Result<bool, ClientError> {
        if registry.is_docker_hub() {
            return Ok(false);
        }
        if let Some(known) = locked(&self.kinds).get(registry) {
            return Ok(*known);
        }
        let is = Api::new(outbound.clone(), endpoint, &Credentials::Anonymous)?.is_hythe().await?;
        locked(&self.kinds).insert(registry.clone(), is);
        Ok(is)
    }
}

fn locked<T>(map: &Mutex<HashMap<Registry, T>>) -> MutexGuard<'_, HashMap<Registry, T>> {
    map.lock().unwrap_or_else(PoisonError::into_inner)
}
