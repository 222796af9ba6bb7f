//! What to type next, with the real address, user name and password file.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hythe_oci::Digest;
use serde::Serialize;

use super::demonstration::{ADMIN, PROJECT, REPOSITORY};
use super::place::{Password, PasswordSource};

/// What a run leaves behind; `Display` is the text for people.
#[derive(Debug, Serialize)]
pub(super) struct NextSteps {
    url: String,
    data_dir: PathBuf,
    username: &'static str,
    /// `None` when the password is the one of `HYTHE_ADMIN_PASSWORD`.
    password_file: Option<PathBuf>,
    image: String,
    digest: Digest,
    #[serde(skip)]
    host: SocketAddr,
}

impl NextSteps {
    pub(super) fn new(host: SocketAddr, folder: &Path, password: &Password, digest: Digest) -> Self {
        NextSteps {
            url: format!("http://{host}"),
            data_dir: folder.to_owned(),
            username: ADMIN,
            password_file: match &password.source {
                PasswordSource::File(path) => Some(path.clone()),
                PasswordSource::Environment => None,
            },
            image: format!("{host}/{REPOSITORY}"),
            digest,
            host,
        }
    }

    /// A command that writes the password to its output: a pipe keeps it out of every argument list.
    fn password_command(&self) -> String {
        match &self.password_file {
            Some(path) => format!("cat {}", shell_word(&path.display().to_string())),
            None => "printenv HYTHE_ADMIN_PASSWORD".to_owned(),
        }
    }
}

impl fmt::Display for NextSteps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let NextSteps { url, image, host, digest, .. } = self;
        let password = self.password_command();
        let own = format!("{host}/{PROJECT}/mine");
        let folder = self.data_dir.display();
        writeln!(f, "\nEvery byte came back as it was pushed: {digest}")?;
        writeln!(f, "The registry is at {url} and keeps everything in {folder}.")?;
        match &self.password_file {
            Some(path) => writeln!(f, "Sign in as `{ADMIN}` with the password in {}.", path.display())?,
            None => writeln!(f, "Sign in as `{ADMIN}` with the password in HYTHE_ADMIN_PASSWORD.")?,
        }
        writeln!(f, "\nWith docker:")?;
        writeln!(f, "  docker pull {image}")?;
        writeln!(f, "  {password} | docker login --username {ADMIN} --password-stdin {host}")?;
        writeln!(f, "  docker tag {image} {own} && docker push {own}")?;
        writeln!(f, "\nWith podman:")?;
        writeln!(f, "  podman pull --tls-verify=false {image}")?;
        writeln!(
            f,
            "  {password} | podman login --tls-verify=false --username {ADMIN} --password-stdin {host}"
        )?;
        writeln!(f, "  podman push --tls-verify=false {image} {own}")?;
        writeln!(f, "\nWith skopeo:")?;
        writeln!(f, "  skopeo inspect --tls-verify=false docker://{image}")?;
        writeln!(
            f,
            "  {password} | skopeo login --tls-verify=false --username {ADMIN} --password-stdin {host}"
        )?;
        writeln!(
            f,
            "  skopeo copy --src-tls-verify=false --dest-tls-verify=false docker://{image} docker://{own}"
        )?;
        writeln!(f, "\nWith curl:")?;
        write!(
            f,
            "  printf 'user = \"{ADMIN}:%s\"' \"$({password})\" | curl --config - {url}/api/v1/projects/{PROJECT}/repositories"
        )
    }
}

/// A word as a shell reads it back unchanged.
fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use hythe_oci::Algorithm;

    use super::*;

    fn shown(source: PasswordSource) -> String {
        let password = Password { secret: "topsecret".into(), source };
        let digest = Digest::of(Algorithm::Sha256, b"");
        NextSteps::new("127.0.0.1:5000".parse().unwrap(), Path::new("here"), &password, digest).to_string()
    }

    #[test]
    fn the_password_itself_is_never_shown() {
        let from_file = shown(PasswordSource::File(PathBuf::from("my folder/admin-password")));
        let from_environment = shown(PasswordSource::Environment);
        assert!(!from_file.contains("topsecret") && !from_environment.contains("topsecret"));
        assert!(from_file.contains("cat 'my folder/admin-password' | docker login"), "{from_file}");
        assert!(
            from_environment.contains("printenv HYTHE_ADMIN_PASSWORD | podman login"),
            "{from_environment}"
        );
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(shell_word("a/b-c.d"), "a/b-c.d");
        assert_eq!(shell_word("it's here"), r"'it'\''s here'");
        assert_eq!(shell_word("$HOME;rm"), "'$HOME;rm'");
    }
}
