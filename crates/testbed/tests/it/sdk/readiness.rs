//! Readiness through the SDK: absent, pending with percent, ready; waiting for one digest.

use std::time::Duration;

use hythe_api::Readiness;
use hythe_client::progress::Reporter;
use hythe_client::transfer::PushOptions;
use hythe_oci::Reference;
use hythe_testbed::{Content, Family, Packing, image, layout_folder};

use super::{Scene, run};

#[test]
fn a_wait_begun_before_the_push_ends_with_that_image() {
    let scene = Scene::new();
    let of =
        |seed: &str| image(Family::Oci, Packing::Gzip, &format!("{}{seed}", scene.bench.project), "amd64");
    let (old, new) = (of("old"), of("new"));
    scene.bench.admin.push_image(&scene.bench.repository, "v1", &old);
    let blobs: Vec<&Content> = new.blobs.iter().collect();
    let folder = layout_folder(&[("v1", &new.manifest)], &blobs);
    let repository = scene.bench.repository.parse().unwrap();
    let wanted = Reference::Digest(new.manifest.digest().parse().unwrap());
    let version: hythe_oci::Tag = "v1".parse().unwrap();
    let tagged = Reference::Tag(version.clone());
    run(async {
        let api = scene.api();
        assert_eq!(api.image_status(&repository, &wanted).await.unwrap_err().status(), Some(404));
        let before = api.image_status(&repository, &tagged).await.unwrap();
        assert_eq!(before.digest.to_string(), old.manifest.digest());
        let waiting = api.wait_ready(&repository, &wanted, Duration::from_secs(60), |_| {});
        let target = scene.target();
        let options = PushOptions::default();
        let silent = Reporter::silent();
        let pushing = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            target.push_layout(&folder, None, Some(&version), &options, &silent).await.unwrap()
        };
        let (status, pushed) = tokio::join!(waiting, pushing);
        let status = status.unwrap();
        assert_eq!((status.digest, status.status), (pushed.digest, Readiness::Ready));
        assert_eq!((status.places[0].percent, &status.places[0].reason), (100, &None));
        let images = api.images_of(&repository).unwrap().all().await.unwrap();
        let sizes: u64 = new.blobs.iter().map(|blob| blob.bytes.len() as u64).sum();
        assert_eq!(
            images.iter().map(|image| (image.tag.as_str(), image.digest, image.size)).collect::<Vec<_>>(),
            [("v1", pushed.digest, sizes)]
        );
        let never = Reference::Tag("never".parse().unwrap());
        let short = api.wait_ready(&repository, &never, Duration::from_millis(100), |_| {});
        assert_eq!(short.await.unwrap_err().status(), Some(404));
    });
}
