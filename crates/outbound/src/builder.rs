//! Setting up the client: trust, time-outs, proxies.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Certificate, redirect};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::error::innermost;
use crate::kept::Waiting;
use crate::proxy::plain_goes_by_a_secure_proxy;
use crate::{Origin, OutboundError, Url, proxy_for};

/// The HTTP client. Clones share their connections.
#[derive(Clone)]
pub struct Outbound {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    /// One connection pool per lane, made when first used: a command that only talks to loopback
    /// never reads the system's certificates.
    lanes: [OnceLock<reqwest::Client>; 4],
    /// Connections for bodies out of files.
    waiting: Waiting,
}

/// What a connection needs, by where it goes.
#[derive(Clone, Copy)]
enum Lane {
    /// `http` on this machine: no proxy, no system certificates.
    PlainLoopback = 0,
    /// `http` elsewhere.
    Plain = 1,
    /// `https` on this machine: no proxy.
    SecureLoopback = 2,
    /// `https` elsewhere.
    Secure = 3,
}

impl Lane {
    fn of(origin: &Origin) -> Self {
        match (origin.is_secure(), origin.is_loopback()) {
            (false, true) => Self::PlainLoopback,
            (false, false) => Self::Plain,
            (true, true) => Self::SecureLoopback,
            (true, false) => Self::Secure,
        }
    }

    fn is_loopback(self) -> bool {
        matches!(self, Self::PlainLoopback | Self::SecureLoopback)
    }

    fn is_secure(self) -> bool {
        matches!(self, Self::SecureLoopback | Self::Secure)
    }
}

/// Settings of an [`Outbound`]; see [`Outbound::builder`] for the defaults.
#[derive(Debug)]
pub struct OutboundBuilder {
    settings: Settings,
    authorities_pem: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Settings {
    user_agent: String,
    connect_timeout: Duration,
    idle_timeout: Duration,
    unix_socket: Option<PathBuf>,
    authorities: Vec<Certificate>,
    /// The same, for a look at a handshake.
    authorities_der: Vec<CertificateDer<'static>>,
}

impl Outbound {
    /// Starts from the defaults: 10 seconds to connect, 120 seconds in which no byte moves, the
    /// system's certificate authorities, and the proxies that `HTTPS_PROXY`, `HTTP_PROXY`,
    /// `ALL_PROXY` and `NO_PROXY` name (never for addresses on this machine).
    pub fn builder() -> OutboundBuilder {
        OutboundBuilder {
            settings: Settings {
                user_agent: concat!("hythe/", env!("CARGO_PKG_VERSION")).to_owned(),
                connect_timeout: Duration::from_secs(10),
                // A registry may sync a large layer to a slow disk before it answers.
                idle_timeout: Duration::from_mins(2),
                unix_socket: None,
                authorities: Vec::new(),
                authorities_der: Vec::new(),
            },
            authorities_pem: Vec::new(),
        }
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.shared.settings.connect_timeout
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.shared.settings.idle_timeout
    }

    pub(crate) fn user_agent(&self) -> &str {
        &self.shared.settings.user_agent
    }

    /// Connections for bodies out of files that nobody uses now.
    pub(crate) fn waiting(&self) -> &Waiting {
        &self.shared.waiting
    }

    /// Whether requests to this plain origin go to no unix socket and through no proxy.
    pub(crate) fn is_direct(&self, origin: &Origin, url: &Url) -> bool {
        !origin.is_secure() && self.shared.settings.unix_socket.is_none() && proxy_for(url).is_none()
    }

    /// The authorities that are trusted besides the system's.
    pub(crate) fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.shared.settings.authorities_der
    }

    /// A client of its own for one exchange with `origin`, which speaks TLS in the way of `config`.
    pub(crate) fn client_with_tls(
        &self,
        origin: &Origin,
        config: ClientConfig,
    ) -> Result<reqwest::Client, OutboundError> {
        let builder = self.shared.settings.builder(Lane::of(origin)).tls_backend_preconfigured(config);
        builder.build().map_err(|error| OutboundError::Settings(innermost(&error)))
    }

    /// The connection pool that serves `origin`.
    pub(crate) fn client(&self, origin: &Origin) -> Result<&reqwest::Client, OutboundError> {
        let lane = Lane::of(origin);
        let [plain_loopback, plain, secure_loopback, secure] = &self.shared.lanes;
        let slot = match lane {
            Lane::PlainLoopback => plain_loopback,
            Lane::Plain => plain,
            Lane::SecureLoopback => secure_loopback,
            Lane::Secure => secure,
        };
        if let Some(client) = slot.get() {
            return Ok(client);
        }
        let client = self.shared.settings.client(lane)?;
        // Two first users may both make one; the second is dropped unused.
        Ok(slot.get_or_init(|| client))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl OutboundBuilder {
    /// Replaces the `User-Agent`.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.settings.user_agent = user_agent.into();
        self
    }

    /// Limits the time to connect, TLS included.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// Limits the time in which no byte moves in either direction. A long transfer that goes on
    /// is never cut.
    pub fn idle_timeout(mut self, limit: Duration) -> Self {
        self.settings.idle_timeout = limit;
        self
    }

    /// Trusts the certificate authorities in `pem` beside the system's. May be called repeatedly.
    pub fn authorities_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities_pem.push(pem.into());
        self
    }

    /// Connects every request to this unix socket; the URL then only fills the `Host` header.
    pub fn unix_socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.settings.unix_socket = Some(path.into());
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`OutboundError::Settings`]: a certificate authority or the user agent is not usable.
    pub fn build(mut self) -> Result<Outbound, OutboundError> {
        for pem in &self.authorities_pem {
            let certificates = Certificate::from_pem_bundle(pem).map_err(|error| {
                OutboundError::Settings(format!("a certificate authority is not readable: {error}"))
            })?;
            if certificates.is_empty() {
                let problem = "a certificate authority file holds no PEM certificate".to_owned();
                return Err(OutboundError::Settings(problem));
            }
            self.settings.authorities.extend(certificates);
            // What is no certificate was refused above.
            self.settings.authorities_der.extend(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
        }
        // The cheapest lane is made at once: it checks the user agent and the extra authorities.
        let first = self.settings.client(Lane::PlainLoopback)?;
        let lanes = [OnceLock::from(first), OnceLock::new(), OnceLock::new(), OnceLock::new()];
        Ok(Outbound {
            shared: Arc::new(Shared { settings: self.settings, lanes, waiting: Waiting::default() }),
        })
    }
}

impl Settings {
    fn client(&self, lane: Lane) -> Result<reqwest::Client, OutboundError> {
        self.builder(lane).build().map_err(|error| OutboundError::Settings(innermost(&error)))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one client that the ban points to")]
    fn builder(&self, lane: Lane) -> reqwest::ClientBuilder {
        let mut builder = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            // Redirects are followed in `send`, where the credential can be dropped.
            .redirect(redirect::Policy::none())
            .referer(false);
        let authorities = self.authorities.iter().cloned();
        // A proxy may be spoken to over TLS where the registry behind it is not.
        builder = if lane.is_secure() || (!lane.is_loopback() && plain_goes_by_a_secure_proxy()) {
            builder.tls_certs_merge(authorities)
        } else {
            builder.tls_certs_only(authorities)
        };
        if lane.is_loopback() {
            builder = builder.no_proxy();
        }
        if let Some(path) = &self.unix_socket {
            builder = builder.unix_socket(path.clone());
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let refused = Outbound::builder().authorities_pem("not a certificate").build();
        assert!(matches!(refused, Err(OutboundError::Settings(_))), "{refused:?}");
    }

    #[test]
    fn a_certificate_of_rubbish_is_refused_at_once() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let refused = Outbound::builder().authorities_pem(pem).build();
        assert!(matches!(refused, Err(OutboundError::Settings(_))), "{refused:?}");
    }
}
