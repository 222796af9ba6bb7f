//! What is asked about images without moving them: a close look, what a transfer would send, what a removal takes along.

use std::collections::BTreeSet;

use hythe_client::info::{FoundBy, LayerCompression};
use hythe_client::removal::Wanted;
use hythe_client::transfer::{CopyOptions, PullOptions, PushOptions};
use hythe_oci::Reference;
use hythe_testbed::{Content, Family, Packing, image, layout_folder};

use super::copies::{fill, tag};
use super::{Scene, run, target_at};

#[test]
fn a_close_look_tells_platforms_layers_and_what_refers_to_them() {
    let scene = Scene::new();
    let (whole, sbom) = fill(&scene);
    let arm = "linux/arm64".parse().unwrap();
    let info = run(scene.target().info(&Reference::Tag(tag("all")), Some(&arm))).unwrap();
    assert_eq!(info.digest.to_string(), whole);
    let platforms: Vec<_> = info.platforms.iter().map(|part| part.platform.as_deref().unwrap()).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    let image = info.image.unwrap();
    assert_eq!((image.digest, Some(image.size)), (info.platforms[1].digest, info.platforms[1].size));
    assert_eq!(image.config.unwrap().cmd, ["/bin/hello"]);
    assert!(image.layers.iter().all(|layer| layer.compression == LayerCompression::Gzip));
    let made: Vec<_> = image.history.iter().map(|step| (step.layer, step.size)).collect();
    let layers: Vec<_> = image.layers.iter().map(|layer| (Some(layer.digest), Some(layer.size))).collect();
    assert_eq!(made, layers);
    let referrer = &info.referrers[0];
    assert_eq!((referrer.digest.to_string(), referrer.subject), (sbom, image.digest));
    assert_eq!(referrer.found_by, FoundBy::Subject);
}

#[test]
fn what_would_be_sent_is_what_is_sent() {
    let scene = Scene::new();
    let image = image(Family::Oci, Packing::Gzip, &scene.bench.project, "amd64");
    let blobs: Vec<&Content> = image.blobs.iter().collect();
    let folder = layout_folder(&[("v1", &image.manifest)], &blobs);
    let (target, options) = (scene.target(), PushOptions::default());
    let would = run(target.preview_push_layout(&folder, None, &options)).unwrap();
    assert_eq!((would.blobs, would.blobs_there), (3, 0));
    let reporter = hythe_client::progress::Reporter::silent();
    let pushed = run(target.push_layout(&folder, None, Some(&tag("v1")), &options, &reporter)).unwrap();
    assert_eq!((Some(pushed.digest), pushed.sent_bytes), (would.digest, would.bytes));
    let again = run(target.preview_push_layout(&folder, None, &options)).unwrap();
    assert_eq!((again.bytes, again.bytes_there), (0, would.bytes));

    let v1 = Reference::Tag(tag("v1"));
    let pulled = run(target.preview_pull(&v1, None, &PullOptions::default()));
    let to = target_at(scene.bench.server, &scene.pusher, &format!("{}-other", scene.bench.repository));
    let copied = run(target.preview_copy(&v1, &to, &CopyOptions::default()));
    for told in [pulled.unwrap(), copied.unwrap()] {
        assert_eq!((told.digest, told.bytes, told.bytes_there), (would.digest, would.bytes, 0));
    }
}

#[test]
fn a_plan_names_all_that_goes_and_takes_nothing_that_is_needed() {
    let scene = Scene::new();
    let (whole, _) = fill(&scene);
    let (admin, repository) = (&scene.bench.admin, &scene.bench.repository);
    let target = target_at(scene.bench.server, &scene.bench.member(hythe_testbed::Role::Owner), repository);
    let arm = run(target.info(&Reference::Tag(tag("all")), None)).unwrap().platforms[1].digest;
    let bytes = admin.get(&format!("/v2/{repository}/manifests/{arm}")).is(200).body;
    let manifest = Content { media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(), bytes };
    admin.put_manifest(repository, "arm", &manifest).is(201);

    let names = |names: &[&str]| Wanted::Tags {
        tags: names.iter().map(|name| tag(name)).collect::<BTreeSet<_>>(),
        untagged: true,
    };
    let held = run(target.plan_removal(&[names(&["arm"])])).unwrap();
    assert_eq!((held.len(), held[0].whole, &held[0].part_of), (1, false, &vec![tag("all")]));
    assert_eq!(run(target.plan_removal(&[Wanted::Image(arm)])).unwrap()[0].part_of, [tag("all")]);

    let all = run(target.plan_removal(&[names(&["all", "arm"])])).unwrap();
    assert_eq!(all.iter().map(|removal| removal.whole).collect::<Vec<_>>(), [true, true]);
    assert_eq!((all[0].digest.to_string(), all[1].digest), (whole, arm));
    let freed = run(target.freed(&all)).unwrap();
    let size = run(target.size(&Reference::Tag(tag("all")))).unwrap().bytes;
    assert_eq!((freed.images, freed.tags, freed.bytes_at_most), (2, 2, size));
    for outcome in run(target.remove_all(&all)) {
        outcome.unwrap();
    }
    assert!(run(target.tagged()).unwrap().is_empty());
    admin.get(&format!("/v2/{repository}/manifests/{arm}")).is(404);
}
