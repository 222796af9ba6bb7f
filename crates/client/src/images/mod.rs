//! Images by the nouns that a platform uses: push, pull, digest, remove, list, tags, size, and a container saved as an
//! image; over any number of registries, each seen with the login that this machine keeps for it.
//!
//! Works with any OCI registry, and best with a Hythe. Everything here is a few lines over [`Target`], which says more.
//!
//! Invariants: a login is used for its own registry alone; a short name without a default project is an error that says
//! what to write, never a guess; nothing is removed but the digest that the caller named.

mod ask;
mod door;
mod list;
mod transport;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use hythe_outbound::Outbound;

use crate::ClientError;
use crate::account::{OwnLogin, OwnLogins};
use crate::credentials::{LoginPlaces, Logins};
use crate::engine::Engine;
use crate::image::{ImageNameError, LocalImage, Profile, Registry, RemoteImage};
use crate::profiles::Profiles;
use crate::transfer::{Memory, PullOptions, PushOptions, Target};

pub use list::Within;

use door::Door;

/// The images of a person's registries. Cloning is cheap, and clones share what was learnt about registries.
///
/// | function | does |
/// |---|---|
/// | [`push`](Self::push), [`pull`](Self::pull) | between an engine of this machine and a registry |
/// | [`commit`](Self::commit), [`save`](Self::save) | a container becomes an image, here or in a registry |
/// | [`digest`](Self::digest), [`size`](Self::size), [`tag_info`](Self::tag_info) | what an image is |
/// | [`tags`](Self::tags), [`tags_with_sizes`](Self::tags_with_sizes) | the tags of a repository |
/// | [`list`](Self::list) | every image, without tags |
/// | [`rm`](Self::rm) | removes an image with all its tags |
/// | [`local_image`](Self::local_image), [`remote_image`](Self::remote_image) | read names |
/// | [`target`](Self::target) | a repository, for folders, archives, copies and everything else |
#[derive(Clone, Debug)]
pub struct Images {
    profile: Profile,
    outbound: Outbound,
    /// Registries that are reached otherwise than the rest: by certificate authorities of their own.
    outbounds: HashMap<Registry, Outbound>,
    given: HashMap<Registry, OwnLogin>,
    own: Option<Arc<OwnLogins>>,
    others: Option<Arc<Logins>>,
    engine: Option<Engine>,
    push_options: PushOptions,
    pull_options: PullOptions,
    /// Whether a registry is a Hythe, as far as it was asked.
    kinds: Arc<Mutex<HashMap<Registry, bool>>>,
    /// Registries that are seen with a login of our own, which renews itself.
    doors: Arc<Mutex<HashMap<Registry, Door>>>,
}

impl Images {
    /// The images of these clusters, with no login but those that are added.
    pub fn new(outbound: Outbound, profile: Profile) -> Self {
        Self {
            profile,
            outbound,
            outbounds: HashMap::new(),
            given: HashMap::new(),
            own: None,
            others: None,
            engine: None,
            push_options: PushOptions::default(),
            pull_options: PullOptions::default(),
            kinds: Arc::default(),
            doors: Arc::default(),
        }
    }

    /// The images of the person who runs this process: the profiles of [`Profiles`], or without any the server that was
    /// logged in to last; the logins of `hythe login`, and those of docker and podman; what was learnt about layers before.
    ///
    /// # Errors
    /// A file of profiles or logins, or a certificate that a profile names, cannot be read.
    pub fn open() -> Result<Self, ClientError> {
        let own = OwnLogins::load()?;
        let profiles = Profiles::load()?;
        let profile = if profiles.entries().is_empty() {
            Profile::of_server(own.latest(), None)?
        } else {
            profiles.profile()?
        };
        let mut images = Self::new(Outbound::builder().build()?, profile);
        for entry in profiles.entries() {
            if let Some(ca) = &entry.ca {
                let outbound = Outbound::builder().authorities_pem(authority(ca)?).build()?;
                images = images.with_outbound(Registry::of_url(&entry.server)?, outbound);
            }
        }
        images.push_options.memory = Memory::of_person();
        Ok(images.with_own_logins(own).with_other_logins(Logins::read(&LoginPlaces::from_environment())))
    }

    /// The same, with this login for a registry; it goes before all others.
    pub fn with_login(mut self, registry: Registry, login: OwnLogin) -> Self {
        self.given.insert(registry, login);
        self
    }

    /// The same, with the logins of `hythe login`.
    pub fn with_own_logins(mut self, logins: OwnLogins) -> Self {
        self.own = Some(Arc::new(logins));
        self
    }

    /// The same, with the logins that docker and podman keep, for registries without one of ours.
    pub fn with_other_logins(mut self, logins: Logins) -> Self {
        self.others = Some(Arc::new(logins));
        self
    }

    /// The same, reaching a registry in a way of its own, such as by a private certificate authority.
    pub fn with_outbound(mut self, registry: Registry, outbound: Outbound) -> Self {
        self.outbounds.insert(registry, outbound);
        self
    }

    /// The same with this engine; without one, every engine that runs here is asked, docker first.
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// The same, with other choices for pushes.
    pub fn with_push_options(mut self, options: PushOptions) -> Self {
        self.push_options = options;
        self
    }

    /// The same, with other choices for pulls.
    pub fn with_pull_options(mut self, options: PullOptions) -> Self {
        self.pull_options = options;
        self
    }

    /// The clusters, and what short names are short for.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Reads the name of an image on this machine; without a tag it is `latest`.
    ///
    /// # Errors
    /// [`ImageNameError`] names the part that is wrong.
    pub fn local_image(&self, text: &str) -> Result<LocalImage, ImageNameError> {
        LocalImage::parse(text)
    }

    /// Reads the name of an image in a registry: an `image:` address or a reference. See [`Profile::resolve`].
    ///
    /// # Errors
    /// [`ImageNameError`] names what is wrong or missing, and where it could come from.
    pub fn remote_image(&self, text: &str) -> Result<RemoteImage, ImageNameError> {
        self.profile.resolve(text)
    }

    /// The repository of an image, seen with the login for it: for layouts, archives, copies, and whatever else has no
    /// function here.
    ///
    /// # Errors
    /// The registry does not answer.
    pub async fn target(&self, image: &RemoteImage) -> Result<Target, ClientError> {
        let door = self.door(image.registry(), Some(image.repository())).await?;
        let target = Target::new(door.remote, image.repository().clone());
        Ok(match door.api {
            Some(api) => target.with_api(api),
            None => target,
        })
    }
}

/// The most bytes of a file of certificates.
const LONGEST_AUTHORITY: u64 = 4 * 1024 * 1024;

fn authority(path: &Path) -> Result<Vec<u8>, ClientError> {
    use std::io::Read as _;

    let unreadable = |source| ClientError::Certificate { path: path.to_owned(), source };
    let mut pem = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LONGEST_AUTHORITY + 1).read_to_end(&mut pem).map_err(unreadable)?;
    if pem.len() as u64 > LONGEST_AUTHORITY {
        return Err(unreadable(std::io::ErrorKind::FileTooLarge.into()));
    }
    Ok(pem)
}
