//! Uploads, mounts and manifests.

use bytes::Bytes;
use futures_util::stream;
use hythe_oci::{Algorithm, ContentRange, Digest, Reference};
use hythe_registry::Error;
use hythe_registry::access::Push;
use hythe_registry::push::{BodyError, Chunk, Mounted};

use crate::house::{House, chunk, image, index, repository};

fn at(first: u64, bytes: &[u8]) -> Chunk {
    let last = first + bytes.len() as u64 - 1;
    Chunk { range: Some(ContentRange::new(first, last).unwrap()), ..chunk(bytes) }
}

#[tokio::test]
async fn chunks_in_order_make_a_blob() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 0);
    assert_eq!(house.registry.append(&permit, id, at(0, b"one ")).await.unwrap(), 4);
    let repeated = house.registry.append(&permit, id, at(0, b"one ")).await;
    assert!(matches!(repeated, Err(Error::ChunkOutOfOrder { first: 0, offset: 4 })));
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 4);
    let digest = Digest::of(Algorithm::Sha256, b"one two");
    let placed = house.registry.finish(&permit, id, digest, at(4, b"two")).await.unwrap();
    assert_eq!((placed.digest, placed.size), (digest, 7));
    assert!(house.has_blob("lab/app", digest).await);
    let over = house.registry.append(&permit, id, chunk(b"more")).await;
    assert!(matches!(over, Err(Error::UploadUnknown { .. })));
}

#[tokio::test]
async fn a_refused_chunk_changes_nothing_even_in_a_fresh_session() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    let long = vec![1; 3_000_000];
    let lying = Chunk { range: ContentRange::new(0, 9), length: None, ..chunk(&long) };
    let refused = house.registry.append(&permit, id, lying).await;
    assert!(matches!(refused, Err(Error::ChunkLength { announced: 10, .. })), "{refused:?}");
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 0);
    let short = Chunk { range: ContentRange::new(0, 9), length: None, ..chunk(b"five.") };
    assert!(house.registry.append(&permit, id, short).await.is_err());
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 0);
    let digest = Digest::of(Algorithm::Sha256, b"whole");
    house.registry.finish(&permit, id, digest, at(0, b"whole")).await.unwrap();
}

#[tokio::test]
async fn the_status_of_an_upload_under_way_is_told() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    house.registry.append(&permit, id, at(0, b"first")).await.unwrap();
    let writing = house.store.blobs.resume(id).await.unwrap().unwrap();
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 5);
    drop(writing);
}

#[tokio::test]
async fn two_uploads_of_one_blob_store_it_once() {
    let house = House::new().await;
    let (one, two) = tokio::join!(house.blob("lab/one", b"the same"), house.blob("lab/two", b"the same"));
    assert_eq!(one, two);
    assert_eq!(house.files(), 1);
    assert!(house.has_blob("lab/one", one.digest).await && house.has_blob("lab/two", one.digest).await);
}

#[tokio::test]
async fn referrers_listed_under_the_fallback_tag_are_taken_up() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let subject = house.manifest("lab/app", "v1", image(&config, &[], None)).await.unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&image(&config, &[], None)).unwrap();
    old["annotations"] = serde_json::json!({ "pushed": "before this registry kept the list" });
    let old = old.to_string();
    let size = old.len() as u64;
    let listed = house.untagged("lab/app", old).await.unwrap();
    let own = house.untagged("lab/app", image(&config, &[], Some((subject, 1)))).await.unwrap();
    house.manifest("lab/app", subject.fallback_tag().as_str(), index(&[(listed, size)])).await.unwrap();
    let permit = house.pull("lab/app").await;
    let page = house.registry.referrers(&permit, subject, None, None, 500).await.unwrap();
    let mut expected = [listed, own];
    expected.sort_unstable();
    assert_eq!(page.items.iter().map(|item| item.digest).collect::<Vec<_>>(), expected);
    // Page by page the list is the same.
    let first = house.registry.referrers(&permit, subject, None, None, 1).await.unwrap();
    let second = house.registry.referrers(&permit, subject, None, Some(expected[0]), 1).await.unwrap();
    assert_eq!((first.items[0].digest, first.next), (expected[0], true));
    assert_eq!((second.items[0].digest, second.next), (expected[1], false));
}

#[tokio::test]
async fn many_under_the_fallback_tag_are_listed_page_by_page() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let subject = house.manifest("lab/app", "v1", image(&config, &[], None)).await.unwrap();
    let mut listed = Vec::new();
    for number in 0..20 {
        let mut old: serde_json::Value = serde_json::from_str(&image(&config, &[], None)).unwrap();
        old["annotations"] = serde_json::json!({ "number": number.to_string() });
        listed.push((house.untagged("lab/app", old.to_string()).await.unwrap(), 1));
    }
    house.manifest("lab/app", subject.fallback_tag().as_str(), index(&listed)).await.unwrap();
    let permit = house.pull("lab/app").await;
    let mut expected: Vec<_> = listed.into_iter().map(|(digest, _)| digest).collect();
    expected.sort_unstable();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = house.registry.referrers(&permit, subject, None, after, 7).await.unwrap();
        found.extend(page.items.iter().map(|item| item.digest));
        after = found.last().copied();
        if !page.next {
            break;
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_cut_body_keeps_what_arrived() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    let body = stream::iter([Ok(Bytes::from_static(b"arrived")), Err(BodyError)]);
    let cut = Chunk { range: None, length: Some(100), body: Box::pin(body) };
    let outcome = house.registry.append(&permit, id, cut).await;
    assert!(matches!(outcome, Err(Error::BodyCut { received: 7 })));
    assert_eq!(house.registry.upload_offset(&permit, id).await.unwrap(), 7);
    let digest = Digest::of(Algorithm::Sha512, b"arrived and more");
    let placed = house.registry.finish(&permit, id, digest, at(7, b" and more")).await.unwrap();
    assert_eq!(placed.digest, digest, "closed with another algorithm than it was opened with");
}

#[tokio::test]
async fn wrong_bytes_store_nothing_and_end_the_upload() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    let digest = Digest::of(Algorithm::Sha256, b"promised");
    let outcome = house.registry.finish(&permit, id, digest, chunk(b"sent")).await;
    assert!(matches!(outcome, Err(Error::DigestMismatch { .. })));
    assert!(!house.has_blob("lab/app", digest).await);
    assert!(matches!(house.registry.upload_offset(&permit, id).await, Err(Error::UploadUnknown { .. })));
    assert_eq!(house.files(), 0);
    assert!(house.store.blobs.staged().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository_and_user() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    let elsewhere = house.push("lab/other").await;
    assert!(matches!(house.registry.upload_offset(&elsewhere, id).await, Err(Error::UploadUnknown { .. })));
    let bob = house.person(2, "bob").await;
    let lab = "lab".parse().unwrap();
    let role = hythe_registry::projects::Role::Pusher;
    house.registry.set_member(&house.ada.caller, &lab, &"bob".parse().unwrap(), role).await.unwrap();
    let permit = house.permit::<Push>(&bob, "lab/app").await.unwrap();
    assert!(matches!(house.registry.cancel(&permit, id).await, Err(Error::UploadUnknown { .. })));
}

#[tokio::test]
async fn an_upload_does_not_outlive_its_project() {
    let house = House::new().await;
    let permit = house.push("lab/app").await;
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, None).await.unwrap();
    house.registry.append(&permit, id, chunk(b"first")).await.unwrap();
    let (ada, lab) = (house.ada.caller.clone(), "lab".parse().unwrap());
    house.registry.delete_project(&ada, &lab).await.unwrap();
    let outcome =
        house.registry.finish(&permit, id, Digest::of(Algorithm::Sha256, b"first"), chunk(b"")).await;
    assert!(matches!(outcome, Err(Error::ProjectGone(_) | Error::UploadUnknown { .. })), "{outcome:?}");
    assert_eq!(house.files(), 0, "no file is left without a record");
    let private = hythe_registry::projects::Visibility::Private;
    house.registry.create_project(&ada, lab, private).await.unwrap();
    let again = house.push("lab/app").await;
    assert!(matches!(house.registry.upload_offset(&again, id).await, Err(Error::UploadUnknown { .. })));
}

#[tokio::test]
async fn a_page_of_referrers_is_bounded_in_bytes() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let subject = house.manifest("lab/app", "v1", image(&config, &[], None)).await.unwrap();
    for number in 0..6 {
        let mut referrer: serde_json::Value =
            serde_json::from_str(&image(&config, &[], Some((subject, 1)))).unwrap();
        referrer["annotations"] =
            serde_json::json!({ "long": "x".repeat(1_500_000), "number": number.to_string() });
        house.untagged("lab/app", referrer.to_string()).await.unwrap();
    }
    let permit = house.pull("lab/app").await;
    let (mut seen, mut pages, mut last) = (0, 0, None);
    loop {
        let page = house.registry.referrers(&permit, subject, None, last, 500).await.unwrap();
        assert!(!page.items.is_empty() && page.items.len() <= 3, "{}", page.items.len());
        seen += page.items.len();
        pages += 1;
        last = page.items.last().map(|referrer| referrer.digest);
        if !page.next {
            break;
        }
    }
    assert_eq!((seen, pages), (6, 2));
}

#[tokio::test]
async fn mounting_needs_the_right_to_read_the_source() {
    let house = House::new().await;
    let blob = house.blob("lab/source", b"mount me").await;
    let target = house.push("lab/target").await;
    let from = Some(repository("lab/source"));
    let mounted = house.registry.mount(&target, blob.digest, from.clone()).await.unwrap();
    assert_eq!(mounted, Mounted::Done(blob));
    assert!(house.has_blob("lab/target", blob.digest).await);
    let anywhere = house.push("lab/third").await;
    assert_eq!(house.registry.mount(&anywhere, blob.digest, None).await.unwrap(), Mounted::Done(blob));

    let eve = house.person(3, "eve").await;
    let own = "eve".parse().unwrap();
    let private = hythe_registry::projects::Visibility::Private;
    house.registry.create_project(&eve.caller, own, private).await.unwrap();
    let hers = house.permit::<Push>(&eve, "eve/target").await.unwrap();
    for from in [from, None] {
        assert_eq!(house.registry.mount(&hers, blob.digest, from).await.unwrap(), Mounted::Absent);
    }
}

#[tokio::test]
async fn a_manifest_names_what_is_missing_and_changes_nothing() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let elsewhere = house.blob("lab/other", b"layer").await;
    let refused = house.manifest("lab/app", "v1", image(&config, &[elsewhere], None)).await;
    assert!(
        matches!(refused, Err(Error::ManifestBlobUnknown { missing, .. }) if missing == [elsewhere.digest])
    );
    let permit = house.pull("lab/app").await;
    let tag = Reference::Tag("v1".parse().unwrap());
    assert!(matches!(house.registry.manifest(&permit, &tag).await, Err(Error::ManifestUnknown { .. })));
    let child = Digest::of(Algorithm::Sha256, b"no such manifest");
    let refused = house.manifest("lab/app", "v1", index(&[(child, 5)])).await;
    assert!(matches!(refused, Err(Error::ManifestBlobUnknown { .. })));
}

#[tokio::test]
async fn a_moved_tag_is_seen_at_once_and_the_old_manifest_stays() {
    let house = House::new().await;
    let permit = house.pull("lab/app").await;
    let tag = Reference::Tag("v1".parse().unwrap());
    let first = house.image("lab/app", "v1", b"first").await;
    assert_eq!(house.registry.manifest(&permit, &tag).await.unwrap().digest, first);
    let second = house.image("lab/app", "v1", b"second").await;
    assert_eq!(house.registry.manifest(&permit, &tag).await.unwrap().digest, second);
    house.registry.manifest(&permit, &Reference::Digest(first)).await.unwrap();
    house.delete_manifest("lab/app", second).await.unwrap();
    assert!(house.registry.manifest(&permit, &tag).await.is_err());
}
