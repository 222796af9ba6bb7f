//! System calls that fail at random under a load, and a kill now and then: what was acknowledged although the disk
//! failed holds, and whatever the faults left behind does no harm later.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use hythe_testbed::durability::{Audit, Ledger, Load, Rules, Tick};
use hythe_testbed::{Faults, Options};

use super::{Counts, client, deep, seed, server};
use crate::crash::fsck;

/// What fails, in strace's words. The records write by `pwrite64` and sync by `fsync`, which directories do too.
const FAULTS: &[&str] = &[
    "pwritev:error=EIO",
    "pwritev:error=ENOSPC",
    "pwritev:error=EROFS",
    "fdatasync:error=EIO",
    "fsync:error=EIO",
    "pwrite64:error=EIO",
    "pwrite64:error=ENOSPC",
    "rename:error=EIO",
    "rename:error=ENOSPC",
    "openat:error=ENOSPC",
    "mkdir:error=EROFS",
    "unlink:error=EIO",
    "ftruncate:error=EIO",
];

/// Faults of one data folder; the server is killed after each half of them.
const FAULTS_OF_A_LIFE: u64 = 10;

/// Breaks the disk this many times; what was then found lost is the error.
fn family(faults: u64, seed: u64) -> Result<Counts, String> {
    let mut counts = Counts::new("failing disk", seed);
    let mut rng = Rng::with_seed(seed);
    for life in 0..faults.div_ceil(FAULTS_OF_A_LIFE) {
        one_life(life, &mut rng, &mut counts)?;
    }
    Ok(counts)
}

fn one_life(life: u64, rng: &mut Rng, counts: &mut Counts) -> Result<(), String> {
    let mut server = server(Options::default());
    let ledger = Arc::new(Ledger::default());
    let rules = Rules { excused: &[503, 507], uploads_may_start_anew: true, ..Rules::default() };
    let admin = client(&server);
    for half in 0..2 {
        let round = life * 2 + half;
        let load = Load::start(&admin, &ledger, rules, counts.seed, round);
        for _ in 0..FAULTS_OF_A_LIFE / 2 {
            let fault = FAULTS[rng.usize(0..FAULTS.len())];
            // Most strike a few times only, so that work gets far enough to be hurt.
            let when =
                if rng.bool() { format!(":when={}+{}", rng.u8(1..4), rng.u8(2..9)) } else { String::new() };
            let faults = Faults::begin(&server, &[&format!("{fault}{when}")], &[]);
            std::thread::sleep(Duration::from_millis(rng.u64(50..200)));
            counts.blows += faults.end() as u64;
            std::thread::sleep(Duration::from_millis(rng.u64(20..100)));
        }
        counts.works += load.stop();
        let when = format!("after the faults of round {round}");
        counts.calm(&ledger.complaints(), &when)?;
        let audit = Audit::of(&admin, &ledger.view(Tick::MAX), true);
        counts.hold(&audit, &when)?;
        ledger.learn(audit.found);
        server.kill();
        if let Err(said) = fsck(&server.data_folder()) {
            return Err(counts.broken(&when, &format!("fsck: {said}")));
        }
        server.restart();
        let audit = Audit::of(&admin, &ledger.view(Tick::MAX), true);
        counts.hold(&audit, &format!("{when} and a kill"))?;
        ledger.learn(audit.found);
    }
    let finished = Audit::finish_uploads(&admin, &ledger.view(Tick::MAX), true);
    counts.hold(&finished, "finishing the uploads that are left")
}

#[test]
fn nothing_acknowledged_is_lost() {
    if !Faults::available() {
        return;
    }
    let faults = if deep() { 500 } else { 30 };
    match family(faults, seed()) {
        Ok(counts) => counts.report("failed calls"),
        Err(lost) => panic!("{lost}"),
    }
}
