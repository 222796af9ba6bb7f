//! A check finds what is missing, damaged or left over.

use std::fs;

use hythe_registry::Reporter;
use hythe_registry::check::CheckOptions;

use crate::house::House;

#[tokio::test]
async fn a_sound_store_has_nothing_to_report() {
    let house = House::new().await;
    house.image("lab/app", "v1", b"layer").await;
    let report = house.registry.check(CheckOptions::default(), &Reporter::silent()).await.unwrap();
    assert!(report.is_sound());
    assert_eq!((report.checked.count, report.orphaned.count), (2, 0));
}

#[tokio::test]
async fn missing_flipped_and_orphaned_files_are_named() {
    let house = House::new().await;
    let missing = house.blob("lab/app", b"removed behind our back").await.digest;
    let flipped = house.blob("lab/app", b"flipped behind our back").await.digest;
    fs::remove_file(house.file_of(&missing)).unwrap();
    let path = house.file_of(&flipped);
    fs::remove_file(&path).unwrap();
    fs::write(&path, b"FLIPPED behind our back").unwrap();
    let orphan = hythe_oci::Digest::of(hythe_oci::Algorithm::Sha256, b"no record");
    fs::create_dir_all(house.file_of(&orphan).parent().unwrap()).unwrap();
    fs::write(house.file_of(&orphan), b"no record").unwrap();

    let report = house.registry.check(CheckOptions::default(), &Reporter::silent()).await.unwrap();
    assert!(!report.is_sound());
    assert_eq!(report.missing.digests, [missing.to_string()]);
    assert_eq!(report.corrupt.digests, [flipped.to_string()]);
    assert_eq!(report.orphaned.digests, [orphan.to_string()]);
    let quick = house
        .registry
        .check(CheckOptions { quick: true, ..CheckOptions::default() }, &Reporter::silent())
        .await
        .unwrap();
    assert_eq!((quick.missing.count, quick.corrupt.count), (1, 0), "the size is the same");

    house.blob("lab/app", b"flipped behind our back").await;
    let healed = house.registry.check(CheckOptions::default(), &Reporter::silent()).await.unwrap();
    assert_eq!(healed.corrupt.count, 0, "pushing again heals");
}
