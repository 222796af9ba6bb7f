//! Where the quickstart's registry lives: its folder, its port, and the password of its administrator.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::commands::session::environment_secret;
use crate::failure::{Exit, Failure};

const DEFAULT_FOLDER: &str = "hythe-quickstart";

/// The port registries are usually found at.
const USUAL_PORT: u16 = 5000;

/// The file in the folder that keeps the port, so that the commands of yesterday work today.
const PORT_FILE: &str = "quickstart-port";

/// The file in the folder that a generated password is left in.
const PASSWORD_FILE: &str = "admin-password";

/// The folder and the address to listen on.
#[derive(Debug)]
pub(super) struct Place {
    folder: PathBuf,
    listen: SocketAddr,
}

impl Place {
    /// What was asked for, else the usual folder and the first port that is free: the one of last time,
    /// the usual one, any.
    pub(super) fn choose(folder: Option<PathBuf>, listen: Option<SocketAddr>) -> Result<Self, Failure> {
        let folder = folder.unwrap_or_else(|| PathBuf::from(DEFAULT_FOLDER));
        if let Some(listen) = listen {
            return Ok(Place { folder, listen });
        }
        let port = remembered_port(&folder)?.into_iter().chain([USUAL_PORT]).find(|port| is_free(*port));
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, port.unwrap_or(0)));
        Ok(Place { folder, listen })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn listen(&self) -> SocketAddr {
        self.listen
    }

    /// Keeps the port for the next run.
    pub(super) fn remember(&self, address: SocketAddr) -> Result<(), Failure> {
        let path = self.folder.join(PORT_FILE);
        std::fs::write(&path, format!("{}\n", address.port())).map_err(|error| {
            Failure::new(Exit::Failed, format!("The port cannot be kept in {}: {error}", path.display()))
        })
    }
}

/// The port of the last run. A file that holds something else is as good as none: the port is a habit,
/// not a promise.
fn remembered_port(folder: &Path) -> Result<Option<u16>, Failure> {
    let path = folder.join(PORT_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::new(
            Exit::Failed,
            format!("The port cannot be read from {}: {error}", path.display()),
        )),
    }
}

/// Whether this port can be listened on now. Somebody may take it before we do: then the start fails and
/// says so.
fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// An address to connect to for one that is listened on: "every address" is no destination.
pub(super) fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

/// The administrator's password, and where the person finds it.
#[derive(Debug)]
pub(super) struct Password {
    pub(super) secret: SecretString,
    pub(super) source: PasswordSource,
}

/// Where a password can be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PasswordSource {
    /// In this file.
    File(PathBuf),
    /// In `HYTHE_ADMIN_PASSWORD`.
    Environment,
}

impl Password {
    /// The password a start in this folder generated, else the one of the environment.
    pub(super) fn find(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PASSWORD_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Password { secret: text.trim_end().into(), source: PasswordSource::File(path) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                environment_secret("HYTHE_ADMIN_PASSWORD")
                    .map(|secret| Password { secret, source: PasswordSource::Environment })
                    .ok_or_else(|| {
                        Failure::new(
                            Exit::Refused,
                            format!("The password of `admin` is not known: there is no {}", path.display()),
                        )
                        .hint("set HYTHE_ADMIN_PASSWORD to it, or start afresh with another --data-dir")
                    })
            }
            Err(error) => Err(Failure::new(
                Exit::Failed,
                format!("The password cannot be read from {}: {error}", path.display()),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn place(folder: &Path) -> Place {
        Place::choose(Some(folder.to_owned()), None).unwrap()
    }

    #[test]
    fn the_port_of_last_time_is_taken_again_if_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        place(folder.path()).remember(address).unwrap();
        assert_ne!(place(folder.path()).listen(), address);
        drop(taken);
        assert_eq!(place(folder.path()).listen(), address);
    }

    #[test]
    fn a_spoilt_port_file_is_ignored() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PORT_FILE), "70000\n").unwrap();
        assert!(place(folder.path()).listen().ip().is_loopback());
    }

    #[test]
    fn an_address_asked_for_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let asked: SocketAddr = "0.0.0.0:7000".parse().unwrap();
        let place = Place::choose(Some(folder.path().to_owned()), Some(asked)).unwrap();
        assert_eq!(place.listen(), asked);
        assert_eq!(reachable(asked).to_string(), "127.0.0.1:7000");
    }

    #[test]
    fn the_password_of_the_folder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PASSWORD_FILE), "secret\n").unwrap();
        let found = Password::find(folder.path()).unwrap();
        assert_eq!(found.secret.expose_secret(), "secret");
        assert_eq!(found.source, PasswordSource::File(folder.path().join(PASSWORD_FILE)));
    }
}
