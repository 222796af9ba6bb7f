//! What a server shows of itself when TLS begins, and what is wrong with it: for telling a person, not for transfers.
//!
//! Invariant: nothing is trusted here that [`Outbound::send`] would not trust. The verifier asks the one that every other
//! connection uses, notes what it was shown, and passes the answer on.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use crate::error::innermost;
use crate::{Origin, Outbound, OutboundError, Url};

/// The most certificates of a chain that are read; real ones have four or five.
const LONGEST_CHAIN: usize = 16;

/// The most names of a certificate that are told.
const MOST_NAMES: usize = 20;

/// The most characters of a name in a certificate.
const LONGEST_NAME: usize = 200;

/// The certificates that a server showed, and whether it may be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What can be read of the chain, the server's own certificate first.
    pub chain: Vec<ShownCertificate>,
    /// Why the server is not trusted; `None` when it is.
    pub distrust: Option<Distrust>,
}

/// One certificate, as far as people want to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownCertificate {
    /// Whose it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// From when on it holds, in seconds since 1970.
    pub not_before: i64,
    /// Until when, in seconds since 1970.
    pub not_after: i64,
}

/// Why a certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that is trusted here signed it.
    UnknownIssuer,
    /// Its time is over.
    Expired,
    /// Its time has not begun.
    NotYetValid,
    /// It is for other names.
    OtherName,
    /// Something else, in the library's words.
    Other(String),
}

impl Outbound {
    /// Begins TLS with the server at `url`, which must be an `https` address, and tells what it showed. The path is asked for
    /// as well, without credentials, and its answer is thrown away.
    ///
    /// # Errors
    /// No certificate was shown: nobody answers, or not in TLS.
    pub async fn handshake(&self, url: &Url) -> Result<Handshake, OutboundError> {
        let origin =
            Origin::of(url).ok_or_else(|| OutboundError::Scheme { scheme: url.scheme().to_owned() })?;
        let settings = |error: &(dyn std::error::Error + 'static)| OutboundError::Settings(innermost(error));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let roots = self.authorities().to_vec();
        let real =
            Verifier::new_with_extra_roots(roots, Arc::clone(&provider)).map_err(|error| settings(&error))?;
        let noting = Arc::new(Noting { real, seen: Mutex::default() });
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| settings(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&noting) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        let answer = self.client_with_tls(&origin, config)?.get(url.clone()).send().await;
        let seen = noting.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (seen, answer) {
            (Some(handshake), _) => Ok(handshake),
            (None, Err(error)) => {
                Err(OutboundError::from_reqwest(origin.to_string(), self.connect_timeout(), &error))
            }
            (None, Ok(_)) => Err(OutboundError::Unreadable {
                origin: origin.to_string(),
                reason: "it answered without a certificate".to_owned(),
            }),
        }
    }
}

/// The verifier that notes what it sees.
#[derive(Debug)]
struct Noting {
    real: Verifier,
    seen: Mutex<Option<Handshake>>,
}

impl ServerCertVerifier for Noting {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = self.real.verify_server_cert(own, others, name, ocsp, now);
        let chain = std::iter::once(own).chain(others).take(LONGEST_CHAIN);
        let handshake = Handshake {
            chain: chain.filter_map(|certificate| read(certificate.as_ref())).collect(),
            distrust: verdict.as_ref().err().map(distrust),
        };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(handshake);
        verdict
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.real.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.real.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.real.supported_verify_schemes()
    }
}

fn distrust(error: &Error) -> Distrust {
    let Error::InvalidCertificate(problem) = error else { return Distrust::Other(error.to_string()) };
    match problem {
        CertificateError::UnknownIssuer => Distrust::UnknownIssuer,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Distrust::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Distrust::NotYetValid,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::OtherName
        }
        other => Distrust::Other(other.to_string()),
    }
}

/// What can be read of a certificate; `None` when it is none.
pub(crate) fn read(der: &[u8]) -> Option<ShownCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let names = certificate.subject_alternative_name().ok().flatten();
    let names = names.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    Some(ShownCertificate {
        subject: shown(&certificate.subject().to_string()),
        issuer: shown(&certificate.issuer().to_string()),
        names: names.iter().filter_map(name).take(MOST_NAMES).collect(),
        not_before: certificate.validity().not_before.timestamp(),
        not_after: certificate.validity().not_after.timestamp(),
    })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            let v6 = <[u8; 16]>::try_from(*bytes).map(|bytes| std::net::IpAddr::from(bytes).to_string());
            v4.or(v6).ok()
        }
        _ => None,
    }
}

/// A name out of a certificate, which anybody can make, fit for a terminal.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_NAME).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn own_certificate() -> Vec<u8> {
        let mut parameters =
            rcgen::CertificateParams::new(vec!["registry.example".to_owned(), "10.0.0.7".to_owned()])
                .unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "a name\u{1b}[31m");
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_times_are_read_and_fit_for_a_terminal() {
        let read = read(&own_certificate()).unwrap();
        assert_eq!(read.names, ["registry.example", "10.0.0.7"]);
        assert!(!read.subject.contains('\u{1b}'), "{read:?}");
        assert!(read.subject.contains("a name") && read.subject == read.issuer, "{read:?}");
        assert!(read.not_before < read.not_after);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(at in 0_usize..400, byte: u8, cut in 0_usize..600) {
            let mut der = own_certificate();
            if let Some(place) = der.get_mut(at) {
                *place = byte;
            }
            der.truncate(cut);
            let _ = read(&der);
        }
    }
}
