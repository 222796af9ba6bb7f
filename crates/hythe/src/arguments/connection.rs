//! Arguments that say which server a command speaks to, and as whom.

use std::path::PathBuf;

use clap::Args;
use hythe_client::image::ClusterName;
use url::Url;

use super::profile::cluster;

/// Which server.
#[derive(Debug, Clone, Args)]
pub(crate) struct Server {
    /// The server, for example `https://registry.example.org` [default: that of the profile, else the one last logged in
    /// to].
    #[arg(long = "server", env = "HYTHE_SERVER", value_name = "URL", value_parser = parse_server)]
    pub(crate) url: Option<Url>,
    /// The profile whose server, project and certificate authority are used [default: `HYTHE_PROFILE`, else that of
    /// `hythe profile use`].
    // Not read from the environment here: `HYTHE_SERVER` goes before `HYTHE_PROFILE`, and after this flag.
    #[arg(long, value_name = "NAME", value_parser = cluster)]
    pub(crate) profile: Option<ClusterName>,
    /// Certificate authority (PEM) to trust besides the system's.
    #[arg(long, env = "HYTHE_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
}

/// Which server, and as whom.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Who to sign in as; the password is read from `HYTHE_PASSWORD` [default: the stored login].
    #[arg(long, env = "HYTHE_USERNAME", value_name = "NAME")]
    pub(crate) username: Option<String>,
}

/// `hythe login`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LoginArguments {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Who to sign in as.
    #[arg(long, env = "HYTHE_USERNAME", value_name = "NAME")]
    pub(crate) username: String,
    /// Read the password from standard input instead of `HYTHE_PASSWORD`.
    #[arg(long)]
    pub(crate) password_stdin: bool,
    /// Let docker, podman and skopeo use the login: puts `docker-credential-hythe` in place and names it in docker's
    /// configuration.
    #[arg(long)]
    pub(crate) docker: bool,
}

/// `hythe logout`.
#[derive(Debug, Clone, Args)]
pub(crate) struct LogoutArguments {
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Where a new password for somebody comes from.
#[derive(Debug, Clone, Args)]
pub(crate) struct NewPassword {
    /// Read the new password from standard input instead of `HYTHE_NEW_PASSWORD`.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Reads a server's URL; a bare `host:port` means https, or http on this very machine.
pub(crate) fn parse_server(text: &str) -> Result<Url, String> {
    let spelled = if text.contains("://") {
        text.to_owned()
    } else if is_loopback(text) {
        format!("http://{text}")
    } else {
        format!("https://{text}")
    };
    let url = Url::parse(&spelled).map_err(|error| format!("{error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err("a server is written http://HOST:PORT or https://HOST".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials do not belong into the URL: use --username and HYTHE_PASSWORD".to_owned());
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err("a server's URL ends after the host and port".to_owned());
    }
    Ok(url)
}

fn is_loopback(text: &str) -> bool {
    let host = text.rsplit_once(':').map_or(text, |(host, _)| host);
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

#[cfg(test)]
mod tests {
    use super::parse_server;

    #[test]
    fn a_bare_host_means_https_and_a_local_one_http() {
        for (text, url) in [
            ("registry.example.org", "https://registry.example.org/"),
            ("registry.example.org:8443", "https://registry.example.org:8443/"),
            ("localhost:5000", "http://localhost:5000/"),
            ("[::1]:5000", "http://[::1]:5000/"),
            ("http://10.0.0.1:5000", "http://10.0.0.1:5000/"),
        ] {
            assert_eq!(parse_server(text).unwrap().as_str(), url);
        }
    }

    #[test]
    fn what_is_no_server_is_refused() {
        for text in ["ftp://host", "https://user:secret@host", "https://host/path", "https://host?x=1", ""] {
            assert!(parse_server(text).is_err(), "{text}");
        }
    }
}
