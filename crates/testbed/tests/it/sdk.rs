//! The SDK from outside: the public functions of `hythe-client` against the built binary and real engines.

mod archives;
mod awkward;
mod copies;
mod docker_store;
mod engines;
mod examples;
mod failures;
mod hostile_archive;
mod hostile_registry;
mod images;
mod killed;
mod names;
mod profiles;
mod project;
mod pulls;
mod pushes;
mod questions;
mod readiness;
mod registries;
mod tokens;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::Target;
use hythe_client::{Api, Credentials};
use hythe_outbound::{Outbound, Url};
use hythe_remote::Remote;
use hythe_testbed::{Hythe, Role, Tool};

use crate::bench::{Bench, Person, bench};

/// Runs a test's asynchronous part.
fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(work)
}

/// A private project and somebody who may push to it.
struct Scene {
    bench: Bench,
    pusher: Person,
}

impl Scene {
    fn new() -> Self {
        Self::of(Role::Pusher)
    }

    /// With more rights, or fewer, than a pusher has.
    fn of(role: Role) -> Self {
        let bench = bench();
        let pusher = bench.member(role);
        Self { bench, pusher }
    }

    /// The project's repository as the SDK sees it.
    fn target(&self) -> Target {
        target_at(self.bench.server, &self.pusher, &self.bench.repository)
    }

    /// The command line, as the pusher's, with a home and a folder for temporary files of its own.
    fn cli(&self) -> Tool {
        cli_at(Hythe::binary(), &self.bench.server.host(), Some(&self.pusher))
    }

    /// Another program with the same environment.
    fn cli_of(&self, program: &str) -> Tool {
        cli_at(program, &self.bench.server.host(), Some(&self.pusher))
    }

    /// The server's own interface.
    fn api(&self) -> Api {
        api(self.bench.server, &self.pusher)
    }

    /// The digest of a tag, with everything it reaches served as it should be.
    #[track_caller]
    fn whole(&self, tag: &str) -> String {
        self.whole_in(&self.bench.repository, tag)
    }

    /// The same in another repository.
    #[track_caller]
    fn whole_in(&self, repository: &str, tag: &str) -> String {
        let admin = &self.bench.admin;
        let answer = admin.get(&format!("/v2/{repository}/manifests/{tag}")).is(200);
        crate::clients::whole(admin, repository, tag);
        answer.must("docker-content-digest").to_owned()
    }
}

/// A program that goes to the server at `host`.
fn cli_at(program: impl Into<PathBuf>, host: &str, person: Option<&Person>) -> Tool {
    let tool = Tool::new(program);
    let temporary = tool.home().join("tmp");
    std::fs::create_dir(&temporary).unwrap();
    let tool = tool.env("TMPDIR", temporary).env("HYTHE_SERVER", format!("http://{host}"));
    match person {
        Some(person) => tool.env("HYTHE_USERNAME", &person.name).env("HYTHE_PASSWORD", &person.password),
        None => tool,
    }
}

/// Says what is tried, and what came of it.
#[expect(
    clippy::print_stdout,
    reason = "the test program shows it when a test fails, or when it is asked to"
)]
fn note(line: &str) {
    println!("{line}");
}

/// Everything in a folder, files with their sizes.
fn listing(folder: &Path) -> BTreeMap<PathBuf, u64> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let state = std::fs::symlink_metadata(entry.path()).unwrap();
            if state.is_dir() {
                open.push(entry.path());
            }
            found.insert(entry.path(), if state.is_file() { state.len() } else { 0 });
        }
    }
    found
}

fn address(server: &Hythe) -> Url {
    Url::parse(&format!("http://{}", server.host())).unwrap()
}

fn credentials(person: &Person) -> Credentials {
    Credentials::Password { user: person.name.clone(), secret: person.password.clone().into() }
}

fn outbound() -> Outbound {
    Outbound::builder().build().unwrap()
}

fn api(server: &Hythe, person: &Person) -> Api {
    Api::new(outbound(), &address(server), &credentials(person)).unwrap()
}

fn target_at(server: &Hythe, person: &Person, repository: &str) -> Target {
    let remote = Remote::new(outbound(), &address(server), &credentials(person)).unwrap();
    Target::new(remote, repository.parse().unwrap()).with_api(api(server, person))
}

/// A reporter, and everything it was told.
fn heard() -> (Reporter, Arc<Mutex<Vec<Event>>>) {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let reporter = Reporter::to(Arc::new(move |event: &Event| log.lock().unwrap().push(event.clone())));
    (reporter, events)
}
