//! Load on one server: so many clients, so many requests each, and what it cost the server.

use std::collections::BTreeMap;
use std::io;
use std::sync::Mutex;
use std::time::Instant;

use crate::http::{Connection, Target};
use crate::process::Process;

/// What one round of load cost and brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Round {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Seconds on the wall.
    pub(crate) wall: f64,
    /// Seconds of the server's CPU.
    pub(crate) cpu: f64,
    /// The server's peak and its rest before, MiB resident.
    pub(crate) peak: f64,
    pub(crate) before: f64,
    /// Milliseconds of each request, ascending.
    pub(crate) latencies: Vec<f64>,
}

impl Round {
    pub(crate) fn cpu_per_gib(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a bench moves less than 2^53 bytes")]
        let gib = self.bytes as f64 / f64::from(1_u32 << 30);
        self.cpu / gib
    }

    /// Microseconds of CPU per request.
    pub(crate) fn cpu_per_request(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a bench makes less than 2^53 requests")]
        let requests = self.requests as f64;
        self.cpu * 1e6 / requests
    }

    pub(crate) fn rate(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a bench makes less than 2^53 requests")]
        let requests = self.requests as f64;
        requests / self.wall
    }

    pub(crate) fn p99(&self) -> f64 {
        self.latencies.get(self.latencies.len().saturating_sub(1) * 99 / 100).copied().unwrap_or(f64::NAN)
    }
}

/// How much load.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount {
    pub(crate) clients: usize,
    pub(crate) each: usize,
}

/// What one request brought: its last status and the bytes of payload it moved.
pub(crate) type Outcome = io::Result<(u16, u64)>;

/// Runs `request(connection, client, number)` on a connection per client and measures the server meanwhile.
pub(crate) fn run(
    process: &Process,
    target: &Target,
    amount: Amount,
    request: impl Fn(&mut Connection, usize, usize) -> Outcome + Sync,
) -> Round {
    process.forget_peak();
    let before = process.resident();
    let cpu = process.cpu();
    let begin = Instant::now();
    let mut round = drive(target, amount, request);
    round.wall = begin.elapsed().as_secs_f64();
    round.cpu = process.cpu() - cpu;
    round.peak = process.peak();
    round.before = before;
    round
}

/// The same without a server to measure.
pub(crate) fn drive(
    target: &Target,
    amount: Amount,
    request: impl Fn(&mut Connection, usize, usize) -> Outcome + Sync,
) -> Round {
    let all = Mutex::new(Round::default());
    std::thread::scope(|scope| {
        for client in 0..amount.clients {
            let (all, request) = (&all, &request);
            scope.spawn(move || {
                let mut own = Round::default();
                let mut connection = Connection::open(target).expect("the server takes connections");
                for number in 0..amount.each {
                    let begin = Instant::now();
                    let (status, bytes) = request(&mut connection, client, number)
                        .unwrap_or_else(|error| panic!("request {number} of client {client}: {error}"));
                    // A refusal is cheap: it must not pass for speed.
                    assert!((200..300).contains(&status), "request {number} of client {client}: {status}");
                    own.latencies.push(begin.elapsed().as_secs_f64() * 1e3);
                    own.requests += 1;
                    own.bytes += bytes;
                    *own.statuses.entry(status).or_default() += 1;
                }
                let mut all = all.lock().expect("no client panicked while it added up");
                all.requests += own.requests;
                all.bytes += own.bytes;
                all.latencies.append(&mut own.latencies);
                for (status, count) in own.statuses {
                    *all.statuses.entry(status).or_default() += count;
                }
            });
        }
    });
    let mut round = all.into_inner().expect("all clients have ended");
    round.latencies.sort_by(f64::total_cmp);
    round
}

/// The middle one of several figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
