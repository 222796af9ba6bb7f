//! The look-up.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use hythe_oci::RepositoryName;

use super::file::{AuthFile, Way};
use super::login::{FoundLogin, Login, LoginSource, LoginWarning};
use super::places::LoginPlaces;
use super::program::{self, HELPER_TIME};
use crate::image::Registry;

/// The logins that docker, podman and skopeo keep on this machine, as they were when they were read.
#[derive(Debug)]
pub struct Logins {
    files: Vec<(PathBuf, AuthFile)>,
    warnings: Vec<LoginWarning>,
    search_path: Option<OsString>,
    helper_time: Duration,
}

impl Logins {
    /// Reads the files of these places. One that cannot be read is a warning of every look-up.
    pub fn read(places: &LoginPlaces) -> Self {
        let (mut files, mut warnings) = (Vec::new(), Vec::new());
        for file in places.files() {
            match AuthFile::read(&file) {
                Ok(Some(read)) => files.push((file, read)),
                Ok(None) => {}
                Err(problem) => warnings.push(LoginWarning::File { file, problem }),
            }
        }
        let search_path = places.search_path.clone();
        Self { files, warnings, search_path, helper_time: HELPER_TIME }
    }

    /// Gives each helper this much time.
    pub fn with_helper_time(self, limit: Duration) -> Self {
        Self { helper_time: limit, ..self }
    }

    /// The login for a repository of a registry, or for the registry as such.
    ///
    /// The first file that has one decides. In a file the longest path goes first; for the registry as such its
    /// helper (`credHelpers`) goes before the common one (`credsStore`), and that before what stands in
    /// the file. Where a login is kept and cannot be had, the search ends: the answer is
    /// [`Login::Anonymous`] with a warning.
    pub async fn find(&self, registry: &Registry, repository: Option<&RepositoryName>) -> FoundLogin {
        let mut warnings = self.warnings.clone();
        for (file, logins) in &self.files {
            for way in logins.ways(registry, repository) {
                let (key, helper, found) = match way {
                    Way::Kept { key, login } => {
                        let damaged = |problem| LoginWarning::Entry {
                            file: file.clone(),
                            key: key.escape_debug().to_string(),
                            problem,
                        };
                        (key.to_owned(), None, login.map_err(damaged))
                    }
                    Way::Helper { name, server } => {
                        let path = self.search_path.as_deref();
                        let answer = program::ask(name, &server, path, self.helper_time).await;
                        let failed = |problem| LoginWarning::Helper {
                            file: file.clone(),
                            helper: name.escape_debug().to_string(),
                            server: server.escape_debug().to_string(),
                            problem,
                        };
                        let found = answer.map_err(failed);
                        (server, Some(name.to_owned()), found)
                    }
                };
                match found {
                    Ok(Login::Anonymous) => {}
                    Ok(login) => {
                        let source = Some(LoginSource { file: file.clone(), key, helper });
                        return FoundLogin { login, source, warnings };
                    }
                    Err(warning) => {
                        warnings.push(warning);
                        return FoundLogin { login: Login::Anonymous, source: None, warnings };
                    }
                }
            }
        }
        FoundLogin { login: Login::Anonymous, source: None, warnings }
    }
}
