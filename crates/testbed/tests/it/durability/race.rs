//! Collection without grace in a tight loop beside pushes, skipped uploads, mounts and deletes: no image
//! is broken, and no push is refused for collection's sake.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hythe_testbed::durability::{Audit, Ledger, Load, Rules, Tick};
use hythe_testbed::{Control, Options};

use super::kills::collector;
use super::{Counts, client, deep, seed, server};

/// How long one ledger is filled before it is held against the server and a fresh one begun.
const STRETCH: Duration = Duration::from_secs(5);

/// Races for this long; broken images and refused pushes are the error.
fn family(length: Duration, seed: u64) -> Result<Counts, String> {
    let mut counts = Counts::new("collection race", seed);
    let begin = Instant::now();
    let mut round = 0;
    while begin.elapsed() < length {
        let server = server(Options::default());
        let ledger = Arc::new(Ledger::default());
        let admin = client(&server);
        let load = Load::start(&admin, &ledger, Rules::default(), counts.seed, round);
        let over = Arc::new(AtomicBool::new(false));
        let collector = collector(Control::of(&server.data_folder()), Arc::clone(&over), Duration::ZERO);
        std::thread::sleep(STRETCH.min(length));
        counts.works += load.stop();
        over.store(true, Ordering::Relaxed);
        counts.blows += collector.join().expect("the collector's client does not panic");
        let when = format!("in round {round}");
        counts.calm(&ledger.complaints(), &when)?;
        counts.hold(&Audit::of(&admin, &ledger.view(Tick::MAX), false), &when)?;
        round += 1;
    }
    Ok(counts)
}

#[test]
fn no_image_is_broken_and_no_push_refused() {
    let length = if deep() { Duration::from_mins(10) } else { Duration::from_secs(15) };
    match family(length, seed()) {
        Ok(counts) => counts.report("runs of the collector"),
        Err(broken) => panic!("{broken}"),
    }
}
