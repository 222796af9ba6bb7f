//! Who may hold how many connections: a total, and a share per address.
//!
//! A [`Seat`] gives its place back when it is dropped, whatever ended the connection.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::limits::ListenLimits;
use crate::shares::{Full, Share, Shares};

/// Counts the open connections of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    shares: Arc<Shares>,
    exempt: Vec<IpNet>,
}

/// One connection's place.
#[derive(Debug)]
pub(crate) struct Seat {
    _share: Share,
}

impl Seats {
    /// Seats under `limits`; addresses in `exempt` (trusted proxies) are bound by the total alone.
    pub(crate) fn new(limits: &ListenLimits, exempt: Vec<IpNet>) -> Self {
        Self { shares: Shares::new(limits.connections, limits.connections_per_address), exempt }
    }

    /// Takes a place for a connection from `address`.
    pub(crate) fn take(&self, address: IpAddr) -> Result<Seat, Full> {
        let address = address.to_canonical();
        let mut share = self.shares.of(address);
        if self.exempt.iter().any(|net| net.contains(&address)) {
            share = share.exempt();
        }
        share.take(1)?;
        Ok(Seat { _share: share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trusted_proxy_is_bound_by_the_total_alone() {
        let limits = ListenLimits { connections: 3, connections_per_address: 1, ..ListenLimits::default() };
        let seats = Seats::new(&limits, vec!["192.0.2.0/24".parse().unwrap()]);
        let (proxy, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([198, 51, 100, 1]));
        let held = (seats.take(proxy).unwrap(), seats.take(proxy).unwrap());
        let first = seats.take(other).unwrap();
        assert_eq!(seats.take(proxy).unwrap_err(), Full::Server);
        drop(first);
        drop(held);
        let _again = seats.take(other).unwrap();
        assert_eq!(seats.take(other).unwrap_err(), Full::Network);
    }
}
