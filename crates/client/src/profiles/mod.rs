//! The registries that a person works with, by name, in a file of theirs: `$XDG_CONFIG_HOME/hythe/profiles.toml`.
//!
//! ```toml
//! default = "campus"
//!
//! [profiles.campus]
//! server = "https://registry.example.org"
//! project = "lab"
//! ca = "/etc/ssl/campus-ca.pem"
//!
//! [profiles.cloud]
//! server = "https://images.example.com"
//! organisation = "acme"
//! project = "vision"
//! ```
//!
//! The name of a profile is that of the cluster in `image://campus/lab/app`. No secret stands here: logins are kept by
//! [`OwnLogins`](crate::account::OwnLogins), for each server.
//!
//! Invariants: what is not known is an error that names the nearest thing that is, so that a slip of the keys never goes
//! unnoticed; a change keeps the comments of the file, and replaces the file as a whole.

mod error;
mod file;

use std::path::{Path, PathBuf};

use hythe_oci::ProjectName;
use hythe_outbound::Url;

use crate::image::{Cluster, ClusterName, ImageNameError, Profile};

pub use error::ProfilesError;
pub use file::{PROFILES, PROFILES_BYTES};

/// One registry under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredProfile {
    /// The name, as in `image://NAME/…` and `--profile NAME`.
    pub name: ClusterName,
    /// Where the server answers: scheme, host and port.
    pub server: Url,
    /// The default organisation; without one, repositories there begin with the project.
    pub organisation: Option<ProjectName>,
    /// The default project.
    pub project: Option<ProjectName>,
    /// A file of certificate authorities (PEM) to trust besides the system's.
    pub ca: Option<PathBuf>,
}

impl StoredProfile {
    /// A profile of a server, with neither organisation nor project.
    pub fn new(name: ClusterName, server: Url) -> Self {
        Self { name, server, organisation: None, project: None, ca: None }
    }

    /// The cluster that image names mean by it.
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] when `server` is not the address of a registry.
    pub fn cluster(&self) -> Result<Cluster, ImageNameError> {
        Cluster::new(self.name.clone(), &self.server, self.organisation.clone(), self.project.clone())
    }
}

/// The profiles of a person, as the file had them when it was read.
#[derive(Clone, Debug)]
pub struct Profiles {
    path: PathBuf,
    document: toml_edit::DocumentMut,
    entries: Vec<StoredProfile>,
    default: Option<ClusterName>,
}

impl Profiles {
    /// The profiles of the person who runs this process; none when there is no file.
    ///
    /// # Errors
    /// There is no place for the file, or it cannot be read as one.
    pub fn load() -> Result<Self, ProfilesError> {
        Self::load_from(&file::usual_path()?)
    }

    /// The profiles in this file; none when there is no such file.
    ///
    /// # Errors
    /// It cannot be read, or not as a file of profiles.
    pub fn load_from(path: &Path) -> Result<Self, ProfilesError> {
        Self::parsed(path, &file::read(path)?.unwrap_or_default())
    }

    /// Reads the text of a file of profiles. `path` is where it is from, and where changes go to.
    ///
    /// # Errors
    /// [`ProfilesError::Unreadable`] says what is wrong with it.
    pub fn parsed(path: &Path, text: &str) -> Result<Self, ProfilesError> {
        let unreadable = |problem| ProfilesError::Unreadable { path: path.to_owned(), problem };
        let (document, entries, default) = file::parse(text).map_err(unreadable)?;
        Ok(Self { path: path.to_owned(), document, entries, default })
    }

    /// Where they are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every profile, in the order of the file.
    pub fn entries(&self) -> &[StoredProfile] {
        &self.entries
    }

    /// The profile that is meant where none is named: the one that the file says, else the only one.
    pub fn default_entry(&self) -> Option<&StoredProfile> {
        match (&self.default, self.entries.as_slice()) {
            (Some(name), entries) => entries.iter().find(|entry| entry.name == *name),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }

    /// The profile of this name.
    ///
    /// # Errors
    /// [`ProfilesError::Unknown`] says which ones there are.
    pub fn entry(&self, name: &ClusterName) -> Result<&StoredProfile, ProfilesError> {
        self.entries.iter().find(|entry| entry.name == *name).ok_or_else(|| self.unknown(name))
    }

    /// All of them as what image names mean; `image:app` means the default one, or the first if none is.
    ///
    /// # Errors
    /// A server is not the address of a registry.
    pub fn profile(&self) -> Result<Profile, ImageNameError> {
        self.profile_with(self.default_entry().map(|entry| &entry.name))
    }

    /// The same with another default.
    ///
    /// # Errors
    /// There is no profile of this name, or a server is not the address of a registry.
    pub fn profile_with(&self, default: Option<&ClusterName>) -> Result<Profile, ImageNameError> {
        let clusters = self.entries.iter().map(StoredProfile::cluster).collect::<Result<_, _>>()?;
        Profile::new(clusters, default)
    }

    /// Adds a profile, or replaces the one of its name. The first one becomes the default.
    ///
    /// # Errors
    /// The file cannot be written, or there are too many.
    pub fn set(&mut self, entry: &StoredProfile) -> Result<(), ProfilesError> {
        let first = self.entries.is_empty();
        file::set(&mut self.document, entry);
        if first {
            file::set_default(&mut self.document, Some(&entry.name));
        }
        self.save()
    }

    /// Makes a profile the default.
    ///
    /// # Errors
    /// [`ProfilesError::Unknown`]; the file cannot be written.
    pub fn use_by_default(&mut self, name: &ClusterName) -> Result<(), ProfilesError> {
        self.entry(name)?;
        file::set_default(&mut self.document, Some(name));
        self.save()
    }

    /// Removes a profile; its login stays. If it was the default, there is none then.
    ///
    /// # Errors
    /// [`ProfilesError::Unknown`]; the file cannot be written.
    pub fn remove(&mut self, name: &ClusterName) -> Result<(), ProfilesError> {
        self.entry(name)?;
        file::remove(&mut self.document, name);
        if self.default.as_ref() == Some(name) {
            file::set_default(&mut self.document, None);
        }
        self.save()
    }

    fn save(&mut self) -> Result<(), ProfilesError> {
        let text = self.document.to_string();
        // What is written can be read again, or is not written.
        let read = Self::parsed(&self.path, &text)?;
        file::replace(&self.path, &text)?;
        *self = read;
        Ok(())
    }

    fn unknown(&self, name: &ClusterName) -> ProfilesError {
        let names: Vec<_> = self.entries.iter().map(|entry| format!("`{}`", entry.name)).collect();
        let known = match names.as_slice() {
            [] => "has none".to_owned(),
            names => format!("has {}", names.join(", ")),
        };
        ProfilesError::Unknown { name: name.to_string(), path: self.path.clone(), known }
    }
}
