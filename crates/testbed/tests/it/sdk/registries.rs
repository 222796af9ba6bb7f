//! The client of the registry protocol, call by call, with real registries; what the SDK makes of these calls is
//! `awkward`'s.

use std::net::SocketAddr;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_client::Credentials;
use hythe_oci::{Algorithm, Digest, Reference, RepositoryName, Tag, media_type};
use hythe_outbound::Url;
use hythe_remote::{Expected, Mount, RangedPull, ReferrersSource, Remote, RemoteError, Standing, in_memory};
use hythe_testbed::{Distribution, Relay, Role, noise};

use super::{Scene, credentials, note, outbound, run};

/// A real registry, and two repositories in it that may be written to.
struct Place {
    address: SocketAddr,
    credentials: Credentials,
    repository: RepositoryName,
    other: RepositoryName,
    /// Who keeps its lists of referrers.
    referrers: ReferrersSource,
    /// Whether a tag alone can be deleted.
    deletes_tags: bool,
}

#[test]
fn hythe() {
    let scene = Scene::of(Role::Owner);
    converse(&Place {
        address: scene.bench.server.addr(),
        credentials: credentials(&scene.pusher),
        repository: scene.bench.repository.parse().unwrap(),
        other: format!("{}/other", scene.bench.project).parse().unwrap(),
        referrers: ReferrersSource::Registry,
        deletes_tags: true,
    });
}

#[test]
fn docker_registry_of_debian() {
    let Some(registry) = Distribution::start() else { return };
    converse(&of_distribution(&registry, false));
}

#[test]
fn distribution_three() {
    let Some(registry) = Distribution::start_third() else { return };
    converse(&of_distribution(&registry, true));
}

fn of_distribution(registry: &Distribution, deletes_tags: bool) -> Place {
    Place {
        address: registry.addr(),
        credentials: Credentials::Anonymous,
        repository: "lab/app".parse().unwrap(),
        other: "lab/other".parse().unwrap(),
        referrers: ReferrersSource::Tag,
        deletes_tags,
    }
}

fn converse(place: &Place) {
    run(everything(place));
    run(connections_that_break_lose_nothing(place));
}

impl Place {
    fn remote(&self) -> Remote {
        self.remote_at(&self.address.to_string())
    }

    fn remote_at(&self, host: &str) -> Remote {
        let base = Url::parse(&format!("http://{host}")).unwrap();
        Remote::new(outbound(), &base, &self.credentials).unwrap()
    }
}

fn digest(content: &[u8]) -> Digest {
    Digest::of(Algorithm::Sha256, content)
}

async fn everything(place: &Place) {
    let (remote, repository, other) = (place.remote(), &place.repository, &place.other);
    let ping = remote.ping().await.unwrap();
    assert!(matches!(ping.standing, Standing::Accepted | Standing::NotAsked), "{ping:?}");
    let layer = Bytes::from(noise("layer", 3_000_000));
    let config = Bytes::from_static(b"{}");

    // In pieces, resumed by location in the middle.
    let expected = Expected { digest: digest(&layer), size: 3_000_000 };
    let mut upload = remote.start_upload(repository, Some(expected)).await.unwrap();
    upload.append(1_000_000, in_memory(layer.slice(..1_000_000))).await.unwrap();
    let location = upload.location().to_string();
    let mut upload = remote.resume_upload(repository, &location).await.unwrap();
    assert_eq!(upload.confirmed(), 1_000_000);
    let unsized_piece = in_memory(layer.slice(1_000_000..2_000_000));
    assert_eq!(upload.append_unsized(unsized_piece).await.unwrap(), 2_000_000);
    upload.finish_with(&digest(&layer), 1_000_000, in_memory(layer.slice(2_000_000..))).await.unwrap();
    remote.push_blob(repository, &digest(&config), 2, in_memory(config.clone())).await.unwrap();
    remote.start_upload(repository, None).await.unwrap().cancel().await.unwrap();

    let expected = Expected { digest: digest(&layer), size: 3_000_000 };
    let mount = remote.mount_blob(other, expected, Some(repository)).await.unwrap();
    assert!(matches!(mount, Mount::Mounted));
    let stat = remote.stat_blob(other, &digest(&layer)).await.unwrap().unwrap();
    assert_eq!(stat.size, Some(3_000_000));

    pulled_whole_and_in_part(&remote, repository, &layer).await;
    let (tag, manifest) = manifests_and_lists(place, &layer, &config).await;

    // Refused and removed.
    let nowhere = Reference::Tag("nowhere".parse().unwrap());
    let missing = remote.resolve(repository, &nowhere).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    let wrong = remote.push_blob(repository, &digest(b"other"), 5, in_memory("hello".into())).await;
    assert_eq!(wrong.unwrap_err().status(), Some(400));
    match remote.delete_tag(repository, &tag).await {
        Ok(()) => assert!(place.deletes_tags),
        Err(RemoteError::Unsupported { .. }) => assert!(!place.deletes_tags),
        Err(error) => panic!("{error}"),
    }
    remote.delete_manifest(repository, &manifest).await.unwrap();
    remote.delete_blob(other, &digest(&layer)).await.unwrap();
    assert!(remote.stat_blob(other, &digest(&layer)).await.unwrap().is_none());
}

async fn pulled_whole_and_in_part(remote: &Remote, repository: &RepositoryName, layer: &Bytes) {
    let digest = digest(layer);
    let whole = remote.pull_blob(repository, &digest, Some(3_000_000)).await.unwrap();
    assert_eq!(whole.into_stream().try_collect::<Vec<_>>().await.unwrap().concat(), *layer);
    match remote.pull_blob_range(repository, &digest, 5..2_500_000).await.unwrap() {
        RangedPull::Part(part) => {
            let bytes = part.into_stream().try_collect::<Vec<_>>().await.unwrap().concat();
            assert_eq!(bytes, layer[5..2_500_000]);
        }
        RangedPull::NoRanges => panic!("no ranges"),
    }
    let beyond = remote.pull_blob_range(repository, &digest, 3_000_000..3_000_001).await;
    assert_eq!(beyond.err().unwrap().status(), Some(416));
}

async fn manifests_and_lists(place: &Place, layer: &Bytes, config: &Bytes) -> (Tag, Digest) {
    let (remote, repository) = (place.remote(), &place.repository);
    let kind = media_type::OCI_MANIFEST.parse().unwrap();
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{{"mediaType":"application/vnd.oci.empty.v1+json","digest":"{}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":3000000}}]}}"#,
        digest(config),
        digest(layer)
    );
    let tag: Tag = "v1".parse().unwrap();
    let by_tag = Reference::Tag(tag.clone());
    let pushed = remote.push_manifest(repository, &by_tag, &kind, manifest.clone().into()).await.unwrap();
    let resolved = remote.resolve(repository, &by_tag).await.unwrap();
    assert_eq!((resolved.digest, resolved.size), (pushed.digest, manifest.len() as u64));
    let pulled = remote.pull_manifest(repository, &Reference::Digest(pushed.digest)).await.unwrap();
    assert_eq!(pulled.bytes, manifest.as_bytes());
    let tags: Vec<Tag> = remote.tags(repository).unwrap().into_stream().try_collect().await.unwrap();
    assert!(tags.contains(&tag));
    let referrers = remote.referrers(repository, &pushed.digest, None).await.unwrap();
    assert_eq!(referrers.source, place.referrers);
    let repositories = remote.catalogue().unwrap().into_stream();
    assert!(repositories.try_collect::<Vec<_>>().await.unwrap().contains(repository));
    (tag, pushed.digest)
}

async fn connections_that_break_lose_nothing(place: &Place) {
    let relay = Relay::start(place.address);
    let remote = place.remote_at(&relay.host()).with_observer(|retry| {
        note(&format!("{} again in {:?}: {}", retry.what, retry.delay, retry.reason));
    });
    let repository = &place.repository;
    let (blob, streamed) = (Bytes::from(noise("blob", 5_000_000)), Bytes::from(noise("streamed", 5_000_000)));
    relay.break_off(2, 1_000_000);
    remote.push_blob(repository, &digest(&blob), 5_000_000, in_memory(blob.clone())).await.unwrap();
    assert_eq!(relay.breaks_left(), 0);
    relay.break_off(1, 1_000_000);
    let mut upload = remote.start_upload(repository, None).await.unwrap();
    upload.append(5_000_000, in_memory(streamed.clone())).await.unwrap();
    upload.finish(&digest(&streamed)).await.unwrap();
    assert_eq!(relay.breaks_left(), 0);
    relay.break_off(3, 1_000_000);
    for content in [&blob, &streamed] {
        let pulled = remote.pull_blob(repository, &digest(content), Some(5_000_000)).await.unwrap();
        assert_eq!(pulled.into_stream().try_collect::<Vec<_>>().await.unwrap().concat(), **content);
    }
    assert_eq!(relay.breaks_left(), 0);
}
