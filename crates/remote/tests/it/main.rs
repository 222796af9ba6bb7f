//! The registry client against scripted registries: awkward ones and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test program: a failed unwrap is a failed test")]

mod awkward;
mod images;
#[expect(dead_code, reason = "shared with tests that need more of it")]
#[path = "../../../outbound/tests/it/scripted.rs"]
mod scripted;
mod sign_in;

use hythe_oci::{Algorithm, Digest, RepositoryName};
use hythe_outbound::{Outbound, Url};
use hythe_remote::{Credentials, Remote, RetryPolicy};
use scripted::Scripted;

fn ada() -> Credentials {
    Credentials::Password { user: "ada".to_owned(), secret: "topsecret".into() }
}

fn remote(registry: &Scripted, credentials: &Credentials) -> Remote {
    let outbound = Outbound::builder().build().unwrap();
    let remote = Remote::new(outbound, &Url::parse(&registry.base).unwrap(), credentials).unwrap();
    // What a test does not expect to be repeated shall fail at once.
    remote.with_policy(RetryPolicy::NONE)
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
