//! The examples of the SDK do what they say.

use std::cell::RefCell;

use hythe_client::account::OwnLogin;
use hythe_testbed::{Content, Family, Packing, Role, image, layout_folder};

use super::{Scene, address, run};

#[path = "../../../../client/examples/tour/tour.rs"]
mod tour;

#[test]
fn the_tour_goes_from_the_push_to_the_removal() {
    let scene = Scene::of(Role::Owner);
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
    let login =
        OwnLogin { username: scene.pusher.name.clone(), secret: scene.pusher.password.clone().into() };
    let said = RefCell::new(Vec::new());
    let project = &scene.bench.project;
    let say = |line: &str| said.borrow_mut().push(line.to_owned());
    run(tour::tour(address(scene.bench.server), login, project, &folder, say)).unwrap();
    let size: usize = image.blobs.iter().map(|blob| blob.bytes.len()).sum();
    let expected = [
        format!("{} at {}/{project}/", scene.pusher.name, scene.bench.server.host()),
        format!("pushed {}, {} blobs sent", image.manifest.digest(), image.blobs.len()),
        "Ready: 100 % at registry".to_owned(),
        format!("{size} bytes for 1 platforms"),
        "images: tour:v1".to_owned(),
        "removed: true".to_owned(),
        "and it is gone".to_owned(),
    ];
    assert_eq!(*said.borrow(), expected);
}
