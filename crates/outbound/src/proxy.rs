//! Which proxy a request goes through, for telling a person.

use hyper_util::client::proxy::matcher::Matcher;

use crate::{Origin, Url};

/// A proxy, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its host name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// Whether plain requests go through a proxy that is itself reached over TLS.
pub(crate) fn plain_goes_by_a_secure_proxy() -> bool {
    // Of no registry: what matters is the variables alone, and a name that `NO_PROXY` excepts needs no proxy's certificate.
    let any = http::Uri::from_static("http://registry.invalid/");
    Matcher::from_system().intercept(&any).is_some_and(|proxy| proxy.uri().scheme_str() == Some("https"))
}

/// The proxy through which [`crate::Outbound`] reaches `url`, by the variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and
/// `NO_PROXY` of this process; `None` when it goes there directly. The rules are those of the library that sends.
pub fn proxy_for(url: &Url) -> Option<Proxy> {
    // As the client does it: this machine is never reached through a proxy.
    if Origin::of(url)?.is_loopback() {
        return None;
    }
    let intercept = Matcher::from_system().intercept(&url.as_str().parse().ok()?)?;
    let uri = intercept.uri();
    let usual = if uri.scheme_str() == Some("https") { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(usual);
    Some(Proxy { host: uri.host()?.to_owned(), port })
}
