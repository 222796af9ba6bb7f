//! Arguments of the commands that run a registry.
//!
//! What becomes a layer of the configuration is text here: the configuration parses it, whichever layer
//! it comes from.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

/// Where the configuration comes from, and the settings common enough to deserve a flag.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConfigSource {
    /// Configuration file [default: /etc/hythe/hythe.toml, if it exists].
    #[arg(long, env = "HYTHE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder everything that is kept lies under [also: `HYTHE_DATA_DIR`].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<String>,
}

/// `hythe serve`.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) source: ConfigSource,
    /// Address and port to listen on; port 0 lets the system choose [also: `HYTHE_LISTEN`].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// The URL clients reach this registry under, if it is not the one they connect to.
    #[arg(long, value_name = "URL")]
    pub(crate) external_url: Option<String>,
    /// Certificate chain (PEM) to serve TLS with.
    #[arg(long, value_name = "FILE", conflicts_with = "dev_tls")]
    pub(crate) tls_cert: Option<String>,
    /// Private key (PEM) of the certificate.
    #[arg(long, value_name = "FILE", conflicts_with = "dev_tls")]
    pub(crate) tls_key: Option<String>,
    /// Serve TLS with a certificate made on the spot and kept in the data folder; for trying out only.
    #[arg(long)]
    pub(crate) dev_tls: bool,
    /// Write the port really listened on to this file once the server is ready.
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,
}

/// `hythe quickstart`.
#[derive(Debug, Clone, Args)]
pub(crate) struct QuickstartArguments {
    /// The folder to keep the registry in [default: `hythe-quickstart` in the current folder].
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Address and port to listen on [default: a free port of 127.0.0.1, 5000 if it is free].
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<SocketAddr>,
    /// Stop after the pull instead of serving on.
    #[arg(long)]
    pub(crate) once: bool,
}
