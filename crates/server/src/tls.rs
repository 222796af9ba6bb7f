//! TLS: certificate files that are read again when they change.
//!
//! A pair that cannot be read, or whose key does not fit, never replaces a working one: the old pair
//! stays and the reason is logged. rustls runs on aws-lc-rs alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use thiserror::Error;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::drain::DrainWatch;
use crate::limits::CERTIFICATE_POLL;

/// Where the certificate chain and its key lie, both as PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub certificate: PathBuf,
    /// The private key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A certificate pair in use, replaceable while connections are open.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Pair>,
}

#[derive(Debug)]
struct Pair {
    key: Arc<CertifiedKey>,
    stamp: Stamp,
}

/// When the two files were last changed; a reading of them is repeated when this differs.
type Stamp = [Option<SystemTime>; 2];

/// Why a certificate pair cannot be used.
#[derive(Debug, Error)]
pub enum TlsError {
    /// One of the files cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The chain file holds no certificate, or a broken one.
    #[error("{path} holds no usable certificate chain in PEM form ({reason})")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key file holds no key, or a broken one.
    #[error("{path} holds no usable private key in PEM form ({reason})")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is not the one of the certificate, or its kind is not supported.
    #[error("the key in {key} does not fit the certificate in {certificate} ({source})")]
    Mismatch {
        /// The chain file.
        certificate: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// rustls refused the configuration.
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl Tls {
    /// Reads the pair for the first time; a server without a usable pair does not start.
    pub fn load(files: TlsFiles) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let stamp = stamp(&files);
        let key = Arc::new(read_pair(&files, &provider)?);
        Ok(Arc::new(Self { files, provider, current: RwLock::new(Pair { key, stamp }) }))
    }

    /// What a listener needs to greet its clients; offers HTTP/2 only when asked to.
    pub(crate) fn acceptor(self: &Arc<Self>, http2: bool) -> Result<TlsAcceptor, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Resolver(Arc::clone(self))));
        config.alpn_protocols =
            if http2 { vec![b"h2".to_vec(), b"http/1.1".to_vec()] } else { vec![b"http/1.1".to_vec()] };
        Ok(TlsAcceptor::from(Arc::new(config)))
    }

    /// Looks at the files until the server stops, and takes up a changed pair.
    pub(crate) async fn follow(self: Arc<Self>, drain: DrainWatch) {
        loop {
            tokio::select! {
                () = drain.stopping() => return,
                () = tokio::time::sleep(CERTIFICATE_POLL) => {}
            }
            let tls = Arc::clone(&self);
            // Reading files blocks, if only for a moment.
            if let Err(panic) = tokio::task::spawn_blocking(move || tls.reload()).await {
                tracing::error!(%panic, "looking at the certificate files failed");
            }
        }
    }

    /// Takes up the files if they changed since they were last looked at; says whether it did.
    fn reload(&self) -> bool {
        let stamp = stamp(&self.files);
        if stamp == self.current.read().unwrap_or_else(PoisonError::into_inner).stamp {
            return false;
        }
        let outcome = read_pair(&self.files, &self.provider);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        // Also after a failure: the same bad files are reported once, not at every look.
        current.stamp = stamp;
        match outcome {
            Ok(key) => {
                current.key = Arc::new(key);
                tracing::info!(certificate = %self.files.certificate.display(), "took up a changed certificate");
                true
            }
            Err(error) => {
                tracing::error!(%error, "the changed certificate is unusable; the old one stays in use");
                false
            }
        }
    }
}

/// Hands the current pair to each handshake.
#[derive(Debug)]
struct Resolver(Arc<Tls>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

fn stamp(files: &TlsFiles) -> Stamp {
    let changed = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    [changed(&files.certificate), changed(&files.key)]
}

fn read_pair(files: &TlsFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let read =
        |path: &Path| fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let chain_error = |reason: String| TlsError::Certificate { path: files.certificate.clone(), reason };
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| chain_error(error.to_string()))?;
    if chain.is_empty() {
        return Err(chain_error("it has no CERTIFICATE section".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?)
        .map_err(|error| TlsError::Key { path: files.key.clone(), reason: error.to_string() })?;
    CertifiedKey::from_der(chain, key, provider).map_err(|source| TlsError::Mismatch {
        certificate: files.certificate.clone(),
        key: files.key.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::dev_certificate::dev_certificate;

    const EPOCH: Duration = Duration::from_secs(1_700_000_000);

    fn write_pair(folder: &Path, host: &str) -> TlsFiles {
        let made = dev_certificate(&[host.to_owned()], EPOCH).unwrap();
        let files = TlsFiles { certificate: folder.join("cert.pem"), key: folder.join("key.pem") };
        fs::write(&files.certificate, made.cert_pem).unwrap();
        fs::write(&files.key, made.key_pem).unwrap();
        files
    }

    /// Moves the change time, which a fast test would otherwise leave equal.
    fn touch(path: &Path, seconds: u64) {
        let file = fs::File::options().append(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }

    fn served(tls: &Tls) -> Vec<u8> {
        tls.current.read().unwrap().key.end_entity_cert().unwrap().to_vec()
    }

    #[test]
    fn a_changed_pair_is_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls::load(write_pair(folder.path(), "one.example")).unwrap();
        let first = served(&tls);
        assert!(!tls.reload(), "nothing changed yet");

        touch(&write_pair(folder.path(), "two.example").certificate, 5);
        assert!(tls.reload());
        assert_ne!(served(&tls), first);
    }

    #[test]
    fn a_bad_pair_keeps_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "one.example");
        let tls = Tls::load(files.clone()).unwrap();
        let first = served(&tls);

        fs::write(&files.certificate, "not a certificate").unwrap();
        touch(&files.certificate, 5);
        assert!(!tls.reload());
        assert_eq!(served(&tls), first);

        // A certificate of another key, as between two copies of a renewal script.
        fs::write(&files.certificate, dev_certificate(&["x.example".to_owned()], EPOCH).unwrap().cert_pem)
            .unwrap();
        touch(&files.certificate, 6);
        assert!(!tls.reload());
        assert_eq!(served(&tls), first);
    }

    #[test]
    fn a_start_without_a_usable_pair_says_which_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let files = write_pair(folder.path(), "one.example");
        fs::write(&files.key, "").unwrap();
        let refused = Tls::load(files.clone()).unwrap_err().to_string();
        assert!(refused.contains("key.pem"), "{refused}");
        fs::remove_file(&files.certificate).unwrap();
        let refused = Tls::load(files).unwrap_err().to_string();
        assert!(refused.contains("cert.pem"), "{refused}");
    }
}
