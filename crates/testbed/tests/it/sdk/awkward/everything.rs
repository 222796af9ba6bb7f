//! Everything that the SDK does, at one registry.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use hythe_api::Readiness;
use hythe_client::Credentials;
use hythe_client::progress::Reporter;
use hythe_client::transfer::{CopyOptions, PullOptions, PushOptions, Target, TransferError, archive_in_file};
use hythe_oci::{Reference, Tag};
use hythe_outbound::Url;
use hythe_remote::{Remote, RemoteError, RetryPolicy};
use hythe_testbed::{
    Actor, Content, Family, Image, Index, Packing, artifact, docker_archive, image, index, layout_folder,
    noise, run_folder,
};

use super::super::{Scene, credentials, note, outbound, run};

/// Repeats as often as the default does, but in no time.
const QUICK: RetryPolicy = RetryPolicy {
    attempts: 8,
    first_wait: Duration::from_millis(1),
    longest_wait: Duration::from_millis(20),
    patience: Duration::from_secs(20),
};

/// Large enough to be fetched in parts, and to be refused by a proxy with a limit.
const LARGE: usize = 18 << 20;

/// What a registry cannot do, so that its absence is told in due form.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lacks {
    /// Uploads in pieces, without which an archive cannot be pushed as it streams by.
    pub(super) pieces: bool,
    /// Lists of tags that are worth anything.
    pub(super) tags: bool,
    /// Removing tags.
    pub(super) tag_deletion: bool,
}

/// What goes through each registry, with blobs of its own.
struct Goods {
    index: Index,
    sbom: Image,
    large: Image,
    layout: PathBuf,
    large_layout: PathBuf,
    archive: PathBuf,
}

impl Goods {
    fn new(seed: &str) -> Self {
        let of = |architecture| image(Family::Oci, Packing::Gzip, seed, architecture);
        let index = index(Family::Oci, vec![of("amd64"), of("arm64")]);
        let sbom = artifact("application/vnd.example.sbom", Some(&index.images[1].manifest), seed);
        let media_type = "application/vnd.oci.image.layer.v1.tar+gzip".to_owned();
        let layer = Content { media_type, bytes: noise(seed, LARGE) };
        let large = Image::of_blobs(Family::Oci, vec![layer], "amd64");
        let mut rest: Vec<&Content> = index.images.iter().map(|image| &image.manifest).collect();
        rest.extend(index.images.iter().flat_map(|image| &image.blobs));
        let layout = layout_folder(&[("all", &index.manifest)], &rest);
        let large_layout = layout_folder(&[("v1", &large.manifest)], &large.blobs.iter().collect::<Vec<_>>());
        let archive = archive_of(seed, 12 << 20);
        Self { index, sbom, large, layout, large_layout, archive }
    }
}

/// An archive of an image with one layer that does not shrink.
pub(super) fn archive_of(seed: &str, size: usize) -> PathBuf {
    let mut tar = tar::Builder::new(Vec::new());
    let content = noise(&format!("{seed} archive"), size);
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    tar.append_data(&mut header, "data", content.as_slice()).unwrap();
    let layers = vec![tar.into_inner().unwrap()];
    docker_archive(&Image::of_layers(Family::Oci, Packing::Plain, layers, seed, "amd64"), "some/app:v1")
}

pub(super) fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

fn tagged(name: &str) -> Reference {
    Reference::Tag(tag(name))
}

pub(super) fn target(host: &str, credentials: &Credentials, repository: &str) -> Target {
    let url = Url::parse(&format!("http://{host}")).unwrap();
    let remote = Remote::new(outbound(), &url, credentials).unwrap().with_retries(QUICK);
    Target::new(remote, repository.parse().unwrap())
}

/// Everything the SDK does, at one registry. `checker` looks behind its back; `home` is a Hythe to copy from and to.
pub(super) fn everything(
    what: &str,
    there: &dyn Fn(&str) -> Target,
    checker: &Actor,
    home: &Scene,
    repository: &str,
    lacks: Lacks,
) {
    note(what);
    let goods = Goods::new(&format!("{what} {repository}"));
    let silent = Reporter::silent();
    let (push, pull) = (PushOptions::default(), PullOptions::default());
    let app = there(repository);
    run(async {
        // From a layout, twice.
        for sent in [goods.index.images.iter().map(|image| image.blobs.len()).sum(), 0] {
            let pushed = app.push_layout(&goods.layout, Some("all"), Some(&tag("all")), &push, &silent).await;
            let pushed = pushed.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(
                (pushed.digest.to_string(), pushed.sent),
                (goods.index.manifest.digest(), sent),
                "{what}"
            );
        }
        let pushed = app.push_layout(&goods.large_layout, None, Some(&tag("large")), &push, &silent).await;
        let pushed = pushed.unwrap_or_else(|error| panic!("{what}, a large layer: {error}"));
        assert_eq!(pushed.digest.to_string(), goods.large.manifest.digest());
        // From an archive, as it streams by.
        let archive = archive_in_file(&goods.archive).unwrap();
        let pushed = app.push_archive(archive, None, Some(&tag("archive")), &push, &silent).await;
        match pushed {
            Ok(_) => assert!(!lacks.pieces, "{what}"),
            Err(error) => {
                assert!(lacks.pieces && error.to_string().contains("405"), "{what}, an archive: {error}");
            }
        }
        // Into a layout and as an archive.
        for (name, digest) in
            [("all", goods.index.manifest.digest()), ("large", goods.large.manifest.digest())]
        {
            let folder = run_folder::fresh("pulled");
            let pulled = app.pull_layout(&tagged(name), &folder, Some(name), &pull, &silent).await;
            let pulled = pulled.unwrap_or_else(|error| panic!("{what}, a pull of {name}: {error}"));
            assert_eq!(pulled.digest.to_string(), digest, "{what}");
            std::fs::remove_dir_all(folder).unwrap();
            let (whole, archive) = app.pull_archive(&tagged(name), None, &pull, &silent).await.unwrap();
            let pieces: Vec<Bytes> =
                archive.try_collect().await.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(pieces.iter().map(Bytes::len).sum::<usize>() > 1000);
            assert!(name == "all" || whole.to_string() == digest, "{what}");
        }
        // What is asked of an image.
        let resolved = app.remote().resolve(app.repository(), &tagged("all")).await.unwrap();
        assert_eq!(resolved.digest.to_string(), goods.index.manifest.digest(), "{what}");
        let size = app.size(&tagged("all")).await.unwrap();
        let bytes: usize =
            goods.index.images.iter().flat_map(|image| &image.blobs).map(|blob| blob.bytes.len()).sum();
        assert_eq!((size.bytes, size.platforms.len()), (bytes as u64, 2), "{what}");
        let status = app.status(&tagged("all")).await.unwrap();
        assert_eq!((status.status, status.places[0].percent), (Readiness::Ready, 100), "{what}");
        assert!(app.status(&tagged("none")).await.is_err(), "{what}");
        if !lacks.tags {
            let tags = app.remote().tags(app.repository()).unwrap();
            let tags: Vec<Tag> = tags.into_stream().try_collect().await.unwrap();
            assert!(tags.contains(&tag("all")) && tags.contains(&tag("large")), "{what}: {tags:?}");
            assert_eq!(app.tags_of(&resolved.digest).await.unwrap(), [tag("all")], "{what}");
        }
    });
    for name in ["all", "large"] {
        crate::clients::whole(checker, repository, name);
    }
    // Copies from another registry, within this one, and back; with what refers to the image.
    let source = format!("{}-source", home.bench.repository);
    let admin = &home.bench.admin;
    for image in goods.index.images.iter().chain([&goods.sbom]) {
        admin.push_image(&source, &image.manifest.digest(), image);
    }
    admin.put_manifest(&source, "all", &goods.index.manifest).is(201);
    let [from, back] = [source, format!("{}-back", home.bench.repository)]
        .map(|name| target(&home.bench.server.host(), &credentials(&home.pusher), &name));
    let (copied, within) = (there(&format!("{repository}-copied")), there(&format!("{repository}-within")));
    run(async {
        for (from, to) in [(&from, &copied), (&copied, &within), (&within, &back)] {
            let options = CopyOptions::default();
            let pushed = from.copy_to(&tagged("all"), to, Some(&tag("all")), &options, &silent).await;
            let pushed = pushed.unwrap_or_else(|error| {
                panic!("{what}, {} to {}: {error}", from.repository(), to.repository())
            });
            assert_eq!(pushed.digest.to_string(), goods.index.manifest.digest(), "{what}");
        }
    });
    admin.get(&format!("/v2/{}/manifests/{}", back.repository(), goods.sbom.manifest.digest())).is(200);
    // Removal, as far as it goes.
    run(async {
        let removed = within.remote().delete_tag(within.repository(), &tag("all")).await;
        match removed {
            Ok(()) => assert!(!lacks.tag_deletion, "{what}"),
            Err(RemoteError::Unsupported { .. }) => assert!(lacks.tag_deletion, "{what}"),
            Err(error) => panic!("{what}: {error}"),
        }
        let digest = goods.large.manifest.digest().parse().unwrap();
        app.remote().delete_manifest(app.repository(), &digest).await.unwrap();
        let is_gone = match app.status(&tagged("large")).await {
            Err(TransferError::Remote(error)) => error.is_not_found(),
            Err(TransferError::Api(error)) => error.status() == Some(404),
            _ => false,
        };
        assert!(is_gone, "{what}");
    });
}
