//! Arguments of `hythe profile`.

use std::path::PathBuf;

use clap::Subcommand;
use hythe_client::image::ClusterName;
use hythe_oci::ProjectName;
use url::Url;

use super::connection::parse_server;

/// `hythe profile …`.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ProfileCommand {
    /// List the profiles; the one that is used by default has a star.
    Ls,
    /// Add a profile, or change one; what is not given stays as it is.
    Set {
        /// What you call it, in `--profile NAME` and `image://NAME/PROJECT/IMAGE`.
        #[arg(value_parser = cluster)]
        name: ClusterName,
        /// Where its server answers.
        #[arg(long, value_name = "URL", value_parser = parse_server)]
        server: Option<Url>,
        /// The organisation of images that are named without one, where repositories begin with one.
        #[arg(long, value_name = "ORGANISATION")]
        organisation: Option<ProjectName>,
        /// The project of images that are named without one.
        #[arg(long, value_name = "PROJECT")]
        project: Option<ProjectName>,
        /// Certificate authority (PEM) to trust besides the system's.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Use a profile where none is named.
    Use {
        /// The profile.
        #[arg(value_parser = cluster)]
        name: ClusterName,
    },
    /// Remove a profile; the login of its server stays.
    Rm {
        /// The profile.
        #[arg(value_parser = cluster)]
        name: ClusterName,
    },
}

/// Reads the name of a profile.
pub(super) fn cluster(text: &str) -> Result<ClusterName, String> {
    ClusterName::parse(text).map_err(|error| error.to_string())
}
