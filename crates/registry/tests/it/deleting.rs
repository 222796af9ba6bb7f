//! A repository is deleted a part at a time, and what is left of it meanwhile is whole.

use hythe_oci::Tag;
use hythe_registry::projects::ProjectError;
use hythe_store::RecordError;
use hythe_store::records::repositories::RepositoryId;

use crate::house::{House, image, index, repository};

async fn id_of(house: &House, name: &str) -> RepositoryId {
    let name = repository(name);
    let row = house.store.records.read(move |r| r.repository(&name)).await.unwrap();
    row.unwrap().id
}

#[tokio::test]
async fn what_is_left_of_a_repository_on_its_way_out_is_whole() {
    let house = House::new().await;
    let config = house.blob("lab/app", b"{}").await;
    let layers = [house.blob("lab/app", b"one").await, house.blob("lab/app", b"two").await];
    let mut children = Vec::new();
    for layer in layers {
        let json = image(&config, &[layer], None);
        let size = json.len() as u64;
        children.push((house.untagged("lab/app", json).await.unwrap(), size));
    }
    let all = house.manifest("lab/app", "all", index(&children)).await.unwrap();
    let (id, now) = (id_of(&house, "lab/app").await, house.clock_now());
    let mut steps = 0;
    loop {
        let empty = house.store.records.write(move |w| w.empty_repository(id, 1, now)).await.unwrap();
        let children = children.clone();
        let read = house.store.records.read(move |r| {
            let tagged = r.tag(id, &"all".parse::<Tag>().unwrap())?.is_some();
            let whole = r.has_manifest(id, &all)?;
            let images = [r.has_manifest(id, &children[0].0)?, r.has_manifest(id, &children[1].0)?];
            let mut blobs = Vec::new();
            for blob in [config, layers[0], layers[1]] {
                blobs.push(r.linked_blob(id, &blob.digest)?.is_some());
            }
            Ok::<_, RecordError>((tagged, whole, images, blobs))
        });
        let (tagged, whole, images, blobs) = read.await.unwrap();
        assert!(!tagged || whole);
        assert!(!whole || images == [true, true]);
        assert!(!images.contains(&true) || !blobs.contains(&false));
        if empty {
            assert!(!blobs.contains(&true));
            break;
        }
        steps += 1;
    }
    assert_eq!(steps, 1 + 3 + 3, "a tag, three manifests, three links, one by one");
}

#[tokio::test]
async fn more_than_one_transaction_takes_is_deleted_all_the_same() {
    let house = House::new().await;
    let ada = house.ada.caller.clone();
    let digest = house.image("lab/app", "v1", b"layer").await;
    let (id, now) = (id_of(&house, "lab/app").await, house.clock_now());
    let tags = move |w: &mut hythe_store::records::Writer<'_>| {
        (0..1_200).try_for_each(|n| w.set_tag(id, &format!("t{n}").parse().unwrap(), &digest, now))
    };
    house.store.records.write(tags).await.unwrap();
    house.registry.delete_repository(&ada, &repository("lab/app")).await.unwrap();
    let gone = house.registry.delete_repository(&ada, &repository("lab/app")).await;
    assert!(matches!(gone, Err(ProjectError::NotFound(_))));
    house.image("lab/app", "v1", b"layer").await;
    assert_ne!(id_of(&house, "lab/app").await, id);
}
