//! A share of the queue for each network: whoever floods one name after another from one place waits for
//! themselves, and everybody else still gets their password checked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::password::HashError;
use crate::throttle::prefix;

type Held = Arc<Mutex<HashMap<[u8; 8], usize>>>;

/// How many password computations each network has under way or waiting.
pub(crate) struct Shares {
    held: Held,
    most: usize,
}

/// One place of a network's share, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    held: Held,
    network: [u8; 8],
}

impl Shares {
    /// At most `most` places for each network.
    pub(crate) fn new(most: usize) -> Self {
        Self { held: Held::default(), most: most.max(1) }
    }

    /// Takes a place for the network of an address; [`HashError::Busy`] if it holds its share already.
    pub(crate) fn take(&self, from: IpAddr) -> Result<Share, HashError> {
        let network = prefix(from);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let count = held.entry(network).or_insert(0);
        if *count >= self.most {
            return Err(HashError::Busy);
        }
        *count += 1;
        drop(held);
        Ok(Share { held: Arc::clone(&self.held), network })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = held.get_mut(&self.network) {
            *count -= 1;
            // Only networks that hold a place are remembered.
            if *count == 0 {
                held.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_no_more() {
        let shares = Shares::new(2);
        let (here, there) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let first = shares.take(here).unwrap();
        let second = shares.take(here).unwrap();
        assert!(matches!(shares.take(here), Err(HashError::Busy)));
        let elsewhere = shares.take(there).unwrap();
        drop(first);
        let again = shares.take(here).unwrap();
        drop((second, elsewhere, again));
        assert!(shares.held.lock().unwrap().is_empty());
    }
}
