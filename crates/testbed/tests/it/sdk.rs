//! The SDK from outside: the public functions of `hythe-client` against the built binary and real engines.

mod copies;
mod engines;
mod project;
mod pulls;
mod pushes;
mod questions;
mod readiness;

use std::sync::{Arc, Mutex};

use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::Target;
use hythe_client::{Api, Credentials};
use hythe_outbound::{Outbound, Url};
use hythe_remote::Remote;
use hythe_testbed::{Hythe, Role};

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
        let bench = bench();
        let pusher = bench.member(Role::Pusher);
        Self { bench, pusher }
    }

    /// The project's repository as the SDK sees it.
    fn target(&self) -> Target {
        target_at(self.bench.server, &self.pusher, &self.bench.repository)
    }

    /// The server's own interface.
    fn api(&self) -> Api {
        api(self.bench.server, &self.pusher)
    }

    /// The digest of a tag, with everything it reaches served as it should be.
    #[track_caller]
    fn whole(&self, tag: &str) -> String {
        let (admin, repository) = (&self.bench.admin, &self.bench.repository);
        let answer = admin.get(&format!("/v2/{repository}/manifests/{tag}")).is(200);
        crate::clients::whole(admin, repository, tag);
        answer.must("docker-content-digest").to_owned()
    }
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
