//! Copying from registry to registry: all platforms, with what refers to the image.

use futures_util::TryStreamExt as _;
use hythe_client::progress::{Event, Reporter};
use hythe_client::transfer::{CopyOptions, Target};
use hythe_oci::Reference;
use hythe_outbound::Url;
use hythe_remote::Remote;
use hythe_testbed::{Distribution, Family, Packing, artifact, image, index};

use super::{Scene, heard, outbound, run, target_at};

pub(super) fn tag(name: &str) -> hythe_oci::Tag {
    name.parse().unwrap()
}

/// An index of two platforms with an artifact that refers to one of them; answers the digests of index and artifact.
pub(super) fn fill(scene: &Scene) -> (String, String) {
    let of = |architecture| image(Family::Oci, Packing::Gzip, &scene.bench.project, architecture);
    let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
    let (admin, repository) = (&scene.bench.admin, &scene.bench.repository);
    for image in &index.images {
        admin.push_image(repository, &image.manifest.digest(), image);
    }
    admin.put_manifest(repository, "all", &index.manifest).is(201);
    let sbom =
        artifact("application/vnd.example.sbom", Some(&index.images[1].manifest), &scene.bench.project);
    admin.push_image(repository, &sbom.manifest.digest(), &sbom);
    (index.manifest.digest(), sbom.manifest.digest())
}

#[test]
fn within_a_registry_nothing_is_sent() {
    let scene = Scene::new();
    let (whole, sbom) = fill(&scene);
    let other = format!("{}-copy", scene.bench.repository);
    let to = target_at(scene.bench.server, &scene.pusher, &other);
    let (reporter, events) = heard();
    let from = Reference::Tag(tag("all"));
    let copied =
        run(scene.target().copy_to(&from, &to, Some(&tag("copied")), &CopyOptions::default(), &reporter));
    let copied = copied.unwrap();
    assert_eq!((copied.digest.to_string(), copied.sent), (whole, 0));
    assert!(matches!(events.lock().unwrap().last(), Some(Event::Finished { .. })));
    crate::clients::whole(&scene.bench.admin, &other, "copied");
    scene.bench.admin.get(&format!("/v2/{other}/manifests/{sbom}")).is(200);
}

#[test]
fn to_another_registry_and_back_it_stays_the_same() {
    let Some(registry) = Distribution::start() else { return };
    let scene = Scene::new();
    let (whole, sbom) = fill(&scene);
    let url = Url::parse(&format!("http://{}", registry.host())).unwrap();
    let remote = Remote::new(outbound(), &url, &hythe_client::Credentials::Anonymous).unwrap();
    let there = Target::new(remote, "other/app".parse().unwrap());
    let back = target_at(scene.bench.server, &scene.pusher, &format!("{}-back", scene.bench.repository));
    let all = Reference::Tag(tag("all"));
    let copy = |from: &Target, to: &Target, reference: &Reference, options: CopyOptions| {
        run(from.copy_to(reference, to, Some(&tag("all")), &options, &Reporter::silent())).unwrap()
    };
    let copied = copy(&scene.target(), &there, &all, CopyOptions::default());
    assert!(copied.sent > 0);
    // This registry keeps no list of referrers: it lies under the fallback tag.
    let tags: Vec<hythe_oci::Tag> = run(async {
        there.remote().tags(there.repository()).unwrap().into_stream().try_collect().await.unwrap()
    });
    assert!(tags.iter().any(|tag| tag.as_str().starts_with("sha256-")), "{tags:?}");
    assert_eq!(copy(&there, &back, &all, CopyOptions::default()).digest.to_string(), whole);
    let path = format!("/v2/{}/manifests/{sbom}", back.repository());
    scene.bench.admin.get(&path).is(200);

    let one = target_at(scene.bench.server, &scene.pusher, &format!("{}-one", scene.bench.repository));
    let options = CopyOptions { platform: Some("linux/arm64".parse().unwrap()), ..CopyOptions::default() };
    let narrowed = copy(&there, &one, &all, options);
    assert_ne!(narrowed.digest.to_string(), whole);
    let size = run(back.size(&all)).unwrap();
    assert_eq!(
        size.platforms.iter().map(|part| part.platform.as_deref().unwrap()).collect::<Vec<_>>(),
        ["linux/amd64", "linux/arm64"]
    );
    assert!(size.platforms.iter().any(|part| part.digest == narrowed.digest));
    assert_eq!(run(back.tags_of(&size.digest)).unwrap(), [tag("all")]);
    assert_eq!(run(there.tags_of(&size.digest)).unwrap(), [tag("all")]);
}
