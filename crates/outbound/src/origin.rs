//! The origin of a URL: what a credential is bound to.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Scheme, host and port of an `http` or `https` URL.
///
/// Two URLs of equal origin are answered by the same server; a credential given for one origin is
/// never sent to another. `Display` writes `scheme://host[:port]`, without the default port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: Host,
    port: u16,
}

impl Origin {
    /// The origin of `url`, or `None` unless it is an `http` or `https` URL (these always have a host).
    pub fn of(url: &Url) -> Option<Self> {
        let secure = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        Some(Self { secure, host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// Whether the connection is protected by TLS.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// Whether `other` names the same host, on any port and by any scheme.
    pub fn same_host(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Whether the host is this machine: `localhost`, a name below it, `127.0.0.0/8` or `::1`.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.to_canonical().is_loopback(),
        }
    }

    /// Whether the host is written as an address that only means something nearby: loopback,
    /// private (RFC 1918, RFC 4193), link-local, shared (RFC 6598) or unspecified.
    ///
    /// Names are not resolved: this recognises what a hostile answer can spell out.
    pub fn is_local_address(&self) -> bool {
        match &self.host {
            Host::Domain(_) => self.is_loopback(),
            Host::Ipv4(address) => is_local_v4(*address),
            Host::Ipv6(address) => match address.to_ipv4_mapped() {
                Some(embedded) => is_local_v4(embedded),
                None => {
                    address.is_loopback()
                        || address.is_unspecified()
                        || address.is_unique_local()
                        || address.is_unicast_link_local()
                }
            },
        }
    }
}

impl Origin {
    /// Whether somebody who answers for `from` may send us on to this place: not into a private network that is not his
    /// own, and to a link-local address, where machines keep their secrets for whoever asks, only if it is his own.
    pub fn may_be_named_by(&self, from: &Self) -> bool {
        self.same_host(from) || !self.is_link_local() && (!self.is_local_address() || from.is_local_address())
    }

    /// Whether the host is an address of the link alone: `169.254.0.0/16`, `fe80::/10`, or the one of that kind that
    /// clouds have made of IPv6.
    fn is_link_local(&self) -> bool {
        match &self.host {
            Host::Domain(_) => false,
            Host::Ipv4(address) => address.is_link_local(),
            Host::Ipv6(address) => match address.to_ipv4_mapped() {
                Some(embedded) => embedded.is_link_local(),
                None => address.is_unicast_link_local() || *address == METADATA,
            },
        }
    }
}

/// Where a cloud's machines ask for their credentials (`fd00:ec2::254`).
const METADATA: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, default) = if self.secure { ("https", 443) } else { ("http", 80) };
        write!(f, "{scheme}://{}", self.host)?;
        if self.port == default { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

fn is_local_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    let shared = first == 100 && (64..128).contains(&second);
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::of(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn the_default_port_is_the_same_origin() {
        assert_eq!(origin("https://registry.example/v2/"), origin("https://registry.example:443/token"));
        assert_ne!(origin("https://registry.example"), origin("http://registry.example"));
        assert_ne!(origin("http://registry.example"), origin("http://registry.example:5000"));
        assert_ne!(origin("http://registry.example"), origin("http://registry.example.evil"));
        assert!(origin("http://a:1").same_host(&origin("https://a:2")));
    }

    #[test]
    fn display_leaves_out_credentials_path_and_default_port() {
        assert_eq!(
            origin("https://user:secret@registry.example/v2/?q=1").to_string(),
            "https://registry.example"
        );
        assert_eq!(origin("http://[::1]:5000/").to_string(), "http://[::1]:5000");
    }

    #[test]
    fn nobody_sends_us_into_another_network() {
        for (from, to, may) in [
            ("https://registry.example", "https://store.example", true),
            ("https://registry.example", "https://10.0.0.1", false),
            ("https://registry.example", "https://127.0.0.1", false),
            ("https://registry.example", "https://169.254.169.254", false),
            ("http://10.0.0.1", "http://10.0.0.2", true),
            ("http://10.0.0.1", "http://169.254.169.254", false),
            ("http://127.0.0.1", "http://[::ffff:169.254.169.254]", false),
            ("http://10.0.0.1", "http://[fe80::1]", false),
            ("http://10.0.0.1", "http://[fd00:ec2::254]", false),
            ("http://169.254.1.1:5000", "http://169.254.1.1:5001", true),
        ] {
            assert_eq!(origin(to).may_be_named_by(&origin(from)), may, "{from} {to}");
        }
    }

    #[test]
    fn other_schemes_have_no_origin() {
        assert_eq!(Origin::of(&Url::parse("file:///etc/passwd").unwrap()), None);
        assert_eq!(Origin::of(&Url::parse("ftp://host/").unwrap()), None);
    }

    #[test]
    fn local_addresses_are_recognised_in_every_spelling() {
        for url in [
            "http://127.1/",
            "http://0x7f000001/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost/",
            "http://a.localhost/",
        ] {
            assert!(origin(url).is_loopback(), "{url}");
        }
        for url in [
            "http://10.0.0.1/",
            "http://169.254.169.254/",
            "http://100.64.0.1/",
            "http://[fd00::1]/",
            "http://0/",
        ] {
            assert!(origin(url).is_local_address(), "{url}");
            assert!(!origin(url).is_loopback(), "{url}");
        }
        for url in ["http://registry.example/", "http://192.0.2.1/", "http://[2001:db8::1]/"] {
            assert!(!origin(url).is_local_address(), "{url}");
        }
    }
}
