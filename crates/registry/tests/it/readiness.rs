//! The status of an image: announced, half here, whole, damaged; and waiting for one digest.

use std::time::Duration;

use hythe_identity::Caller;
use hythe_oci::{Algorithm, Digest, Reference};
use hythe_registry::projects::{ImagePosition, ProjectError, UploadList};
use hythe_registry::push::Expected;
use hythe_registry::readiness::{AnnouncedPart, Announcement, BELIEVED, Condition, ImageStatus, MOST_PARTS};

use crate::house::{House, chunk, image, index, repository};

const AT_ONCE: Duration = Duration::ZERO;

fn by_digest(digest: Digest) -> Reference {
    Reference::Digest(digest)
}

fn by_tag(tag: &str) -> Reference {
    Reference::Tag(tag.parse().unwrap())
}

impl House {
    async fn status(&self, reference: &Reference, wait: Duration) -> Result<ImageStatus, ProjectError> {
        self.registry.image_status(&self.ada.caller, &repository("lab/app"), reference, wait).await
    }

    async fn announce(&self, digest: Digest, tag: Option<&str>, parts: &[(Digest, u64)]) {
        self.announce_as(&self.ada.caller, digest, tag, parts).await.unwrap();
    }

    async fn announce_as(
        &self,
        caller: &Caller,
        digest: Digest,
        tag: Option<&str>,
        parts: &[(Digest, u64)],
    ) -> Result<(), ProjectError> {
        let parts = parts.iter().map(|(digest, size)| AnnouncedPart { digest: *digest, size: *size });
        let tag = tag.map(|tag| tag.parse().unwrap());
        let announcement = Announcement { digest, tag, parts: parts.collect() };
        self.registry.announce(caller, &repository("lab/app"), announcement).await
    }
}

fn sha256(bytes: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, bytes)
}

#[tokio::test]
async fn an_image_is_absent_then_pending_by_its_bytes_then_ready() {
    let house = House::new().await;
    let layer = vec![7; 600];
    let config = b"{}".to_vec();
    let parts = [(sha256(&config), 2), (sha256(&layer), 600)];
    // Pushed elsewhere first, only to learn the manifest's bytes.
    let placed = (house.blob("lab/draft", &config).await, house.blob("lab/draft", &layer).await);
    let manifest = image(&placed.0, &[placed.1], None);
    let digest = sha256(manifest.as_bytes());
    let absent = house.status(&by_digest(digest), AT_ONCE).await;
    assert!(matches!(absent, Err(ProjectError::NotFound(_))), "{absent:?}");

    house.announce(digest, Some("v1"), &parts).await;
    let status = house.status(&by_tag("v1"), AT_ONCE).await.unwrap();
    assert_eq!((status.digest, status.condition, status.percent()), (digest, Condition::Pending, 0));

    let permit = house.push("lab/app").await;
    let expected = Some(Expected { digest: parts[1].0, size: Some(600) });
    let id = house.registry.start_upload(&permit, Algorithm::Sha256, expected).await.unwrap();
    house.registry.append(&permit, id, chunk(&layer[..301])).await.unwrap();
    let status = house.status(&by_digest(digest), AT_ONCE).await.unwrap();
    assert_eq!((status.present.bytes, status.needed.bytes, status.percent()), (301, 602, 50));
    assert!(status.reason.unwrap().contains("0 of 2 parts"));

    let own = UploadList::OwnOf(parts[1].0);
    let found = house.registry.list_uploads(&house.ada.caller, &own, None, 10).await.unwrap();
    assert_eq!(
        found.items.iter().map(|upload| (upload.id, upload.received)).collect::<Vec<_>>(),
        [(id, 301)]
    );
    let other = UploadList::OwnOf(parts[0].0);
    assert!(house.registry.list_uploads(&house.ada.caller, &other, None, 10).await.unwrap().items.is_empty());

    house.registry.finish(&permit, id, parts[1].0, chunk(&layer[301..])).await.unwrap();
    house.blob("lab/app", &config).await;
    let status = house.status(&by_digest(digest), AT_ONCE).await.unwrap();
    assert_eq!((status.condition, status.percent()), (Condition::Pending, 99));
    house.manifest("lab/app", "v1", manifest).await.unwrap();
    let status = house.status(&by_tag("v1"), AT_ONCE).await.unwrap();
    assert_eq!((status.digest, status.condition, status.percent()), (digest, Condition::Ready, 100));
    assert_eq!(status.reason, None);
}

#[tokio::test]
async fn a_wait_begun_before_the_push_ends_with_that_digest_and_no_older_image() {
    let house = House::new().await;
    let old = house.image("lab/app", "v1", b"old").await;
    let placed = (house.blob("lab/app", b"{}").await, house.blob("lab/app", b"new").await);
    let manifest = image(&placed.0, &[placed.1], None);
    let digest = sha256(manifest.as_bytes());
    let waiting = {
        let (registry, caller) = (house.registry.clone(), house.ada.caller.clone());
        tokio::spawn(async move {
            let wait = Duration::from_secs(40);
            registry.image_status(&caller, &repository("lab/app"), &by_digest(digest), wait).await
        })
    };
    house.announce(digest, Some("v1"), &[(placed.1.digest, 3)]).await;
    // Of the tag, too, the image that is on its way is told, not the older one.
    let status = house.status(&by_tag("v1"), AT_ONCE).await.unwrap();
    assert_eq!((status.digest, status.condition), (digest, Condition::Pending));
    assert!(!waiting.is_finished());
    house.manifest("lab/app", "v1", manifest).await.unwrap();
    let status = waiting.await.unwrap().unwrap();
    assert_eq!((status.digest, status.condition), (digest, Condition::Ready));
    assert_ne!(digest, old);
}

#[tokio::test]
async fn a_wait_ends_with_its_time() {
    let house = House::new().await;
    let wait = Duration::from_millis(20);
    let absent = house.status(&by_tag("v1"), wait).await;
    assert!(matches!(absent, Err(ProjectError::NotFound(_))), "{absent:?}");
    house.announce(sha256(b"x"), Some("v1"), &[]).await;
    assert_eq!(house.status(&by_tag("v1"), wait).await.unwrap().condition, Condition::Pending);
}

#[tokio::test]
async fn an_announcement_that_is_not_renewed_is_forgotten() {
    let house = House::new().await;
    let digest = sha256(b"never pushed");
    house.announce(digest, Some("v1"), &[]).await;
    house.clock.advance(BELIEVED / 2);
    house.announce(digest, Some("v1"), &[]).await;
    house.clock.advance(BELIEVED / 2);
    assert_eq!(house.status(&by_tag("v1"), AT_ONCE).await.unwrap().digest, digest);
    house.clock.advance(BELIEVED);
    assert!(house.status(&by_tag("v1"), AT_ONCE).await.is_err());
    assert!(house.status(&by_digest(digest), AT_ONCE).await.is_err());
    house.collect(Duration::ZERO).await;
    let kept = house.store.records.read(move |r| r.announcer(&repository("lab/app"), &digest)).await.unwrap();
    assert_eq!(kept, None);
}

#[tokio::test]
async fn what_is_here_is_not_announced_again() {
    let house = House::new().await;
    let digest = house.image("lab/app", "v1", b"layer").await;
    house.announce(digest, Some("v1"), &[]).await;
    assert_eq!(house.status(&by_tag("v1"), AT_ONCE).await.unwrap().condition, Condition::Ready);
    // Under another tag it is: the tag is not set yet, but the image can be pulled by its digest.
    house.announce(digest, Some("v2"), &[]).await;
    let status = house.status(&by_tag("v2"), AT_ONCE).await.unwrap();
    assert_eq!((status.digest, status.condition), (digest, Condition::Ready));
}

#[tokio::test]
async fn announcements_are_withdrawn_by_their_makers_and_owners() {
    let house = House::new().await;
    let digest = sha256(b"never pushed");
    let pat = house.person(7, "pat").await;
    let stranger = house.announce_as(&pat.caller, digest, None, &[]).await;
    assert!(matches!(stranger, Err(ProjectError::NotFound(_))), "{stranger:?}");
    house.announce(digest, None, &[]).await;
    house.registry.withdraw(&house.ada.caller, &repository("lab/app"), digest).await.unwrap();
    assert!(house.status(&by_digest(digest), AT_ONCE).await.is_err());
    let again = house.registry.withdraw(&house.ada.caller, &repository("lab/app"), digest).await;
    assert!(matches!(again, Err(ProjectError::NotFound(_))), "{again:?}");
    let parts: Vec<_> = (0..=MOST_PARTS).map(|number| (sha256(&number.to_le_bytes()), 1)).collect();
    let many = house.announce_as(&house.ada.caller, digest, None, &parts).await;
    assert!(matches!(many, Err(ProjectError::Invalid(_))), "{many:?}");
}

#[tokio::test]
async fn an_image_with_a_damaged_blob_is_pending_until_it_is_pushed_again() {
    let house = House::new().await;
    let digest = house.image("lab/app", "v1", b"a layer that will be lost").await;
    let layer = sha256(b"a layer that will be lost");
    let size = 25;
    let child = (digest, image_size(&house, digest).await);
    let index = house.manifest("lab/app", "all", index(&[child])).await.unwrap();
    assert_eq!(house.status(&by_tag("all"), AT_ONCE).await.unwrap().condition, Condition::Ready);
    std::fs::remove_file(house.file_of(&layer)).unwrap();
    assert!(!house.has_blob("lab/app", layer).await);
    for reference in [by_digest(digest), by_digest(index), by_tag("all")] {
        let status = house.status(&reference, AT_ONCE).await.unwrap();
        assert_eq!(status.condition, Condition::Pending);
        assert_eq!(status.needed.bytes - status.present.bytes, size);
        assert!(status.reason.unwrap().contains(&layer.to_string()));
    }
    house.blob("lab/app", b"a layer that will be lost").await;
    assert_eq!(house.status(&by_tag("all"), AT_ONCE).await.unwrap().condition, Condition::Ready);
}

#[tokio::test]
async fn a_layer_that_may_be_elsewhere_keeps_no_image_pending() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layer = house.blob("lab/app", b"a layer of ours").await;
    let elsewhere = sha256(b"a layer of somebody else");
    let kind = "application/vnd.oci.image.layer.v1.tar";
    let foreign = format!(
        "{{\"mediaType\":\"application/vnd.oci.image.layer.nondistributable.v1.tar\",\"digest\":\"{elsewhere}\",\"size\":24}}"
    );
    let json = image(&config, &[layer], None).replace("\"layers\":[", &format!("\"layers\":[{foreign},"));
    assert!(json.contains(kind) && json.contains("nondistributable"));
    let digest = house.manifest("lab/app", "v1", json.clone()).await.unwrap();
    let all = house.manifest("lab/app", "all", index(&[(digest, json.len() as u64)])).await.unwrap();
    for reference in [by_digest(digest), by_digest(all)] {
        assert_eq!(house.status(&reference, AT_ONCE).await.unwrap().condition, Condition::Ready);
    }
    // It is told apart from a layer of ours that is lost.
    std::fs::remove_file(house.file_of(&layer.digest)).unwrap();
    assert!(!house.has_blob("lab/app", layer.digest).await);
    let status = house.status(&by_digest(all), AT_ONCE).await.unwrap();
    assert_eq!((status.condition, status.needed.bytes - status.present.bytes), (Condition::Pending, 15));
    assert!(status.reason.unwrap().starts_with("1 of 3 parts"));
}

async fn image_size(house: &House, digest: Digest) -> u64 {
    let permit = house.pull("lab/app").await;
    house.registry.manifest(&permit, &Reference::Digest(digest)).await.unwrap().bytes.len() as u64
}

#[tokio::test]
async fn images_are_listed_by_repository_and_tag_with_the_bytes_they_need_once() {
    let house = House::new().await;
    let big = vec![1; 1000];
    let one = house.image("lab/app", "one", &big).await;
    let two = house.image("lab/app", "two", b"22").await;
    let both = [(one, image_size(&house, one).await), (two, image_size(&house, two).await)];
    house.manifest("lab/app", "all", index(&both)).await.unwrap();
    house.image("lab/zoo", "last", b"z").await;
    let create = house.registry.create_repository(&house.ada.caller, &repository("lab/empty")).await;
    create.unwrap();

    let project = "lab".parse().unwrap();
    let mut after = None;
    let mut listed = Vec::new();
    loop {
        let page = house.registry.list_images(&house.ada.caller, &project, after, 1).await.unwrap();
        let [image] = &page.items[..] else { panic!("{page:?}") };
        listed.push((image.repository.to_string(), image.tag.to_string(), image.size));
        after = Some(ImagePosition::of(&image.repository, &image.tag).to_string().parse().unwrap());
        if !page.next {
            break;
        }
    }
    // The configuration `{}` counts once in the index, though both images need it.
    let expected =
        [("lab/app", "all", 1004), ("lab/app", "one", 1002), ("lab/app", "two", 4), ("lab/zoo", "last", 3)];
    assert_eq!(listed, expected.map(|(name, tag, size)| (name.to_owned(), tag.to_owned(), size)));

    let of = |after: Option<&str>| {
        let after = after.map(|tag| tag.parse().unwrap());
        let (registry, caller) = (house.registry.clone(), house.ada.caller.clone());
        async move { registry.list_images_of(&caller, &repository("lab/app"), after, 10).await.unwrap() }
    };
    let tags = of(Some("all")).await.items.into_iter().map(|image| image.tag.to_string());
    assert_eq!(tags.collect::<Vec<_>>(), ["one", "two"]);
    assert!(!of(None).await.next);
    let absent = house.registry.list_images_of(&house.ada.caller, &repository("lab/none"), None, 10).await;
    assert!(matches!(absent, Err(ProjectError::NotFound(_))), "{absent:?}");
}
