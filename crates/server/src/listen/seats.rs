//! Who may hold how many connections: a total, and a share per address.
//!
//! A [`Seat`] gives its place back when it is dropped, whatever ended the connection.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;

use crate::limits::ListenLimits;

/// Counts the open connections of one listener.
#[derive(Debug)]
pub(crate) struct Seats {
    total: usize,
    per_address: usize,
    exempt: Vec<IpNet>,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    address: IpAddr,
}

/// Why a connection got no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// The listener holds all the connections it may.
    Server,
    /// This address holds all the connections it may.
    Address,
}

impl Seats {
    /// Seats under `limits`; addresses in `exempt` (trusted proxies) are bound by the total alone.
    pub(crate) fn new(limits: &ListenLimits, exempt: Vec<IpNet>) -> Arc<Self> {
        Arc::new(Self {
            total: limits.connections,
            per_address: limits.connections_per_address,
            exempt,
            taken: Mutex::default(),
        })
    }

    /// Takes a place for a connection from `address`.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr) -> Result<Seat, Full> {
        let address = address.to_canonical();
        let exempt = self.exempt.iter().any(|net| net.contains(&address));
        let address = neighbourhood(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.total >= self.total {
            return Err(Full::Server);
        }
        let held = taken.by_address.entry(address).or_insert(0);
        if *held >= self.per_address && !exempt {
            return Err(Full::Address);
        }
        *held += 1;
        taken.total += 1;
        Ok(Seat { seats: Arc::clone(self), address })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(held) = taken.by_address.get_mut(&self.address) {
            *held -= 1;
            if *held == 0 {
                taken.by_address.remove(&self.address);
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

    fn seats(total: usize, per_address: usize, exempt: &[&str]) -> Arc<Seats> {
        let limits = ListenLimits {
            connections: total,
            connections_per_address: per_address,
            ..ListenLimits::default()
        };
        Seats::new(&limits, exempt.iter().map(|net| net.parse().unwrap()).collect())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_dropped_seat_is_free_again() {
        let seats = seats(10, 1, &[]);
        let first = seats.take(ip("192.0.2.1")).unwrap();
        assert_eq!(seats.take(ip("192.0.2.1")).unwrap_err(), Full::Address);
        assert!(seats.take(ip("192.0.2.2")).is_ok());
        drop(first);
        assert!(seats.take(ip("192.0.2.1")).is_ok());
        assert!(seats.taken.lock().unwrap().by_address.is_empty(), "no count is left behind");
    }

    #[test]
    fn the_total_binds_everybody() {
        let seats = seats(2, 1, &["192.0.2.0/24"]);
        let _held = (seats.take(ip("192.0.2.1")).unwrap(), seats.take(ip("192.0.2.1")).unwrap());
        assert_eq!(seats.take(ip("192.0.2.1")).unwrap_err(), Full::Server);
    }

    #[test]
    fn one_ipv6_network_shares_its_seats() {
        let seats = seats(10, 1, &[]);
        let _held = seats.take(ip("2001:db8::1")).unwrap();
        assert_eq!(seats.take(ip("2001:db8::2")).unwrap_err(), Full::Address);
        assert!(seats.take(ip("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn a_mapped_ipv4_address_counts_as_ipv4() {
        let seats = seats(10, 1, &[]);
        let _held = seats.take(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(seats.take(ip("192.0.2.1")).unwrap_err(), Full::Address);
    }
}
