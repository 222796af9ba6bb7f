//! The certificate of `--dev-tls`: an authority of our own and a server certificate under it.
//!
//! Made to be trusted by hand on a few machines; the authority's key is thrown away at once, so that
//! nobody can sign another certificate with it.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// How long the certificate is good for: the most that Apple's clients accept.
pub const DEV_CERTIFICATE_LIFE: Duration = Duration::from_hours(825 * 24);

/// An hour of grace for clocks that are behind.
const BACKDATE: Duration = Duration::from_hours(1);

/// A fresh authority, a server certificate under it, and the latter's key; all PEM.
#[derive(Clone)]
pub struct DevCertificate {
    /// The chain to serve: server certificate, then authority.
    pub cert_pem: String,
    /// The server certificate's private key (PKCS#8).
    pub key_pem: String,
    /// The authority to trust on the clients.
    pub ca_pem: String,
}

impl std::fmt::Debug for DevCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DevCertificate").field("ca_pem", &self.ca_pem).finish_non_exhaustive()
    }
}

/// Makes a certificate for `hosts` (names and IP addresses), valid from `now` (since 1970-01-01 UTC)
/// for [`DEV_CERTIFICATE_LIFE`].
///
/// Fails when a host is not a possible DNS name or address, or the system has no randomness.
pub fn dev_certificate(hosts: &[String], now: Duration) -> Result<DevCertificate, rcgen::Error> {
    let not_before = rcgen::date_time_ymd(1970, 1, 1) + now.saturating_sub(BACKDATE);
    let not_after = rcgen::date_time_ymd(1970, 1, 1) + now + DEV_CERTIFICATE_LIFE;

    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name.push(DnType::CommonName, "Hythe development authority");
    (authority.not_before, authority.not_after) = (not_before, not_after);
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut server = CertificateParams::new(hosts.to_vec())?;
    server.distinguished_name.push(DnType::CommonName, "Hythe development server");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    (server.not_before, server.not_after) = (not_before, not_after);
    let server_key = KeyPair::generate()?;
    let server_certificate = server.signed_by(&server_key, &issuer)?;

    let ca_pem = authority_certificate.pem();
    Ok(DevCertificate {
        cert_pem: format!("{}{ca_pem}", server_certificate.pem()),
        key_pem: server_key.serialize_pem(),
        ca_pem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_holds_the_server_certificate_and_then_the_authority() {
        let hosts = ["hythe.example".to_owned(), "127.0.0.1".to_owned()];
        let made = dev_certificate(&hosts, Duration::from_secs(1_700_000_000)).unwrap();
        assert_eq!(made.cert_pem.matches("BEGIN CERTIFICATE").count(), 2);
        assert!(made.cert_pem.ends_with(&made.ca_pem));
        assert!(!format!("{made:?}").contains("PRIVATE"), "the key stays out of logs");
    }

    #[test]
    fn a_name_that_is_no_host_is_refused() {
        assert!(dev_certificate(&["no\u{e9}".to_owned()], Duration::from_secs(1)).is_err());
    }
}
