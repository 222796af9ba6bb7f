//! What is known of a request before any handler runs: its id, who sent it, and how the client names us.
//!
//! Headers of a proxy count only when the connection comes from a trusted proxy; from anybody else
//! `X-Forwarded-…` and `X-Request-Id` are as good as not sent.

use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Version, header, request};
use ipnet::IpNet;

use crate::external_url::ExternalUrl;

/// The other end of a connection; the accept loop puts it into every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The address the connection came from.
    pub address: IpAddr,
    /// Whether the connection itself is TLS.
    pub secure: bool,
    /// The address it came to; `None` for a unix socket.
    pub local: Option<SocketAddr>,
}

impl Peer {
    /// A process on this machine: the far end of a unix socket, and the caller of an in-process request.
    pub const LOCAL: Self = Self { address: IpAddr::V4(Ipv4Addr::LOCALHOST), secure: false, local: None };
}

/// The id of a request, in its answer (`X-Request-Id`), its log line and its error bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id as text: 1 to 64 of `[A-Za-z0-9._-]`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes up an id given by a trusted proxy, if it is a sane one.
    fn adopt(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let sane = (1..=64).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        sane.then(|| Self(text.into()))
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who is asking, by address: the peer, or whoever a trusted proxy speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The scheme and host under which the client reached us, for absolute addresses in answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    base: Arc<str>,
    scheme_length: usize,
}

impl Origin {
    pub(crate) fn new(secure: bool, authority: &str) -> Self {
        let scheme = if secure { "https" } else { "http" };
        Self { base: format!("{scheme}://{authority}").into(), scheme_length: scheme.len() }
    }

    /// `https://host:port`, without a slash at the end; the port is left out where the client left it out.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// `host:port`, as the client named it.
    pub fn host(&self) -> &str {
        self.base.get(self.scheme_length + "://".len()..).unwrap_or_default()
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &str {
        self.base.get(..self.scheme_length).unwrap_or_default()
    }
}

/// Hands out request ids that are unique across restarts: a random half and a counter.
#[derive(Debug)]
pub(crate) struct RequestIds {
    instance: u64,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        // The standard library's hash keys are random per process, which is all an id needs.
        let instance = std::hash::RandomState::new().build_hasher().finish();
        Self { instance, next: AtomicU64::new(1) }
    }

    fn make(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId(format!("{:016x}{count:08x}", self.instance).into())
    }
}

/// Everything this module finds out about one request.
#[derive(Clone, Debug)]
pub(crate) struct RequestContext {
    pub(crate) id: RequestId,
    pub(crate) client: ClientAddress,
    pub(crate) origin: Origin,
}

/// The request has no usable `Host`; RFC 9112 (3.2) wants it refused with 400.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BadHost;

/// How to read requests: fixed for the life of the server.
#[derive(Debug)]
pub(crate) struct RequestReader {
    pub(crate) ids: RequestIds,
    pub(crate) external: Option<ExternalUrl>,
    pub(crate) trusted_proxies: Vec<IpNet>,
}

impl RequestReader {
    /// Reads the context of a request; with a bad host the id and client are known all the same.
    pub(crate) fn read(&self, head: &request::Parts) -> (RequestContext, Result<(), BadHost>) {
        let peer = head.extensions.get::<Peer>().copied().unwrap_or(Peer::LOCAL);
        let trusted = self.is_trusted(peer.address);
        let id = trusted
            .then(|| head.headers.get("x-request-id").and_then(RequestId::adopt))
            .flatten()
            .unwrap_or_else(|| self.ids.make());
        let client = if trusted { self.forwarded_for(&head.headers, peer.address) } else { peer.address };
        let (origin, host) = match self.origin(head, peer, trusted) {
            Ok(origin) => (origin, Ok(())),
            Err(bad) => (Origin::new(peer.secure, "localhost"), Err(bad)),
        };
        (RequestContext { id, client: ClientAddress(client.to_canonical()), origin }, host)
    }

    fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    /// The right-most address that is not one of our proxies: what stands left of it may be invented.
    fn forwarded_for(&self, headers: &HeaderMap, peer: IpAddr) -> IpAddr {
        let lines: Vec<&str> =
            headers.get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok()).collect();
        let mut client = peer;
        for hop in lines.iter().flat_map(|line| line.split(',')).rev() {
            let Some(address) = hop_address(hop.trim()) else { break };
            client = address;
            if !self.is_trusted(address) {
                break;
            }
        }
        client
    }

    fn origin(&self, head: &request::Parts, peer: Peer, trusted: bool) -> Result<Origin, BadHost> {
        if let Some(external) = &self.external {
            return Ok(external.origin().clone());
        }
        let forwarded = |name: &str| {
            let value = head.headers.get(name).filter(|_| trusted)?.to_str().ok()?;
            // A chain of proxies appends; the first value is what the client used.
            value.split(',').next().map(str::trim)
        };
        let secure = match forwarded("x-forwarded-proto") {
            Some(scheme) if scheme.eq_ignore_ascii_case("https") => true,
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => false,
            _ => peer.secure,
        };
        if let Some(host) = forwarded("x-forwarded-host").and_then(plain_authority) {
            return Ok(Origin::new(secure, host.as_str()));
        }
        let named = head.uri.authority().cloned().map(Ok).or_else(|| {
            let host = head.headers.get(header::HOST)?;
            Some(host.to_str().ok().and_then(plain_authority).ok_or(BadHost))
        });
        match (named, peer.local) {
            (Some(host), _) => Ok(Origin::new(secure, host?.as_str())),
            // HTTP/1.0 needs no Host; name ourselves by the address the client used.
            (None, Some(local)) if head.version == Version::HTTP_10 => {
                Ok(Origin::new(secure, &local.to_string()))
            }
            (None, None) => Ok(Origin::new(secure, "localhost")),
            (None, Some(_)) => Err(BadHost),
        }
    }
}

/// A host with an optional port, and nothing else: no user part, not empty.
fn plain_authority(text: &str) -> Option<Authority> {
    let authority: Authority = text.parse().ok()?;
    (!authority.host().is_empty() && !text.contains('@')).then_some(authority)
}

/// An entry of `X-Forwarded-For`: an address, some proxies add the port.
fn hop_address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn reader(external: Option<&str>) -> RequestReader {
        RequestReader {
            ids: RequestIds::new(),
            external: external.map(|url| url.parse().unwrap()),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        }
    }

    fn read(
        reader: &RequestReader,
        peer: &str,
        headers: &[(&str, &str)],
    ) -> (RequestContext, Result<(), BadHost>) {
        let mut request = Request::builder().uri("/v2/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (mut head, ()) = request.body(()).unwrap().into_parts();
        let local = Some("192.0.2.9:5000".parse().unwrap());
        head.extensions.insert(Peer { address: peer.parse().unwrap(), secure: false, local });
        reader.read(&head)
    }

    fn base(reader: &RequestReader, peer: &str, headers: &[(&str, &str)]) -> String {
        let (context, host) = read(reader, peer, headers);
        host.unwrap();
        context.origin.base().to_owned()
    }

    #[test]
    fn the_host_header_names_us() {
        assert_eq!(
            base(&reader(None), "192.0.2.1", &[("host", "reg.example:5000")]),
            "http://reg.example:5000"
        );
    }

    #[test]
    fn the_configured_url_wins() {
        let reader = reader(Some("https://reg.example/"));
        let headers = [("host", "evil.example"), ("x-forwarded-host", "worse.example")];
        assert_eq!(base(&reader, "10.1.1.1", &headers), "https://reg.example");
    }

    #[test]
    fn a_trusted_proxy_names_scheme_and_host() {
        let headers =
            [("host", "backend:5000"), ("x-forwarded-proto", "https"), ("x-forwarded-host", "reg.example")];
        assert_eq!(base(&reader(None), "10.1.1.1", &headers), "https://reg.example");
        assert_eq!(
            base(&reader(None), "192.0.2.1", &headers),
            "http://backend:5000",
            "a stranger is not believed"
        );
    }

    #[test]
    fn nonsense_from_a_trusted_proxy_is_passed_over() {
        let headers =
            [("host", "reg.example"), ("x-forwarded-proto", "gopher"), ("x-forwarded-host", "a@b/c")];
        assert_eq!(base(&reader(None), "10.1.1.1", &headers), "http://reg.example");
    }

    #[test]
    fn a_missing_or_broken_host_is_refused() {
        assert_eq!(read(&reader(None), "192.0.2.1", &[]).1, Err(BadHost));
        assert_eq!(read(&reader(None), "192.0.2.1", &[("host", "user@reg.example")]).1, Err(BadHost));
        assert_eq!(read(&reader(None), "192.0.2.1", &[("host", "a b")]).1, Err(BadHost));
    }

    #[test]
    fn http_1_0_may_leave_the_host_out() {
        let (mut head, ()) =
            Request::builder().version(Version::HTTP_10).uri("/v2/").body(()).unwrap().into_parts();
        let local = Some("192.0.2.9:5000".parse().unwrap());
        head.extensions.insert(Peer { local, ..Peer::LOCAL });
        assert_eq!(reader(None).read(&head).0.origin.base(), "http://192.0.2.9:5000");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let forwarded = [("host", "h"), ("x-forwarded-for", "6.6.6.6, 198.51.100.7, 10.2.2.2")];
        let client = |peer| read(&reader(None), peer, &forwarded).0.client.0.to_string();
        assert_eq!(client("10.1.1.1"), "198.51.100.7");
        assert_eq!(client("192.0.2.1"), "192.0.2.1", "a stranger's header is not believed");
    }

    #[test]
    fn hops_may_carry_ports_and_several_lines() {
        let headers =
            [("host", "h"), ("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "[2001:db8::1]:99")];
        assert_eq!(read(&reader(None), "10.1.1.1", &headers).0.client.0.to_string(), "2001:db8::1");
    }

    #[test]
    fn an_unreadable_hop_ends_the_search() {
        let headers = [("host", "h"), ("x-forwarded-for", "6.6.6.6, unknown, 10.3.3.3")];
        assert_eq!(read(&reader(None), "10.1.1.1", &headers).0.client.0.to_string(), "10.3.3.3");
    }

    #[test]
    fn only_a_sane_id_of_a_trusted_proxy_is_taken_up() {
        let reader = reader(None);
        let id = |peer, given| read(&reader, peer, &[("host", "h"), ("x-request-id", given)]).0.id;
        assert_eq!(id("10.1.1.1", "abc-123").as_str(), "abc-123");
        for (peer, given) in [("192.0.2.1", "abc-123"), ("10.1.1.1", "a b"), ("10.1.1.1", &"x".repeat(65))] {
            assert_ne!(id(peer, given).as_str(), given);
        }
    }

    #[test]
    fn made_ids_differ() {
        let reader = reader(None);
        let make = || read(&reader, "192.0.2.1", &[("host", "h")]).0.id;
        assert_ne!(make(), make());
    }
}
