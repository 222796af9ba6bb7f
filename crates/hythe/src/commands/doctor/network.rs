//! The way to a host: its name, and whether somebody listens.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::finding::{Check, Finding, Report};

/// How long a name may take.
const NAME_TIME: Duration = Duration::from_secs(8);

/// How long a connection may take to be made.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// The most addresses of a name that are tried.
const MOST_ADDRESSES: usize = 16;

/// Who is connected to first: the server, or a proxy before it.
#[derive(Clone, Debug)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
    /// As in `the proxy proxy.example:3128`.
    pub(super) shown: String,
}

/// The addresses of a host; none when that failed, which is told.
pub(super) async fn name(host: &Host, report: &Report) -> Vec<SocketAddr> {
    let (check, shown) = (Check::Name, &host.shown);
    let fix = "check the spelling, the network, and the name servers in /etc/resolv.conf";
    let (finding, addresses) = match timeout(NAME_TIME, tokio::net::lookup_host((&*host.name, host.port)))
        .await
    {
        Err(_) => {
            let message =
                format!("No name server answered for {shown} within {} seconds", NAME_TIME.as_secs());
            (Finding::failed(check, message, fix), Vec::new())
        }
        Ok(Err(error)) => {
            let reason = error.to_string();
            let reason = reason.rsplit(": ").next().unwrap_or_default();
            (Finding::failed(check, format!("There is no address for {shown}: {reason}"), fix), Vec::new())
        }
        Ok(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = found.take(MOST_ADDRESSES).collect();
            addresses.dedup();
            (resolved(host, &addresses), addresses)
        }
    };
    report.tell(finding);
    addresses
}

fn resolved(host: &Host, addresses: &[SocketAddr]) -> Finding {
    let (check, shown) = (Check::Name, &host.shown);
    match addresses {
        [] => Finding::failed(check, format!("There is no address for {shown}"), "check the spelling"),
        [one] if one.ip().to_string() == host.name.trim_matches(['[', ']']) => {
            Finding::ok(check, format!("{shown} is an address; no name is looked up"))
        }
        _ => {
            let of = |v6: bool| {
                let chosen = addresses.iter().filter(|address| address.is_ipv6() == v6);
                chosen.map(|address| address.ip().to_string()).collect::<Vec<_>>().join(", ")
            };
            let kinds = [("IPv4", of(false)), ("IPv6", of(true))];
            let told = kinds.iter().filter(|(_, list)| !list.is_empty());
            let told: Vec<_> = told.map(|(kind, list)| format!("{list} ({kind})")).collect();
            Finding::ok(check, format!("{shown} is {}", told.join(" and ")))
        }
    }
}

/// Whether somebody listens at one of the addresses at least.
pub(super) async fn connection(host: &Host, addresses: &[SocketAddr], report: &Report) -> bool {
    let tried =
        join_all(addresses.iter().map(|address| async move { (address, connect(*address).await) })).await;
    let dead: Vec<_> =
        tried.iter().filter_map(|(address, outcome)| Some((*address, outcome.as_ref().err()?))).collect();
    let (check, shown) = (Check::Connection, &host.shown);
    let reached = dead.len() < tried.len();
    let finding = match dead.first() {
        None => Finding::ok(check, format!("{shown} takes connections at port {}", host.port)),
        Some((address, error)) if reached => Finding::warning(
            check,
            format!("{shown} takes connections, but not at {}: {}", address.ip(), reason(error)),
            "have the address removed from the name, or the network set right: clients try it and wait",
        ),
        Some((address, error)) => {
            let message = format!("{shown} takes no connection at {address}: {}", reason(error));
            Finding::failed(check, message, way_out(error))
        }
    };
    report.tell(finding);
    reached
}

async fn connect(address: SocketAddr) -> io::Result<()> {
    match timeout(CONNECT_TIME, TcpStream::connect(address)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        io::ErrorKind::TimedOut => format!("no answer within {} seconds", CONNECT_TIME.as_secs()),
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
            "there is no way to this address".to_owned()
        }
        _ => error.to_string(),
    }
}

fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "check that the server runs, and the port",
        io::ErrorKind::TimedOut => {
            "a firewall may drop the packets: ask who runs the network, or set HTTPS_PROXY if there is a proxy"
        }
        _ => "check the network of this machine",
    }
}
