//! Backups beside a load and the collector, and kill -9 in the middle of them: a restored registry holds what was
//! acknowledged before its backup began, passes fsck while it is worked on, and an interrupted backup costs nothing.

use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use hythe_testbed::durability::{Audit, Ledger, Load, Rules, Tick};
use hythe_testbed::{Actor, Control, Hythe, Options, run_folder};

use super::kills::collector;
use super::{Counts, client, deep, seed, server, token};
use crate::backup::{backing_up, ran, restoring};
use crate::crash::fsck;

/// A backup that came to its end: the moment it is of, and the tick of the ledger when it began.
struct Made {
    moment: String,
    began: Tick,
}

fn moment(output: &Output) -> Result<String, String> {
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("it speaks JSON");
    Ok(report["made"].as_str().expect("a report says when").to_owned())
}

/// Rounds on one data folder; then a fresh one, so that an audit of everything stays short.
const ROUNDS_OF_A_LIFE: u64 = 4;

/// The collector's rest, in which a backup begins.
const REST: Duration = Duration::from_millis(100);

/// Backups and kills in turns; what a restored registry lacks is the error.
fn family(rounds: u64, seed: u64) -> Result<Counts, String> {
    let mut counts = Counts::new("backups", seed);
    let mut rng = Rng::with_seed(seed);
    for life in 0..rounds.div_ceil(ROUNDS_OF_A_LIFE) {
        one_life(life, &mut rng, &mut counts)?;
    }
    Ok(counts)
}

fn one_life(life: u64, rng: &mut Rng, counts: &mut Counts) -> Result<(), String> {
    let mut server = server(Options::default());
    let (admin, token) = (client(&server), token(&server));
    let data = server.data_folder();
    let to = run_folder::fresh("backup");
    let copy: &[&str] = if rng.bool() { &["--copy"] } else { &[] };
    let ledger = Arc::new(Ledger::default());
    for round in life * ROUNDS_OF_A_LIFE..(life + 1) * ROUNDS_OF_A_LIFE {
        let when = format!("backup {round}");
        let rules = Rules { server_may_die: true, ..Rules::default() };
        let load = Load::start(&admin, &ledger, rules, counts.seed, round);
        let over = Arc::new(AtomicBool::new(false));
        let collector = collector(Control::of(&data), Arc::clone(&over), REST);
        std::thread::sleep(Duration::from_millis(rng.u64(50..300)));
        let began = ledger.now();
        let moment =
            moment(&ran(backing_up(&data, &to, copy))).map_err(|said| counts.broken(&when, &said))?;
        let made = Made { moment, began };
        let began = ledger.now();
        let second = std::thread::spawn({
            let command = backing_up(&data, &to, copy);
            move || ran(command)
        });
        std::thread::sleep(Duration::from_millis(rng.u64(0..60)));
        server.kill();
        over.store(true, Ordering::Relaxed);
        counts.works += load.stop();
        collector.join().expect("the collector's client does not panic");
        // Whether it came to its end or was cut short, there is a backup.
        second.join().expect("the command ends");
        counts.calm(&ledger.complaints(), &when)?;
        counts.blows += 1;
        restored(&to, &made, began, &ledger, &token, counts).map_err(|what| counts.broken(&when, &what))?;
        server.restart();
        let audit = Audit::of(&admin, &ledger.view(Tick::MAX), false);
        counts.hold(&audit, &when)?;
        ledger.learn(audit.found);
    }
    Ok(())
}

/// Restores the folder and holds a server on it to what had been acknowledged when its backup began.
fn restored(
    from: &Path,
    whole: &Made,
    second_began: Tick,
    ledger: &Ledger,
    token: &str,
    counts: &mut Counts,
) -> Result<(), String> {
    let data = run_folder::fresh("restored").join("data");
    let moment = moment(&ran(restoring(from, &data)))?;
    let began = if moment == whole.moment { whole.began } else { second_began };
    let server = Hythe::try_start(Options { data: Some(data.clone()), ..Options::default() })?;
    let admin = Actor::bearer(server.addr(), token);
    let audit = Audit::of(&admin, &ledger.view(began).without_uploads(), false);
    counts.hold(&audit, "restored")?;
    // It is worked on while every blob is compared.
    let fresh = Arc::new(Ledger::default());
    let load = Load::start(&admin, &fresh, Rules::default(), counts.seed, u64::from(u16::MAX) + counts.blows);
    let checked = fsck(&data).and_then(|()| fsck(&data));
    counts.works += load.stop();
    checked.map_err(|said| format!("fsck beside a load: {said}"))?;
    counts.calm(&fresh.complaints(), "on the restored registry")?;
    counts.hold(&Audit::of(&admin, &fresh.view(Tick::MAX), false), "on the restored registry")
}

#[test]
fn a_restored_registry_lacks_nothing() {
    let rounds = if deep() { 200 } else { 4 };
    match family(rounds, seed()) {
        Ok(counts) => counts.report("backups, each followed by one that kill -9 may interrupt"),
        Err(lost) => panic!("{lost}"),
    }
}
