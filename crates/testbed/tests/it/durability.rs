//! Nothing that was acknowledged is lost: not to kills, power cuts, collection or a failing disk.
//!
//! Each family runs a load against the built binary, breaks something at random, and holds the server to
//! the ledger of what its clients were told. That each family sees the defect it is
//! there for is shown by `defects`.
//!
//! `HYTHE_TESTBED_DEEP=1` selects the long run, `HYTHE_TESTBED_SEED` repeats one.

mod backups;
mod faults;
mod kills;
mod power;
mod race;

use std::fmt;

use hythe_testbed::durability::{Audit, Rules};
use hythe_testbed::{Actor, Hythe, Options, Visibility, run_folder};

/// Whether the long run is asked for.
fn deep() -> bool {
    std::env::var_os("HYTHE_TESTBED_DEEP").is_some_and(|value| !value.is_empty())
}

/// The seed of this run: the one asked for, or any.
fn seed() -> u64 {
    match std::env::var("HYTHE_TESTBED_SEED") {
        Ok(text) => text.parse().expect("HYTHE_TESTBED_SEED is a number"),
        Err(_) => fastrand::u64(..),
    }
}

/// A server with the project `lab`.
fn server(options: Options) -> Hythe {
    let server = Hythe::start(options);
    server.create_project("lab", Visibility::Private);
    server
}

/// The administrator by a token: checking the password at each start would be most of a short round.
fn client(server: &Hythe) -> Actor {
    Actor::bearer(server.addr(), &token(server))
}

fn token(server: &Hythe) -> String {
    let scopes: String = (0..Rules::default().repositories)
        .map(|number| format!("&scope=repository:lab/r{number}:pull,push,delete"))
        .collect();
    let answer = server.admin().get(&format!("/token?service=hythe{scopes}")).is(200);
    answer.json()["token"].as_str().expect("a token is text").to_owned()
}

/// What a family did.
struct Counts {
    family: String,
    seed: u64,
    /// What was done to the server: kills, cuts, runs of the collector.
    blows: u64,
    works: u64,
    verified: u64,
}

impl Counts {
    fn new(family: &str, seed: u64) -> Self {
        Self { family: family.to_owned(), seed, blows: 0, works: 0, verified: 0 }
    }

    /// Adds an audit, or answers with its violations.
    fn hold(&mut self, audit: &Audit, when: &str) -> Result<(), String> {
        self.verified += audit.verified;
        if audit.violations.is_empty() { Ok(()) } else { Err(self.broken(when, &audit.told())) }
    }

    /// Answers with the complaints, if there are any.
    fn calm(&self, complaints: &[String], when: &str) -> Result<(), String> {
        match complaints.first() {
            None => Ok(()),
            Some(first) => {
                Err(self.broken(when, &format!("{first}\n{} answers like this one", complaints.len())))
            }
        }
    }

    fn broken(&self, when: &str, what: &str) -> String {
        format!("{self}\n{when}: {what}")
    }

    /// Leaves the counts where `./test` prints them.
    fn report(self, blow: &str) {
        assert!(self.works > 0 && self.verified > 0, "nothing was tested: {self}");
        run_folder::report("durability", &format!("{self} ({blow})"));
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} blows, {} works, {} things verified, HYTHE_TESTBED_SEED={}",
            self.family, self.blows, self.works, self.verified, self.seed
        )
    }
}
