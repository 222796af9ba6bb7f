//! Garbage goes, everything else stays, and "this blob exists" is a promise.

use std::time::Duration;

use hythe_registry::collect::CollectOptions;
use hythe_registry::projects::ProjectPatch;
use hythe_registry::{CollectionOptions, Error, RegistryOptions};

use hythe_store::RecordError;
use hythe_store::records::leases::LeaseBucket;

use crate::house::{House, chunk, image, index, repository};

const NO_GRACE: Duration = Duration::ZERO;

#[tokio::test]
async fn a_deleted_image_loses_its_blobs_and_a_live_one_keeps_them() {
    let house = House::new().await;
    let live = house.image("lab/app", "live", b"live layer").await;
    let dead = house.image("lab/app", "dead", b"dead layer").await;
    assert_eq!(house.files(), 3);
    house.delete_manifest("lab/app", dead).await.unwrap();
    house.later(2);

    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.unreferenced_links, report.unlinked_blobs.count), (1, 1));
    assert_eq!(report.unlinked_blobs.bytes, b"dead layer".len() as u64);
    assert_eq!(house.files(), 2);

    let permit = house.pull("lab/app").await;
    let manifest = house.registry.manifest(&permit, &hythe_oci::Reference::Digest(live)).await.unwrap();
    let parsed = hythe_oci::Manifest::parse(Some(&manifest.media_type), &manifest.bytes).unwrap();
    for part in parsed.config.iter().chain(&parsed.layers) {
        assert!(house.has_blob("lab/app", part.digest).await);
    }
}

#[tokio::test]
async fn a_dry_run_counts_and_removes_nothing() {
    let house = House::new().await;
    house.blob("lab/app", b"never referenced").await;
    house.later(2);
    let options = CollectOptions { dry_run: true, grace: Some(NO_GRACE) };
    let report = house.registry.collect(options).await.unwrap();
    assert!(report.dry_run);
    assert_eq!(report.unreferenced_links, 1);
    assert_eq!(house.files(), 1);
}

#[tokio::test]
async fn a_fresh_blob_is_kept_for_its_grace() {
    let house = House::new().await;
    let blob = house.blob("lab/app", b"the manifest comes later").await;
    house.later(2);
    let report = house.collect(Duration::from_hours(24)).await;
    assert_eq!(report.unreferenced_links, 0);
    assert!(house.has_blob("lab/app", blob.digest).await);
    house.later(24);
    assert_eq!(house.collect(Duration::from_hours(24)).await.unreferenced_links, 1);
    assert!(!house.has_blob("lab/app", blob.digest).await);
}

#[tokio::test]
async fn what_is_deleted_is_kept_for_its_grace_from_then_on() {
    let house = House::new().await;
    let day = Duration::from_hours(24);
    let digest = house.image("lab/app", "v1", b"deleted by mistake").await;
    let loose = house.blob("lab/app", b"taken from its repository").await;
    let gone = house.blob("lab/gone", b"its repository goes").await;
    house.later(72);
    let permit = house.permit(&house.ada, "lab/app").await.unwrap();
    house.delete_manifest("lab/app", digest).await.unwrap();
    house.registry.delete_blob(&permit, loose.digest).await.unwrap();
    let caller = house.ada.caller.clone();
    house.registry.delete_repository(&caller, &repository("lab/gone")).await.unwrap();
    house.later(23);
    house.collect(day).await;
    assert_eq!(house.files(), 4, "config, layer, and the two blobs");
    for digest in [loose.digest, gone.digest] {
        assert!(house.file_of(&digest).exists());
    }
    house.later(2);
    house.collect(day).await;
    assert_eq!(house.files(), 0);
}

#[tokio::test]
async fn whoever_never_had_a_blob_cannot_keep_it() {
    let house = House::new().await;
    let loose = house.blob("lab/app", b"given up").await;
    house.image("lab/other", "v1", b"another").await;
    let permit = house.permit(&house.ada, "lab/app").await.unwrap();
    house.registry.delete_blob(&permit, loose.digest).await.unwrap();
    house.later(20);
    let stranger = house.permit(&house.ada, "lab/other").await.unwrap();
    let missing = house.registry.delete_blob(&stranger, loose.digest).await;
    assert!(matches!(missing, Err(Error::BlobUnknown { .. })));
    house.later(5);
    house.collect(Duration::from_hours(24)).await;
    assert!(!house.file_of(&loose.digest).exists());
}

#[tokio::test]
async fn what_has_run_out_is_forgotten_without_a_collector() {
    let house = House::new().await;
    let blob = house.blob("lab/app", b"asked for").await;
    // A second link of the same blob leases it.
    house.blob("lab/app", b"asked for").await;
    // A transaction that is taken back only counts.
    let leases = async || {
        let counted = house.store.records.write(|w| {
            let leases = w.forget_leases(LeaseBucket(i64::MAX), 10)?;
            Err::<(), _>(RecordError::Unreadable(leases.to_string()))
        });
        match counted.await.unwrap_err() {
            RecordError::Unreadable(leases) => leases,
            error => panic!("{error}"),
        }
    };
    house.registry.forget().await.unwrap();
    assert_eq!(leases().await, "1", "it holds still");
    house.later(2);
    house.registry.forget().await.unwrap();
    assert_eq!(leases().await, "0");
    assert!(house.has_blob("lab/app", blob.digest).await);
}

#[tokio::test]
async fn a_pushed_blob_waits_for_its_manifest_even_at_zero_grace() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"its manifest is on the way").await;
    assert_eq!(house.collect(NO_GRACE).await.unreferenced_links, 0);
    let pushed = house.manifest("lab/app", "v1", image(&config, &[layer], None)).await.unwrap();
    // The manifest came and went: nothing waits any more.
    house.delete_manifest("lab/app", pushed).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.unreferenced_links, report.unlinked_blobs.count), (2, 2));
    assert_eq!(house.files(), 0);
}

#[tokio::test]
async fn a_blob_pushed_by_two_waits_for_the_second_manifest_too() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"pushed by two").await;
    house.blob("lab/app", b"{}").await;
    house.blob("lab/app", b"pushed by two").await;
    let first = house.manifest("lab/app", "v1", image(&config, &[layer], None)).await.unwrap();
    house.delete_manifest("lab/app", first).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(house.collect(NO_GRACE).await.unreferenced_links, 0);
    house.manifest("lab/app", "v2", image(&config, &[layer], None)).await.unwrap();
}

#[tokio::test]
async fn a_head_protects_even_at_zero_grace() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"pushed long ago").await;
    house.later(48);
    let permit = house.pull("lab/app").await;
    house.registry.stat_blob(&permit, config.digest).await.unwrap();
    house.registry.stat_blob(&permit, layer.digest).await.unwrap();
    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.unreferenced_links, report.unlinked_blobs.count), (0, 0));
    // The client skipped its upload, and its manifest finds everything.
    house.manifest("lab/app", "v1", image(&config, &[layer], None)).await.unwrap();
    house.later(48);
    assert_eq!(house.collect(NO_GRACE).await.unlinked_blobs.count, 0);
}

#[tokio::test]
async fn what_was_collected_is_refused_with_its_digest_and_can_be_pushed_again() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"gone").await;
    house.later(2);
    house.collect(NO_GRACE).await;
    assert_eq!(house.files(), 0);
    let refused = house.manifest("lab/app", "v1", image(&config, &[layer], None)).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown { missing, .. }) if missing.len() == 2));
    house.image("lab/app", "v1", b"gone").await;
    assert!(house.has_blob("lab/app", layer.digest).await);
}

#[tokio::test]
async fn a_blob_lives_as_long_as_one_repository_holds_it() {
    let house = House::new().await;
    house.image("lab/one", "v1", b"shared").await;
    let two = house.image("lab/two", "v1", b"shared").await;
    assert_eq!(house.files(), 2);
    house.delete_manifest("lab/two", two).await.unwrap();
    house.later(2);
    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.unreferenced_links, report.unlinked_blobs.count), (2, 0));
    assert_eq!(house.files(), 2);
}

#[tokio::test]
async fn children_of_an_index_and_referrers_of_a_subject_are_kept() {
    let house = House::new().await;
    let days = |days| ProjectPatch { untagged_days: Some(Some(days)), ..ProjectPatch::default() };
    let lab = "lab".parse().unwrap();
    house.registry.update_project(&house.ada.caller, &lab, days(1)).await.unwrap();
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"layer").await;
    let child_json = image(&config, &[layer], None);
    let size = child_json.len() as u64;
    let child = house.untagged("lab/app", child_json).await.unwrap();
    let parent = house.manifest("lab/app", "multi", index(&[(child, size)])).await.unwrap();
    let signature = house.untagged("lab/app", image(&config, &[], Some((parent, 1)))).await.unwrap();
    let stray = house.untagged("lab/app", image(&config, &[], None)).await.unwrap();
    house.later(48);

    let report = house.collect(NO_GRACE).await;
    assert_eq!(report.untagged_manifests.count, 1, "only the stray goes");
    assert!(matches!(house.delete_manifest("lab/app", stray).await, Err(Error::ManifestUnknown { .. })));
    // A child cannot be deleted from under its index.
    assert!(matches!(
        house.delete_manifest("lab/app", child).await,
        Err(Error::InUse { used_by, .. }) if used_by == parent
    ));

    // Once the tag is gone and its time over, everything follows, run by run.
    house.delete_tag("lab/app", "multi").await;
    house.later(48);
    house.collect(NO_GRACE).await;
    house.later(48);
    house.collect(NO_GRACE).await;
    assert!(matches!(house.delete_manifest("lab/app", signature).await, Err(Error::ManifestUnknown { .. })));
    house.later(2);
    house.collect(NO_GRACE).await;
    assert_eq!(house.files(), 0);
}

#[tokio::test]
async fn without_a_policy_untagged_manifests_stay() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let pinned = house.untagged("lab/app", image(&config, &[], None)).await.unwrap();
    house.later(24 * 365);
    assert_eq!(house.collect(NO_GRACE).await.untagged_manifests.count, 0);
    house.delete_manifest("lab/app", pinned).await.unwrap();
}

#[tokio::test]
async fn pushing_an_untagged_manifest_again_restarts_its_time() {
    let house = House::new().await;
    let patch = ProjectPatch { untagged_days: Some(Some(2)), ..ProjectPatch::default() };
    house.registry.update_project(&house.ada.caller, &"lab".parse().unwrap(), patch).await.unwrap();
    let config = house.blob("lab/app", b"{}").await;
    house.untagged("lab/app", image(&config, &[], None)).await.unwrap();
    house.later(36);
    house.untagged("lab/app", image(&config, &[], None)).await.unwrap();
    house.later(36);
    assert_eq!(house.collect(NO_GRACE).await.untagged_manifests.count, 0);
    house.later(24);
    assert_eq!(house.collect(NO_GRACE).await.untagged_manifests.count, 1);
}

#[tokio::test]
async fn the_background_collector_runs_by_itself_and_stops_when_told() {
    let mut options = RegistryOptions::default();
    options.collection.every = Duration::from_millis(20);
    options.collection.grace = NO_GRACE;
    let house = House::with(options).await;
    house.blob("lab/app", b"never referenced").await;
    house.later(2);
    let collector = house.registry.start_collector().unwrap();
    while house.files() > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    collector.stop().await;
    let off = CollectionOptions { enabled: false, ..CollectionOptions::default() };
    let house = House::with(RegistryOptions { collection: off, ..RegistryOptions::default() }).await;
    assert!(house.registry.start_collector().is_none());
}

#[tokio::test]
async fn removals_keep_to_the_rate() {
    let mut options = RegistryOptions::default();
    options.collection.rate = 20;
    let house = House::with(options).await;
    for number in 0..6_u8 {
        house.blob("lab/app", &[number]).await;
    }
    house.later(2);
    // Six links and six blobs at two for each pause of a tenth of a second: six pauses at least,
    // counted by the clock that only moves while everything waits.
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    house.collect(NO_GRACE).await;
    assert!(begin.elapsed() >= Duration::from_millis(600), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn garbage_of_several_batches_goes_and_what_is_among_it_stays() {
    let mut options = RegistryOptions::default();
    options.collection.rate = 100_000;
    let house = House::with(options).await;
    let kept = house.image("lab/app", "live", b"live layer").await;
    let files = house.files();
    for number in 0..1_100_u32 {
        house.blob("lab/app", &number.to_le_bytes()).await;
    }
    house.later(2);
    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.unreferenced_links, report.unlinked_blobs.count), (1_100, 1_100));
    assert_eq!(report.unlinked_blobs.bytes, 4_400);
    assert_eq!(house.files(), files);
    let permit = house.pull("lab/app").await;
    assert!(house.registry.manifest(&permit, &hythe_oci::Reference::Digest(kept)).await.is_ok());
}

#[tokio::test]
async fn files_without_a_record_go() {
    let house = House::new().await;
    let kept = house.blob("lab/app", b"recorded").await;
    let stray = hythe_oci::Digest::of(hythe_oci::Algorithm::Sha256, b"cut before its record");
    std::fs::create_dir_all(house.file_of(&stray).parent().unwrap()).unwrap();
    std::fs::write(house.file_of(&stray), b"cut before its record").unwrap();
    let options = CollectOptions { dry_run: true, grace: Some(NO_GRACE) };
    assert_eq!(house.registry.collect(options).await.unwrap().unrecorded_files.count, 1);
    let report = house.collect(Duration::from_hours(24)).await;
    assert_eq!((report.unrecorded_files.count, report.unrecorded_files.bytes), (1, 21));
    assert!(house.has_blob("lab/app", kept.digest).await);
    assert_eq!(house.files(), 1);
}

#[tokio::test]
async fn abandoned_uploads_are_reaped_with_their_bytes() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, hythe_oci::Algorithm::Sha256, None).await.unwrap();
    house.registry.append(&permit, id, chunk(b"half of it")).await.unwrap();
    assert_eq!(house.collect(NO_GRACE).await.abandoned_uploads.count, 0);
    house.later(49);
    let report = house.collect(NO_GRACE).await;
    assert_eq!((report.abandoned_uploads.count, report.abandoned_uploads.bytes), (1, 10));
    assert!(matches!(house.registry.upload_offset(&permit, id).await, Err(Error::UploadUnknown { .. })));
    assert!(house.store.blobs.staged().await.unwrap().is_empty());
}
