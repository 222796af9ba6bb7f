//! What all clients together may hold of something, and what one network may hold of it: connections, waiting
//! requests, bytes in memory.
//!
//! A [`Share`] gives back what it holds when it is dropped, however its request or connection ended.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts what is held.
#[derive(Debug)]
pub(crate) struct Shares {
    total: usize,
    per_network: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// What one holder has.
#[derive(Debug)]
pub(crate) struct Share {
    shares: Arc<Shares>,
    network: IpAddr,
    most: usize,
    held: usize,
}

/// Why there is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// All there is, is held.
    Server,
    /// This network holds all it may.
    Network,
}

impl Shares {
    /// So much in all, and so much for one network.
    pub(crate) fn new(total: usize, per_network: usize) -> Arc<Self> {
        Arc::new(Self { total, per_network, taken: Mutex::default() })
    }

    /// A holder at `address` that has nothing yet.
    pub(crate) fn of(self: &Arc<Self>, address: IpAddr) -> Share {
        let network = neighbourhood(address.to_canonical());
        Share { shares: Arc::clone(self), network, most: self.per_network, held: 0 }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Taken> {
        // A panic elsewhere leaves the counts right: each change is one step.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// Bound by the total alone from now on: many clients come from this address.
    pub(crate) fn exempt(mut self) -> Self {
        self.most = usize::MAX;
        self
    }

    /// Takes more; all of it or nothing.
    pub(crate) fn take(&mut self, more: usize) -> Result<(), Full> {
        if more == 0 {
            return Ok(());
        }
        let mut taken = self.shares.lock();
        let total = taken.total.saturating_add(more);
        if total > self.shares.total {
            return Err(Full::Server);
        }
        let ours = taken.by_network.get(&self.network).copied().unwrap_or(0).saturating_add(more);
        if ours > self.most {
            return Err(Full::Network);
        }
        taken.total = total;
        taken.by_network.insert(self.network, ours);
        drop(taken);
        self.held += more;
        Ok(())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.lock();
        taken.total -= self.held;
        if let Some(ours) = taken.by_network.get_mut(&self.network) {
            *ours -= self.held;
            // Only networks that hold something are remembered.
            if *ours == 0 {
                taken.by_network.remove(&self.network);
            }
        }
    }
}

/// An IPv6 host owns its whole /64, so the share is counted per /64.
fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn taken(shares: &Arc<Shares>, address: &str, count: usize) -> Result<Share, Full> {
        let mut share = shares.of(ip(address));
        share.take(count).map(|()| share)
    }

    #[test]
    fn what_is_dropped_is_free_again() {
        let shares = Shares::new(10, 5);
        let mut first = taken(&shares, "192.0.2.1", 3).unwrap();
        first.take(2).unwrap();
        assert_eq!(first.take(1), Err(Full::Network));
        assert!(taken(&shares, "192.0.2.2", 5).is_ok());
        drop(first);
        assert!(taken(&shares, "192.0.2.1", 5).is_ok());
        assert!(shares.lock().by_network.is_empty(), "no count is left behind");
    }

    #[test]
    fn the_total_binds_everybody() {
        let shares = Shares::new(2, 1);
        let mut exempt = shares.of(ip("192.0.2.1")).exempt();
        exempt.take(2).unwrap();
        assert_eq!(exempt.take(1), Err(Full::Server));
        assert_eq!(taken(&shares, "192.0.2.2", 1).unwrap_err(), Full::Server);
    }

    #[test]
    fn one_ipv6_network_is_one_holder() {
        let shares = Shares::new(10, 1);
        let _held = taken(&shares, "2001:db8::1", 1).unwrap();
        assert_eq!(taken(&shares, "2001:db8::2", 1).unwrap_err(), Full::Network);
        assert!(taken(&shares, "2001:db8:0:1::1", 1).is_ok());
    }

    #[test]
    fn a_mapped_ipv4_address_counts_as_ipv4() {
        let shares = Shares::new(10, 1);
        let _held = taken(&shares, "::ffff:192.0.2.1", 1).unwrap();
        assert_eq!(taken(&shares, "192.0.2.1", 1).unwrap_err(), Full::Network);
    }
}
