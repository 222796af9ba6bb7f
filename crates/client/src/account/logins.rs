//! Stored logins: `$XDG_CONFIG_HOME/hythe/credentials.json`, readable by its owner alone.
//!
//! Invariant: the file is replaced as a whole (written beside, mode 600, then renamed), so a reader sees
//! the old or the new logins, and the secrets are never readable by others, not even for a moment.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hythe_outbound::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::AccountError;

/// The logins of one person on this machine.
#[derive(Debug)]
pub struct OwnLogins {
    path: PathBuf,
    kept: Kept,
}

/// What the file holds.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    /// The server of the latest login: the one used when none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<Url>,
    #[serde(default)]
    servers: BTreeMap<Url, KeptLogin>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptLogin {
    username: String,
    secret: Hidden,
}

/// A secret that is written to the file but never shown by `{:?}`.
#[derive(Debug, Clone)]
struct Hidden(SecretString);

impl Serialize for Hidden {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Hidden(text.into()))
    }
}

/// Who to sign in as, and with what.
#[derive(Debug, Clone)]
pub struct OwnLogin {
    /// The user's name.
    pub username: String,
    /// A password, or an access token in its place.
    pub secret: SecretString,
}

impl OwnLogins {
    /// The logins stored for the person who runs this process; none when there is no file.
    ///
    /// # Errors
    /// There is no place for the file, or it cannot be read.
    pub fn load() -> Result<Self, AccountError> {
        Self::load_from(&default_path()?)
    }

    fn load_from(path: &Path) -> Result<Self, AccountError> {
        let kept = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| AccountError::Unreadable {
                path: path.to_owned(),
                reason: error.to_string(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(AccountError::file(path)(error)),
        };
        Ok(Self { path: path.to_owned(), kept })
    }

    /// The login for this server.
    pub fn for_server(&self, server: &Url) -> Option<OwnLogin> {
        let kept = self.kept.servers.get(server)?;
        Some(OwnLogin { username: kept.username.clone(), secret: kept.secret.0.clone() })
    }

    /// The server of the latest login.
    pub fn latest(&self) -> Option<&Url> {
        self.kept.latest.as_ref()
    }

    /// Remembers a login and makes its server the one used when none is named.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember(&mut self, server: &Url, login: &OwnLogin) -> Result<(), AccountError> {
        let kept = KeptLogin { username: login.username.clone(), secret: Hidden(login.secret.clone()) };
        self.kept.servers.insert(server.clone(), kept);
        self.kept.latest = Some(server.clone());
        self.save()
    }

    /// Remembers a login; the server that is used when none is named stays, if there is one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep(&mut self, server: &Url, login: &OwnLogin) -> Result<(), AccountError> {
        let latest = self.kept.latest.clone();
        self.remember(server, login)?;
        if latest.is_some() {
            self.kept.latest = latest;
            self.save()?;
        }
        Ok(())
    }

    /// Every server with a login.
    pub fn servers(&self) -> impl Iterator<Item = &Url> {
        self.kept.servers.keys()
    }

    /// Forgets a login; says whether there was one.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn forget(&mut self, server: &Url) -> Result<bool, AccountError> {
        let known = self.kept.servers.remove(server).is_some();
        if self.kept.latest.as_ref() == Some(server) {
            self.kept.latest = self.kept.servers.keys().next().cloned();
        }
        if known {
            self.save()?;
        }
        Ok(known)
    }

    /// Where the logins are kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn save(&self) -> Result<(), AccountError> {
        let text = serde_json::to_vec_pretty(&self.kept).map_err(io::Error::from);
        text.and_then(|text| self.replace(&text)).map_err(AccountError::file(&self.path))
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let beside = self.path.with_extension(format!("json.{}", std::process::id()));
        let written = private_file(&beside).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| std::fs::rename(&beside, &self.path));
        if replaced.is_err() {
            // The error that matters is the first one; a left-over file is unreadable to others.
            drop(std::fs::remove_file(&beside));
        }
        replaced
    }
}

fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn default_path() -> Result<PathBuf, AccountError> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    let none = AccountError::NoPlace { what: "logins", variable: "XDG_CONFIG_HOME" };
    folder.map(|folder| folder.join("hythe").join("credentials.json")).ok_or(none)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn login(username: &str, secret: &str) -> OwnLogin {
        OwnLogin { username: username.to_owned(), secret: secret.into() }
    }

    #[test]
    fn logins_are_kept_privately_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hythe/credentials.json");
        let (one, two): (Url, Url) = ("https://one".parse().unwrap(), "http://two:5000".parse().unwrap());

        let mut credentials = OwnLogins::load_from(&path).unwrap();
        assert!(credentials.for_server(&one).is_none() && credentials.latest().is_none());
        credentials.remember(&one, &login("ann", "first")).unwrap();
        credentials.remember(&two, &login("bob", "second")).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        let mut credentials = OwnLogins::load_from(&path).unwrap();
        assert_eq!(credentials.latest(), Some(&two));
        assert_eq!(credentials.for_server(&one).unwrap().secret.expose_secret(), "first");
        assert!(credentials.forget(&two).unwrap());
        assert!(!credentials.forget(&two).unwrap());
        assert_eq!(credentials.latest(), Some(&one));
        assert!(!format!("{credentials:?}").contains("first"), "a secret is shown");
    }
}
