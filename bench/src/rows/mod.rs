//! The workloads, a family a file.

pub(crate) mod client;
pub(crate) mod large;
pub(crate) mod lists;
pub(crate) mod manifests;
pub(crate) mod memory;
pub(crate) mod pull;
pub(crate) mod push;
pub(crate) mod small;
pub(crate) mod start;

use crate::http::{Connection, Target};
use crate::load::{self, Amount, Outcome, Round};
use crate::servers::Server;

/// One side of a comparison.
pub(crate) struct Side<'a> {
    pub(crate) server: &'a Server,
    /// With the credentials this side uses.
    pub(crate) target: Target,
    pub(crate) label: String,
    /// What differs from other sides: sign-in, TLS, syncs.
    pub(crate) conditions: String,
}

impl<'a> Side<'a> {
    pub(crate) fn new(server: &'a Server, target: Target, label: &str, conditions: &str) -> Self {
        Self { server, target, label: label.to_owned(), conditions: conditions.to_owned() }
    }
}

/// Runs the same load on every side, side after side, as many times as asked, after one unmeasured round.
pub(crate) fn interleaved(
    rounds: usize,
    sides: &[Side<'_>],
    amount: Amount,
    request: impl Fn(usize, &mut Connection, usize, usize) -> Outcome + Sync,
) -> Vec<Vec<Round>> {
    let mut measured: Vec<Vec<Round>> = sides.iter().map(|_| Vec::new()).collect();
    for round in 0..=rounds {
        // Each round begins with another side: whoever comes behind a heavy one finds its caches cold.
        for index in (0..sides.len()).map(|turn| (round + turn) % sides.len()) {
            let side = &sides[index];
            let one = load::run(&side.server.process, &side.target, amount, |connection, client, number| {
                request(index, connection, client, round * 1_000_000 + number)
            });
            if round > 0 {
                measured[index].push(one);
            }
        }
    }
    measured
}
