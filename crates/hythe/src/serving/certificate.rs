//! The certificate pair of a server: the operator's files, or for trying out one of our own making.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hythe_server::tls::{Tls, TlsFiles};
use hythe_server::{DEV_CERTIFICATE_LIFE, dev_certificate};
use hythe_store::SharedClock;

use crate::configuration::{Config, ExternalUrl};
use crate::failure::{Exit, Failure, chain, sentence};

/// A made certificate is renewed when it has less than this to live.
const RENEWAL: Duration = Duration::from_hours(30 * 24);

/// Reads the pair the configuration names, if it names one.
pub(super) fn configured(config: &Config) -> Result<Option<Arc<Tls>>, Failure> {
    let (Some(certificate), Some(key)) = (&config.tls.cert, &config.tls.key) else { return Ok(None) };
    load(TlsFiles { certificate: certificate.clone(), key: key.clone() }).map(Some)
}

/// Makes a pair in the data folder, or takes the one made before.
///
/// Answers the authority's file too: clients have to trust it.
pub(super) fn development(config: &Config, clock: &SharedClock) -> Result<(Arc<Tls>, PathBuf), Failure> {
    let folder = config.data_dir.join("dev-tls");
    let authority = folder.join("ca.pem");
    let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
    let now = Duration::from_secs(u64::try_from(clock.now().as_secs()).unwrap_or_default());
    if !still_good(&authority, now) {
        let made = dev_certificate(&names(config), now).map_err(|error| {
            Failure::new(Exit::Failed, format!("No certificate can be made: {}", chain(&error)))
        })?;
        let write = || -> io::Result<()> {
            DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
            write_private(&files.key, &made.key_pem)?;
            write_private(&files.certificate, &made.cert_pem)?;
            // Last: its date says how long the pair is good.
            write_private(&authority, &made.ca_pem)
        };
        write().map_err(|error| {
            Failure::new(
                Exit::Failed,
                format!("The certificate cannot be kept in {}: {error}", folder.display()),
            )
        })?;
    }
    Ok((load(files)?, authority))
}

fn load(files: TlsFiles) -> Result<Arc<Tls>, Failure> {
    Tls::load(files).map_err(|error| Failure::new(Exit::Usage, sentence(error)))
}

/// Whether the pair made together with this file has some life left.
fn still_good(authority: &Path, now: Duration) -> bool {
    let made = std::fs::metadata(authority).and_then(|metadata| metadata.modified());
    let made = made.ok().and_then(|made| made.duration_since(std::time::UNIX_EPOCH).ok());
    made.is_some_and(|made| now + RENEWAL < made + DEV_CERTIFICATE_LIFE)
}

/// Every name the server may be called by on this machine.
fn names(config: &Config) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let listen: IpAddr = config.listen.ip();
    if !listen.is_unspecified() && !listen.is_loopback() {
        names.push(listen.to_string());
    }
    names.extend(config.external_url.as_ref().and_then(ExternalUrl::host));
    // Without it the certificate is good for the other names.
    names
        .extend(std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned()));
    names.retain(|name| !name.is_empty());
    names
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?
        .write_all(text.as_bytes())
}
