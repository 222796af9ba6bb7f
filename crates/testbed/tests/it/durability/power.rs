//! Power cuts under load, on a disk that loses, reorders and tears what was not flushed: every
//! acknowledgement holds, on ext4 and on XFS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use hythe_testbed::durability::{Audit, Cut, Disk, FileSystem, Ledger, Load, Rules, View, after_a_reboot};
use hythe_testbed::run_folder::{self, Source};
use hythe_testbed::{Actor, Control, Hythe, Options};

use super::kills::collector;
use super::{Counts, deep, seed, server, token};
use crate::crash::fsck;

/// Cuts of one load; then a fresh disk, so that an audit of everything stays short.
const CUTS_OF_A_LIFE: u64 = 10;

/// Cuts the power this many times; what was then found to be lost is the error.
fn family(system: FileSystem, cuts: u64, seed: u64) -> Result<(Counts, usize), String> {
    let mut counts = Counts::new(&format!("power cuts on {}", system.name()), seed);
    let mut rng = Rng::with_seed(seed);
    let mut lost = 0;
    while counts.blows < cuts {
        let cuts = CUTS_OF_A_LIFE.min(cuts - counts.blows);
        lost += one_life(system, cuts, &mut rng, &mut counts)?;
    }
    Ok((counts, lost))
}

/// One load, the cuts taken beside it, and then an audit of what each of them left. Answers how many unflushed
/// blocks they took with them.
fn one_life(system: FileSystem, cuts: u64, rng: &mut Rng, counts: &mut Counts) -> Result<usize, String> {
    let disk = Disk::fresh(system);
    let data = Some(disk.path().join("data"));
    let server = server(Options { data, ..Options::default() });
    let token = token(&server);
    let ledger = Arc::new(Ledger::default());
    let admin = Actor::bearer(server.addr(), &token);
    let load = Load::start(&admin, &ledger, Rules::default(), counts.seed, counts.blows);
    let over = Arc::new(AtomicBool::new(false));
    let collector = collector(Control::of(&server.data_folder()), Arc::clone(&over), Duration::ZERO);
    let mut taken = Vec::new();
    for _ in 0..cuts {
        std::thread::sleep(Duration::from_millis(rng.u64(20..400)));
        // What is answered by the tick of this moment must be on the disk.
        taken.push(disk.cut(rng, || ledger.now()));
    }
    counts.works += load.stop();
    over.store(true, Ordering::Relaxed);
    collector.join().expect("the collector's client does not panic");
    drop(server);
    drop(disk);
    counts.calm(&ledger.complaints(), "beside the cuts")?;
    let mut lost = 0;
    for (tick, cut) in taken {
        lost += cut.lost();
        let when = format!("after cut {}", counts.blows);
        counts.blows += 1;
        match found(&cut, &ledger.view(tick), &token) {
            Ok(audit) => counts.hold(&audit, &when)?,
            Err(what) => return Err(counts.broken(&when, &what)),
        }
    }
    Ok(lost)
}

/// What a server finds on the disk when the power is back.
fn found(cut: &Cut, view: &View, token: &str) -> Result<Audit, String> {
    let disk = Disk::mount(cut)?;
    let data = disk.path().join("data");
    fsck(&data).map_err(|said| format!("fsck: {said}"))?;
    let options = Options { data: Some(data), through: after_a_reboot(), ..Options::default() };
    let server = Hythe::try_start(options)?;
    let admin = Actor::bearer(server.addr(), token);
    let mut audit = Audit::of(&admin, view, true);
    audit.add(&Audit::finish_uploads(&admin, view, true));
    drop(server);
    Ok(audit)
}

/// Whether this machine can have such disks; if not, that is told.
fn possible(system: FileSystem) -> bool {
    let missing = system.missing();
    if let Some(why) = &missing {
        let name = format!("durability::power on {}", system.name());
        run_folder::not_run(&name, Source::Machine, why);
    }
    missing.is_none()
}

fn nothing_is_lost_on(system: FileSystem) {
    if !possible(system) {
        return;
    }
    let cuts = if deep() { 120 } else { 4 };
    match family(system, cuts, seed()) {
        Ok((counts, lost)) => {
            counts.report(&format!("cuts, which took {lost} unflushed blocks with them"));
        }
        Err(lost) => panic!("{lost}"),
    }
}

#[test]
fn nothing_acknowledged_is_lost_on_ext4() {
    nothing_is_lost_on(FileSystem::Ext4);
}

#[test]
fn nothing_acknowledged_is_lost_on_xfs() {
    nothing_is_lost_on(FileSystem::Xfs);
}
