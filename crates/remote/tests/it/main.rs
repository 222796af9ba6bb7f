//! The registry client against scripted registries: awkward ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test program: a failed unwrap is a failed test")]

mod breaks;
mod deletion;
mod downloads;
mod images;
mod lists;
mod manifests;
mod mounts;
mod ping;
mod retries;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../outbound/tests/it/scripted.rs"]
mod scripted;
mod session;
mod sign_in;
mod tokens;
mod uploads;

use std::time::Duration;

use hythe_oci::{Algorithm, Digest, RepositoryName};
use hythe_outbound::{Outbound, Url};
use hythe_remote::{Credentials, Remote, RetryPolicy};
use scripted::Scripted;

/// Repeats as the default does, but in no time.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 4,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(4),
    patience: Duration::from_secs(10),
};

fn ada() -> Credentials {
    Credentials::Password { user: "ada".to_owned(), secret: "topsecret".into() }
}

fn remote(registry: &Scripted, credentials: &Credentials) -> Remote {
    let outbound = Outbound::builder().build().unwrap();
    let base = Url::parse(&registry.base).unwrap();
    Remote::new(outbound, &base, credentials).unwrap().with_retries(QUICK)
}

/// A registry that lets everybody in.
fn open(registry: &Scripted) -> Remote {
    remote(registry, &Credentials::Anonymous)
}

fn repository() -> RepositoryName {
    "lab/app".parse().unwrap()
}

fn digest(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

/// Whether a server was ever shown a password or token.
fn was_trusted(server: &Scripted) -> bool {
    server.seen().iter().any(|seen| seen.header("authorization").is_some())
}
