//! The scrub verifies what has waited longest, once in time, and one process does it.

use std::fs;
use std::time::Duration;

use hythe_registry::check::CheckOptions;
use hythe_registry::collect::CollectOptions;
use hythe_registry::{Error, Reporter};
use hythe_store::records::jobs::{Job, JobLease};

use crate::house::House;

/// Replaces a blob's file by other bytes of the same size, keeping its time of modification.
fn rot(path: &std::path::Path) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    // Root may write to a read-only file; anybody else has to replace it.
    if fs::write(path, &bytes).is_err() {
        fs::remove_file(path).unwrap();
        fs::write(path, &bytes).unwrap();
    }
    fs::OpenOptions::new().append(true).open(path).unwrap().set_modified(modified).unwrap();
}

#[tokio::test]
async fn a_blob_is_due_when_half_its_time_is_over() {
    let house = House::new().await;
    let first = house.blob("lab/app", b"first").await.digest;
    assert_eq!(house.registry.scrub().await.unwrap(), 0, "a push has verified it");
    house.later(10 * 24);
    let second = house.blob("lab/app", b"second").await.digest;
    house.later(6 * 24);
    rot(&house.file_of(&first));
    rot(&house.file_of(&second));
    assert_eq!(house.registry.scrub().await.unwrap(), 1, "the younger one is not due");
    let figures = house.registry.integrity_figures().await.unwrap();
    assert_eq!((figures.scrubbed_blobs, figures.found_damaged, figures.damaged), (1, 1, 1));
    assert!(!house.has_blob("lab/app", first).await && house.has_blob("lab/app", second).await);
    house.blob("lab/app", b"first").await;
    assert!(house.has_blob("lab/app", first).await, "a push heals");
}

#[tokio::test]
async fn what_was_verified_is_not_due_again() {
    let house = House::new().await;
    for n in 0..250_u32 {
        house.blob("lab/app", &n.to_le_bytes()).await;
    }
    house.later(20 * 24);
    assert_eq!(house.registry.integrity_figures().await.unwrap().oldest, Duration::from_hours(20 * 24));
    assert_eq!(house.registry.scrub().await.unwrap(), 250);
    assert_eq!(house.registry.scrub().await.unwrap(), 0);
    assert_eq!(house.registry.integrity_figures().await.unwrap().oldest, Duration::ZERO);
    assert!(house.registry.check(CheckOptions::default(), &Reporter::silent()).await.unwrap().is_sound());
}

#[tokio::test]
async fn one_process_does_a_job_at_a_time() {
    let house = House::new().await;
    house.blob("lab/app", b"due").await;
    house.later(20 * 24);
    let other = |job| JobLease { job, holder: 7 };
    let now = house.clock_now();
    let until = now.plus(Duration::from_mins(1));
    for job in [Job::Scrub, Job::Collect] {
        let claimed = house.store.records.write(move |w| w.claim_job(other(job), now, until)).await.unwrap();
        assert!(claimed);
    }
    assert_eq!(house.registry.scrub().await.unwrap(), 0, "another process scrubs");
    let options = CollectOptions { dry_run: false, grace: None };
    assert!(matches!(house.registry.collect(options).await, Err(Error::JobTaken)));
    house.registry.collect(CollectOptions { dry_run: true, grace: None }).await.unwrap();

    // The other one has died: its time runs out.
    house.later(1);
    assert_eq!(house.registry.scrub().await.unwrap(), 1);
    house.registry.collect(options).await.unwrap();
    let stands = |lease| house.store.records.read(move |r| r.holds_job(lease, now));
    assert!(!stands(other(Job::Collect)).await.unwrap(), "it lost its claim to the later one");
}

#[tokio::test]
async fn a_pull_renews_what_was_not_verified_for_long() {
    use futures_util::TryStreamExt as _;
    use hythe_registry::pull::OpenBlob;

    let house = House::new().await;
    let digest = house.blob("lab/app", b"pulled now and then").await.digest;
    let open = async || house.registry.open_blob(&house.pull("lab/app").await, digest).await.unwrap();
    assert!(matches!(open().await, OpenBlob::Trusted(_)));
    house.later(31 * 24);
    let OpenBlob::Untrusted(blob) = open().await else { panic!("its stamp is too old") };
    let bytes: Vec<bytes::Bytes> = blob.read().try_collect().await.unwrap();
    assert_eq!(bytes.concat(), b"pulled now and then");
    // Noted behind the client's back.
    while matches!(open().await, OpenBlob::Untrusted(_)) {
        tokio::task::yield_now().await;
    }
}
