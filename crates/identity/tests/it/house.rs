//! A store, a clock that stands still, and an identity service over both.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hythe_identity::{HashCost, Identity, IdentityOptions, Session, SignInError, User};
use hythe_oci::{ScopeSet, UserName};
use hythe_store::{DataFolder, ManualClock, Store, StoreOptions, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;

/// Where most sign-ins come from.
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
/// Another network.
pub(crate) const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));
/// The password of every user made by [`House::user`].
pub(crate) const PASSWORD: &str = "correct horse";

/// Everything a test needs; the folder goes with it.
pub(crate) struct House {
    pub(crate) identity: Identity,
    pub(crate) clock: Arc<ManualClock>,
    store: Store,
    _folder: TempDir,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut IdentityOptions)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_900_000_000)));
        let locked = DataFolder::lock(folder.path()).unwrap();
        let store = Store::open(&locked, clock.clone(), StoreOptions::default()).unwrap();
        let mut options = options("hythe.test");
        change(&mut options);
        let identity = Identity::new(store.clone(), options).await.unwrap();
        Self { identity, clock, store, _folder: folder }
    }

    /// Another process on the same records, as after a restart or on a second machine.
    pub(crate) async fn replica(&self, service: &str) -> Identity {
        Identity::new(self.store.clone(), options(service)).await.unwrap()
    }

    pub(crate) async fn user(&self, name: &str) -> User {
        self.identity.create_user(&self::name(name), &PASSWORD.into(), false).await.unwrap().user
    }

    pub(crate) async fn sign_in(&self, name: &str, password: &str) -> Result<Arc<User>, SignInError> {
        self.identity.sign_in(name, &password.into(), HERE).await
    }

    /// An access token of a user who signs in with [`PASSWORD`].
    pub(crate) async fn access(&self, name: &str, scopes: &str) -> String {
        let session = self.identity.authenticate_basic(name, &PASSWORD.into(), HERE).await.unwrap();
        self.buy(&session, scopes)
    }

    pub(crate) fn buy(&self, session: &Session, scopes: &str) -> String {
        let token = self.identity.issue_access(session, &ScopeSet::parse([scopes])).unwrap();
        token.token.expose_secret().to_owned()
    }

    pub(crate) async fn refresh(&self, name: &str) -> SecretString {
        let user = self.sign_in(name, PASSWORD).await.unwrap();
        self.identity.issue_refresh(&user, "docker").await.unwrap()
    }

    pub(crate) fn later(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn options(service: &str) -> IdentityOptions {
    IdentityOptions {
        hash_cost: HashCost { memory_kib: 64, passes: 1, lanes: 1 },
        ..IdentityOptions::new(service)
    }
}

pub(crate) fn name(text: &str) -> UserName {
    text.parse().unwrap()
}
