//! Registries: scheme, host and port.
//!
//! The host is kept in the one spelling that an address of the web has for it, so that two names are
//! of the same registry when and only when they are equal: no `0x7f.1` for `127.0.0.1`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use hythe_outbound::Url;

use super::error::{ImageNameError, bad_registry};

/// The host of Docker Hub in names; see [`Registry::endpoint`] for the one that answers.
pub const DOCKER_HUB: &str = "docker.io";

/// Most bytes of a host name (RFC 1035 section 2.3.4).
const HOST_BYTES: usize = 253;

/// How a registry is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A registry: scheme, host, and the port if one is written. `Display` writes `host[:port]`.
///
/// A host of one label other than `localhost` always has its port written, because references take it
/// for a part of the repository otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Registry {
    scheme: Scheme,
    /// Lower case; an IPv6 address stands in brackets.
    host: String,
    port: Option<u16>,
}

impl Registry {
    /// Reads `[http://|https://]host[:port][/]`.
    ///
    /// Without a scheme it is `https`, but for this machine itself (`localhost` and the loopback
    /// addresses), where it is `http` as with docker and containerd: nothing leaves the machine. A
    /// [`Profile`](super::Profile) that knows the registry decides by its own address instead.
    /// The names of Docker Hub (`index.docker.io`, `registry-1.docker.io`) become [`DOCKER_HUB`].
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] for anything else, with a path, a user name or an odd spelling of an address.
    pub fn parse(text: &str) -> Result<Self, ImageNameError> {
        let (scheme, rest) = if let Some(rest) = text.strip_prefix("https://") {
            (Some(Scheme::Https), rest)
        } else if let Some(rest) = text.strip_prefix("http://") {
            (Some(Scheme::Http), rest)
        } else {
            (None, text)
        };
        let authority = match scheme {
            Some(_) => rest.strip_suffix('/').unwrap_or(rest),
            None => rest,
        };
        Self::of_authority(scheme, authority)
    }

    /// The registry that a URL names.
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] when the scheme is not http or https, or when there is more than host and
    /// port.
    pub fn of_url(url: &Url) -> Result<Self, ImageNameError> {
        if !url.username().is_empty() || url.password().is_some() {
            let shown = url.host_str().unwrap_or_default();
            return Err(bad_registry(shown, "its address holds a user name or password; leave them out"));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            let host = url.host_str().unwrap_or_default();
            return Err(bad_registry(host, "its address must end after host and port"));
        }
        Self::parse(url.as_str())
    }

    pub(crate) fn of_authority(scheme: Option<Scheme>, authority: &str) -> Result<Self, ImageNameError> {
        let bad = |problem: &str| bad_registry(authority, problem);
        let parsed = HostPort::parse(authority)?;
        let is_hub = parsed.is_docker_hub();
        let HostPort { host, port, loopback } = parsed;
        if is_hub && scheme == Some(Scheme::Http) {
            return Err(bad("Docker Hub is reached by https only"));
        }
        if is_hub {
            return Ok(Self::docker_hub());
        }
        let scheme = scheme.unwrap_or(if loopback { Scheme::Http } else { Scheme::Https });
        // In a reference, a first part without `.` and `:` is read as part of a repository.
        let needs_port = !host.contains(['.', ':']) && host != "localhost";
        let port = port.or_else(|| needs_port.then(|| scheme.default_port()));
        Ok(Self { scheme, host, port })
    }

    /// Docker Hub.
    pub fn docker_hub() -> Self {
        Self { scheme: Scheme::Https, host: DOCKER_HUB.to_owned(), port: None }
    }

    /// Whether this is Docker Hub.
    pub fn is_docker_hub(&self) -> bool {
        self.host == DOCKER_HUB && self.port.is_none()
    }

    /// How it is spoken to.
    pub const fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host: a name in lower case, an IPv4 address, or an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, if one is written.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The address that answers the registry protocol, such as `https://registry.example.org/`; for
    /// Docker Hub it is `https://registry-1.docker.io/`.
    ///
    /// # Errors
    /// [`ImageNameError::Registry`] for a host name that no address of the web can hold, such as a malformed
    /// internationalised one.
    pub fn endpoint(&self) -> Result<Url, ImageNameError> {
        let address = if self.is_docker_hub() {
            "https://registry-1.docker.io/".to_owned()
        } else {
            format!("{}://{self}/", self.scheme.as_str())
        };
        Url::parse(&address).map_err(|error| bad_registry(&address, error.to_string()))
    }

    /// Whether a name that is written with `other` in front means this registry: the same host, and the
    /// same port where the port that is not written is that of *this* registry's scheme.
    pub(super) fn answers_to(&self, other: &Self) -> bool {
        let default = self.scheme.default_port();
        self.host == other.host && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// A host in its one spelling, and the port as it is written.
pub(crate) struct HostPort {
    /// Lower case; an IPv6 address stands in brackets.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
    /// Whether the host is this machine.
    loopback: bool,
}

impl HostPort {
    /// Reads `host[:port]`.
    pub(crate) fn parse(authority: &str) -> Result<Self, ImageNameError> {
        if let Some((_, host)) = authority.rsplit_once('@') {
            return Err(bad_registry(host, "its address holds a user name or password; leave them out"));
        }
        let bad = |problem: &str| bad_registry(authority, problem);
        let (host, port) =
            split_port(authority).ok_or_else(|| bad("the port is not a number from 1 to 65535"))?;
        if host.len() > HOST_BYTES {
            return Err(bad("its host name is longer than 253 bytes"));
        }
        let (host, loopback) = one_spelling(host.to_ascii_lowercase()).map_err(bad)?;
        Ok(Self { host, port, loopback })
    }

    /// Whether it is one of the names of Docker Hub.
    pub(crate) fn is_docker_hub(&self) -> bool {
        self.port.is_none_or(|port| port == 443)
            && matches!(self.host.as_str(), "index.docker.io" | "registry-1.docker.io" | DOCKER_HUB)
    }
}

/// `host` and `port` of `host[:port]`, where an IPv6 host stands in brackets; `None` for a bad port.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let after_host = authority.rfind(']').map_or(0, |end| end + 1);
    match authority.get(after_host..)?.find(':') {
        None => Some((authority, None)),
        Some(at) => {
            let (host, port) = authority.split_at(after_host + at);
            let port = port.get(1..)?;
            let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            let port = port.parse::<u16>().ok().filter(|&port| digits && port != 0)?;
            Some((host, Some(port)))
        }
    }
}

/// The one spelling of a host that is in lower case, and whether it is this machine.
fn one_spelling(host: String) -> Result<(String, bool), &'static str> {
    if let Some(rest) = host.strip_prefix('[') {
        let fault = "what stands in brackets is not an IPv6 address";
        let address =
            rest.strip_suffix(']').and_then(|address| address.parse::<Ipv6Addr>().ok()).ok_or(fault)?;
        // `[0:0::1]` and `[::1]` are the same registry.
        let url = Url::parse(&format!("http://[{address}]/")).map_err(|_| fault)?;
        return Ok((url.host_str().unwrap_or_default().to_owned(), address.to_canonical().is_loopback()));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok((address.to_string(), address.is_loopback()));
    }
    check_host(&host)?;
    let loopback = host == "localhost" || host.ends_with(".localhost");
    Ok((host, loopback))
}

/// A host name: labels of letters, digits and inner `-`, joined by `.`.
fn check_host(host: &str) -> Result<(), &'static str> {
    if host.is_empty() {
        return Err("the host is missing");
    }
    let label_is_good = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !host.split('.').all(label_is_good) {
        return Err("its host is not made of letters, digits and `-`, joined by `.`");
    }
    // Addresses of the web read such a host as an IPv4 address, so it would be another host's name.
    let last = host.rsplit('.').next().unwrap_or_default();
    if last.bytes().all(|byte| byte.is_ascii_digit())
        || last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return Err("it ends in a number but is not an IPv4 address such as `192.0.2.1`");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::arbitrary;

    #[test]
    fn the_scheme_is_https_but_on_this_machine() {
        for (text, scheme, host, port) in [
            ("registry.example.org", Scheme::Https, "registry.example.org", None),
            ("Registry.Example.org:5000", Scheme::Https, "registry.example.org", Some(5000)),
            ("http://registry.example.org:5000/", Scheme::Http, "registry.example.org", Some(5000)),
            ("localhost", Scheme::Http, "localhost", None),
            ("https://localhost:5000", Scheme::Https, "localhost", Some(5000)),
            ("127.0.0.1:5000", Scheme::Http, "127.0.0.1", Some(5000)),
            ("192.0.2.7", Scheme::Https, "192.0.2.7", None),
            ("[0:0::1]:5000", Scheme::Http, "[::1]", Some(5000)),
            ("[2001:DB8::1]", Scheme::Https, "[2001:db8::1]", None),
            ("https://registry", Scheme::Https, "registry", Some(443)),
            ("http://registry", Scheme::Http, "registry", Some(80)),
            ("index.docker.io", Scheme::Https, "docker.io", None),
            ("registry-1.docker.io:443", Scheme::Https, "docker.io", None),
        ] {
            let registry = Registry::parse(text).unwrap();
            assert_eq!((registry.scheme(), registry.host(), registry.port()), (scheme, host, port), "{text}");
        }
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        for bad in [
            "",
            ":5000",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:5000:5000",
            "a b",
            "a/b",
            "user@a",
            "a..b",
            "-a",
            "a-",
            "[::1",
            "[::1]x",
            "[::g]",
            "[127.0.0.1]",
            "::1",
            "0x7f.1",
            "127.1",
            "1",
            "a.0x",
            "é.example",
            "a\0",
            "http://",
            "ftp://a",
            "https://a//",
            "https://u:p@a/",
            "http://docker.io",
        ] {
            assert!(Registry::parse(bad).is_err(), "{bad:?} was taken");
        }
        assert!(Registry::parse(&"a.".repeat(200)).is_err());
        for bad in ["ftp://a/", "https://u@a/", "https://a/x", "https://a/?q", "https://a/#f"] {
            assert!(Registry::of_url(&Url::parse(bad).unwrap()).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn docker_hub_is_named_one_way_and_answers_at_another() {
        let hub = Registry::parse("index.docker.io").unwrap();
        assert!(hub.is_docker_hub());
        assert_eq!(hub.to_string(), "docker.io");
        assert_eq!(hub.endpoint().unwrap().as_str(), "https://registry-1.docker.io/");
        assert_eq!(Registry::parse("[::1]:5000").unwrap().endpoint().unwrap().as_str(), "http://[::1]:5000/");
    }

    #[test]
    fn a_secret_in_an_address_is_not_repeated() {
        let error = Registry::of_url(&Url::parse("https://ada:topsecret@a.example/").unwrap()).unwrap_err();
        assert!(!error.to_string().contains("topsecret"), "{error}");
        let error = Registry::parse("https://ada:topsecret@a.example").unwrap_err();
        assert!(!error.to_string().contains("topsecret"), "{error}");
    }

    proptest! {
        #[test]
        fn a_registry_reads_back(registry in arbitrary::registry()) {
            let text = format!("{}://{registry}", registry.scheme().as_str());
            prop_assert_eq!(&Registry::parse(&text).unwrap(), &registry);
        }

        #[test]
        fn an_address_is_of_the_host_that_is_written(text in "(\\[[0-9a-f:.]{0,9}\\]|[a-zA-Z0-9x.-]{1,9})(:[0-9]{1,5})?") {
            if let Ok(registry) = Registry::parse(&text)
                && !registry.is_docker_hub()
                && let Ok(url) = registry.endpoint()
            {
                prop_assert_eq!(url.host_str(), Some(registry.host()));
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = Registry::parse(&text);
        }
    }
}
