//! Kill -9 at random instants of a load with the collector running: every acknowledgement holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use hythe_testbed::durability::{Audit, Ledger, Load, Rules, Tick};
use hythe_testbed::{Control, Options};

use super::{Counts, client, deep, seed, server};
use crate::crash::fsck;

/// Kills of one data folder; then a fresh one, so that an audit of everything stays short.
const KILLS_OF_A_LIFE: u64 = 10;

/// Kills the server this many times; what it was then found to have lost is the error.
fn family(kills: u64, seed: u64) -> Result<Counts, String> {
    let mut counts = Counts::new("kill -9", seed);
    let mut rng = Rng::with_seed(seed);
    for life in 0..kills.div_ceil(KILLS_OF_A_LIFE) {
        one_life(life, kills.min(KILLS_OF_A_LIFE), &mut rng, &mut counts)?;
    }
    Ok(counts)
}

fn one_life(life: u64, kills: u64, rng: &mut Rng, counts: &mut Counts) -> Result<(), String> {
    let mut server = server(Options::default());
    let ledger = Arc::new(Ledger::default());
    let rules = Rules { server_may_die: true, ..Rules::default() };
    let admin = client(&server);
    for kill in 0..kills {
        let round = life * KILLS_OF_A_LIFE + kill;
        let when = format!("after kill {round}");
        let load = Load::start(&admin, &ledger, rules, counts.seed, round);
        let over = Arc::new(AtomicBool::new(false));
        let collector = collector(Control::of(&server.data_folder()), Arc::clone(&over), Duration::ZERO);
        std::thread::sleep(Duration::from_millis(rng.u64(10..300)));
        server.kill();
        over.store(true, Ordering::Relaxed);
        counts.works += load.stop();
        collector.join().expect("the collector's client does not panic");
        counts.blows += 1;
        counts.calm(&ledger.complaints(), &when)?;
        if let Err(said) = fsck(&server.data_folder()) {
            return Err(counts.broken(&when, &format!("fsck: {said}")));
        }
        server.restart();
        let audit = Audit::of(&admin, &ledger.view(Tick::MAX), false);
        counts.hold(&audit, &when)?;
        ledger.learn(audit.found);
    }
    let finished = Audit::finish_uploads(&admin, &ledger.view(Tick::MAX), false);
    counts.hold(&finished, "finishing the uploads that are left")
}

/// Collects without grace, again and again with a pause, until told to stop. It may meet a dead server.
pub(super) fn collector(
    control: Control,
    over: Arc<AtomicBool>,
    pause: Duration,
) -> std::thread::JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut runs = 0;
        while !over.load(Ordering::Relaxed) {
            match control.collect() {
                Ok(_) => runs += 1,
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
            std::thread::sleep(pause);
        }
        runs
    })
}

#[test]
fn nothing_acknowledged_is_lost() {
    let kills = if deep() { 1_000 } else { 100 };
    match family(kills, seed()) {
        Ok(counts) => counts.report("kills"),
        Err(lost) => panic!("{lost}"),
    }
}
