//! Where other programs keep logins.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The places to look at, as the environment of a process names them. All `None` finds nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginPlaces {
    /// `REGISTRY_AUTH_FILE`: the file that podman and skopeo use instead of their own.
    pub registry_auth_file: Option<PathBuf>,
    /// `DOCKER_CONFIG`: the folder that docker uses instead of `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`: podman and skopeo keep logins there until the person logs out.
    pub runtime_dir: Option<PathBuf>,
    /// podman's folder for the user, `/run/containers/UID`: it takes the place of `XDG_RUNTIME_DIR` where that is not set, as
    /// for root in a container or under sudo.
    pub user_dir: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`: instead of `~/.config`.
    pub config_home: Option<PathBuf>,
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `PATH`: where credential helpers are looked for. Folders that are not absolute are passed over.
    pub search_path: Option<OsString>,
}

impl LoginPlaces {
    /// The places of this process. An empty variable counts as none.
    pub fn from_environment() -> Self {
        let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let path = |name: &str| variable(name).map(PathBuf::from);
        Self {
            registry_auth_file: path("REGISTRY_AUTH_FILE"),
            docker_config: path("DOCKER_CONFIG"),
            runtime_dir: path("XDG_RUNTIME_DIR"),
            user_dir: Some(format!("/run/containers/{}", rustix::process::getuid().as_raw()).into()),
            config_home: path("XDG_CONFIG_HOME"),
            home: path("HOME"),
            search_path: variable("PATH"),
        }
    }

    /// The files, in the order in which they are asked; whether they exist is not looked at.
    ///
    /// What a variable names goes first, and stands in for the usual files of its program; then podman's, which a
    /// login to docker does not touch, then docker's.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        files.extend(self.registry_auth_file.clone());
        files.extend(self.docker_config.as_ref().map(|folder| folder.join("config.json")));
        if self.registry_auth_file.is_none() {
            let config_home = self.config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")));
            let of_session = self.runtime_dir.as_ref().map(|folder| folder.join("containers"));
            let of_person = config_home.map(|folder| folder.join("containers"));
            let folders = [of_session.or_else(|| self.user_dir.clone()), of_person];
            files.extend(folders.into_iter().flatten().map(|folder| folder.join("auth.json")));
        }
        if self.docker_config.is_none() {
            files.extend(self.home.as_ref().map(|home| home.join(".docker/config.json")));
        }
        files
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_stands_in_for_the_files_of_its_program() {
        let usual = LoginPlaces {
            runtime_dir: Some("/run/user/1".into()),
            home: Some("/home/ada".into()),
            ..LoginPlaces::default()
        };
        let podman = ["/run/user/1/containers/auth.json", "/home/ada/.config/containers/auth.json"];
        let docker = "/home/ada/.docker/config.json";
        let expect = |places: LoginPlaces, files: &[&str]| {
            assert_eq!(places.files(), files.iter().map(PathBuf::from).collect::<Vec<_>>());
        };
        expect(LoginPlaces::default(), &[]);
        let in_container =
            LoginPlaces { user_dir: Some("/run/containers/0".into()), ..LoginPlaces::default() };
        expect(in_container.clone(), &["/run/containers/0/auth.json"]);
        expect(
            LoginPlaces { user_dir: in_container.user_dir, ..usual.clone() },
            &[podman[0], podman[1], docker],
        );
        expect(usual.clone(), &[podman[0], podman[1], docker]);
        expect(
            LoginPlaces { docker_config: Some("/d".into()), ..usual.clone() },
            &["/d/config.json", podman[0], podman[1]],
        );
        expect(LoginPlaces { registry_auth_file: Some("/f".into()), ..usual.clone() }, &["/f", docker]);
        expect(
            LoginPlaces { config_home: Some("/c".into()), ..usual },
            &[podman[0], "/c/containers/auth.json", docker],
        );
    }
}
